package postgres_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/pgtest"
)

// As text, what a group is told is quoted twice, for the value and for the array.
func TestAGroupIsToldTextAsItIs(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"cache_statement", "cache_describe", "exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := open(t, pgtest.URL(t)+"&default_query_exec_mode="+mode, nil)
			want := []string{"", " ", `"`, `\`, `\"`, `""`, "NULL", "(a,b)", "{a,b}", "a\nb\tc", "😀 é", `\x41`, `{"s":"a \"quoted\" \\ word"}`, "'$1"}
			origins, guesses, empty, err := s.Told(t.Context(), want)
			if err != nil || empty != 0 {
				t.Fatalf("an array without values has %d, %v", empty, err)
			}
			if diff := cmp.Diff(want, origins); diff != "" {
				t.Errorf("texts (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, guesses); diff != "" {
				t.Errorf("bytes (-want +got):\n%s", diff)
			}
		})
	}
}

// A database that was restored under a running node, or behind a pooler that kept
// its connections, has other numbers for the types of groups.
func TestTypesThatAreNumberedAnewFailNoGroup(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec", "exec"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			url := pgtest.URL(t)
			s := made(t, url+"&default_query_exec_mode="+mode)
			id := sent(t, s)
			if _, err := s.CountAttempt(t.Context(), guess(id, wrongCode)); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"send_input", "check_input"} {
				fields := fieldsOf(t, url, name)
				pgtest.Exec(t, url, "DROP TYPE "+name+"; CREATE TYPE "+name+" AS ("+fields+")")
			}
			if _, err := s.CreateOTP(t.Context(), newOTP(t, uuid.NewString(), time.Hour)); err != nil {
				t.Errorf("a send = %v", err)
			}
			if c, err := s.CountAttempt(t.Context(), guess(id, rightCode)); err != nil || c.Verdict != otp.Right {
				t.Errorf("a check = %v, %v", c.Verdict, err)
			}
		})
	}
}

// fieldsOf are the names and types of a composite type's fields.
func fieldsOf(t *testing.T, url, name string) string {
	t.Helper()
	var fields string
	if err := raw(t, url).QueryRow(t.Context(), `SELECT string_agg(attname || ' ' || format_type(atttypid, NULL), ', ' ORDER BY attnum)
		FROM pg_attribute WHERE attrelid = $1::text::regclass`, name).Scan(&fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

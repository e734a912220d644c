package postgres_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/postgres"
)

// What a group is told is quoted twice, for the value and for the array.
func TestAGroupIsToldTextAsItIs(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	open(t, url, nil)
	conn := raw(t, url)
	want := []string{"", " ", `"`, `\`, `\"`, `""`, "NULL", "(a,b)", "{a,b}", "a\nb\tc", "😀 é", `\x41`, `{"s":"a \"quoted\" \\ word"}`, "'$1"}
	rows, err := conn.Query(t.Context(), "SELECT i.origin, i.guesses FROM unnest($1::text::check_input[]) i ORDER BY i.n", postgres.Texts(want))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []string
	for rows.Next() {
		var text string
		var bytes []byte
		if err := rows.Scan(&text, &bytes); err != nil {
			t.Fatal(err)
		}
		if string(bytes) != text {
			t.Errorf("%q came as bytes %q", text, bytes)
		}
		got = append(got, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
}

package postgres_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/postgres"
	"github.com/countersign/countersign/internal/verify"
)

// Two OTPs of one recipient are checked through two nodes at once: what limits
// remember is held by one check while the other waits, so that the code which
// is one too many is not compared (L-03).
func TestNodesDoNotCompareOneCodeTooManyOfARecipient(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	nodes := [2]*postgres.Store{made(t, url+patient), open(t, url+patient, nil)}
	rules := guard.Compat(0)
	var ids []string
	for i := range nodes {
		n := newOTP(t, strconv.Itoa(i), time.Hour)
		n.Allowed, n.Limited, n.Rules = 20, true, rules
		if _, err := nodes[0].CreateOTP(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, n.ID)
	}
	check := func(node int, id string) (verify.Checked, error) {
		a := guess(id, wrongCode)
		a.Rules = rules
		return nodes[node].CountAttempt(t.Context(), a)
	}
	for i := range rules.Failures[0].Max - 1 {
		if c, err := check(0, ids[0]); err != nil || c.Verdict != otp.Wrong {
			t.Fatalf("wrong code %d: %v, %v", i+1, c.Verdict, err)
		}
	}
	holder, err := raw(t, url).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Exec(t.Context(), "SELECT FROM tallies FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	type result struct {
		checked verify.Checked
		err     error
	}
	answers := make(chan result, len(nodes))
	for i, id := range ids {
		go func() {
			c, err := check(i, id)
			answers <- result{c, err}
		}()
	}
	// The first to wait has the row's lock that the second waits for.
	watch := raw(t, url)
	for count(t.Context(), t, watch, "SELECT count(*) FROM pg_locks WHERE locktype = 'tuple' AND relation = 'tallies'::regclass") < len(nodes) {
		time.Sleep(time.Millisecond)
	}
	if err := holder.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	compared, limited := 0, 0
	for range nodes {
		got := <-answers
		switch refused := refusal(got.err); {
		case refused != nil && refused.Limit == "failures":
			limited++
		case got.err == nil && got.checked.Verdict == otp.Wrong:
			compared++
		default:
			t.Errorf("a check = %v, %v", got.checked.Verdict, got.err)
		}
	}
	if compared != 1 || limited != 1 {
		t.Errorf("%d codes were compared and %d refused, want 1 and 1", compared, limited)
	}
}

package carriertest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/delivery"
)

const (
	patience = 2 * time.Minute // for what must come
	maxPause = 5 * time.Second // that a carrier may ask for before a retry
	maxTries = 5
)

// bench is one case's carrier, upstream and dispatcher.
type bench struct {
	Rig
	ledger *ledger
}

// Run checks the carriers that open returns, each with an upstream of its own.
func Run(t *testing.T, open func(t testing.TB, d Deps) Rig) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*testing.T, *bench)
	}{
		{"a message that is taken is Accepted with a reference", taken},
		{"a recipient that will never work is Permanent", permanent},
		{"what the operator must act on is Config", misfit},
		{"the store's clock says how long a code lives, and not the process's", aheadOfTheStore},
		{"a throttled message is taken when it is tried again", throttled},
		{"the upstream's own trouble is Retry", broken},
		{"an answer that does not come is Uncertain and nothing is repeated", unanswered},
		{"the same message twice travels under the same reference", duplicate},
		{"a submit returns when its context ends", ended},
		{"a receipt of success reaches its delivery", success},
		{"a receipt of failure tells why", failed},
		{"news that is not final changes nothing", underway},
		{"a receipt that comes twice is taken twice", twice},
		{"receipts in another order reach their own deliveries", reordered},
		{"a receipt for nobody is taken", stranger},
		{"a receipt that cannot be recorded is asked for again", unrecorded},
		{"a receipt after a restart reaches its delivery", restarted},
		{"the server's end leaves a submit in flight Uncertain", stopped},
		{"a forged receipt is refused and changes nothing", forged},
		{"a receipt with another token is refused and changes nothing", intruded},
		{"a new secret is taken and the old one refused", rotated},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLedger()
			c.run(t, &bench{Rig: open(t, l.deps()), ledger: l})
			l.silent(t)
		})
	}
}

// submit submits and expects a class.
func (b *bench) submit(t *testing.T, m delivery.Message, want delivery.Class) delivery.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r := b.Carrier.Submit(ctx, m)
	if r.Class != want {
		t.Fatalf("Submit = %+v; want %v", r, want)
	}
	if want != delivery.Accepted && (r.Failure.Code == "" || r.Failure.Text == "") {
		t.Errorf("Submit = %+v; want a failure that says why", r)
	}
	return r
}

// accepted submits a message and makes its reference known.
func (b *bench) accepted(t *testing.T) string {
	t.Helper()
	r := b.submit(t, text(t), delivery.Accepted)
	if r.Ref == "" {
		t.Fatalf("Submit = %+v; want a reference", r)
	}
	b.ledger.learn(r.Ref)
	return r.Ref
}

func (b *bench) receipt(t *testing.T, ref string, news News, want Verdict) {
	t.Helper()
	if got := b.Receipt(t, ref, news); got != want {
		t.Errorf("the upstream heard %v of its receipt; want %v", got, want)
	}
}

// heard expects the receipts of a reference.
func (b *bench) heard(t *testing.T, ref string, want ...delivery.ReceiptState) {
	t.Helper()
	got := b.ledger.of(ref)
	states := make([]delivery.ReceiptState, len(got))
	for i, r := range got {
		if states[i] = r.State; r.Carrier != b.Carrier.Name() {
			t.Errorf("receipt = %+v; want it of carrier %q", r, b.Carrier.Name())
		}
	}
	if !slices.Equal(states, want) {
		t.Fatalf("receipts = %+v; want the states %v", got, want)
	}
}

// lacks reports that the protocol has nothing like a function that is nil; a
// rig that does not say why fails.
func (b *bench) lacks(t *testing.T, function string) bool {
	t.Helper()
	why := b.Lacks[function]
	if why == "" {
		t.Fatalf("the rig has no %s and does not say why", function)
	}
	t.Logf("not in this protocol: %s", why)
	return true
}

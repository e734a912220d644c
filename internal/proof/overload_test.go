package proof_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/pgtest"
)

// demands are what an overloaded node is held to (D-08). Times that are 0 are
// not.
type demands struct {
	goodput            float64 // of the capacity
	accepted, refusals time.Duration
}

// How overload slows the database down.
const (
	leastPause   = 0.003 // seconds that the insertion of an OTP waits
	mostPause    = 0.015
	machineShare = 6 // how many times what the slow database does the machine could do
	// longestTick is the longest time whose requests are asked for at once.
	longestTick = 50 * time.Millisecond
)

// quantile is the least duration that at least q of all are within.
func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(all))
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

// rush is what came of a load.
type rush struct {
	mu            sync.Mutex // guards what follows
	done, refused []time.Duration
	problems      int
}

func (r *rush) note(begun time.Time, a answer, err error, good int) {
	took := time.Since(begun)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil && a.status == good:
		r.done = append(r.done, took)
	case err == nil && (a.status == http.StatusServiceUnavailable || a.status == http.StatusTooManyRequests):
		r.refused = append(r.refused, took)
	default:
		r.problems++
	}
}

// overload asks a node for twice what its database can write, and shows that it
// goes on doing what it can, quickly, that it refuses the rest at once, and
// that checks are not refused for sends (D-08). The database is made slow, so
// that what it can do is known and the machine's processors are not what ends
// first: slower on a slower machine, where it takes longer until it has too much
// to do.
func overload(t *testing.T, span time.Duration, want demands) {
	t.Helper()
	url := pgtest.Ready(t)
	f := newFleet(t, url, 1, "COUNTERSIGN_SENDS_PER_RECIPIENT=0", "COUNTERSIGN_LOG_LEVEL=error")
	p := f.node(0)
	p.client.Transport.(*http.Transport).MaxIdleConnsPerHost = 2048
	var checkable []string
	for i := range 200 {
		a, err := p.make(t.Context(), v1{key: fleetKey}.send(fmt.Sprintf("+49153%07d9", i), rightCode))
		if err != nil {
			t.Fatal(err)
		}
		id, err := v1{}.sent(a)
		if err != nil {
			t.Fatal(err)
		}
		checkable = append(checkable, id)
	}
	var number atomic.Int64
	send := func(r *rush) {
		begun := time.Now()
		a, err := p.makeAdvised(context.WithoutCancel(t.Context()), v1{key: fleetKey}.send(fmt.Sprintf("+49154%07d9", number.Add(1)), rightCode))
		r.note(begun, a, err, http.StatusOK)
	}

	// The capacity: so many callers that each waits for the answer.
	closed := func(span time.Duration) float64 {
		var r rush
		var callers sync.WaitGroup
		begun := time.Now()
		for range 48 {
			callers.Go(func() {
				for time.Since(begun) < span {
					send(&r)
				}
			})
		}
		callers.Wait()
		if r.problems > 0 {
			t.Fatalf("%d answers that should not be", r.problems)
		}
		return float64(len(r.done)) / time.Since(begun).Seconds()
	}
	closed(time.Second) // connections are found
	unhindered := closed(time.Second)
	pause := min(max(2*machineShare/unhindered, leastPause), mostPause)
	span = max(span, time.Duration(float64(span)*pause/leastPause))
	db := open(t, url)
	if _, err := db.ExecContext(t.Context(), fmt.Sprintf(`CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(%f); RETURN NEW; END $$;
		CREATE TRIGGER slowly BEFORE INSERT ON otps FOR EACH ROW EXECUTE FUNCTION slowly()`, pause)); err != nil {
		t.Fatal(err)
	}
	closed(time.Second) // the pace is found
	capacity := closed(span / 2)

	var sends, checks rush
	var calls sync.WaitGroup
	begun := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	asked, checked, gone := 0, 0, 0.0
	for last := begun; time.Since(begun) < span; {
		<-tick.C
		// What the machine kept it from asking is not asked in one rush.
		gone += min(time.Since(last), longestTick).Seconds()
		last = time.Now()
		for ; float64(asked) < 2*capacity*gone; asked++ {
			calls.Go(func() { send(&sends) })
		}
		for ; float64(checked) < 50*gone; checked++ {
			id := checkable[checked%len(checkable)]
			calls.Go(func() {
				begun := time.Now()
				a, err := p.makeAdvised(context.WithoutCancel(t.Context()), v1{key: fleetKey}.check(id, wrongCode))
				if a.status == http.StatusUnauthorized || a.status == http.StatusForbidden || a.status == http.StatusGone {
					a.status = http.StatusOK // whatever it says of the code, it was checked
				}
				checks.note(begun, a, err, http.StatusOK)
			})
		}
	}
	calls.Wait()
	took := time.Since(begun)
	// What it could do in those moments is what it can do before and after.
	after := closed(span / 2)
	goodput := float64(len(sends.done)) / took.Seconds() / min(capacity, after)
	t.Logf("%.0f sends/s without pauses, of %.1f ms; with them %.0f before and %.0f after; asked for %.0f/s: %.0f %% of it done, p99 %v; %d refused, p99 %v; %d checks beside, %d refused, p99 %v",
		unhindered, 1000*pause, capacity, after, float64(asked)/took.Seconds(), 100*goodput, quantile(sends.done, 0.99).Round(time.Millisecond),
		len(sends.refused), quantile(sends.refused, 0.99).Round(time.Millisecond), len(checks.done), len(checks.refused), quantile(checks.done, 0.99).Round(time.Millisecond))
	if sends.problems+checks.problems > 0 {
		t.Errorf("%d answers were neither done nor a refusal with Retry-After", sends.problems+checks.problems)
	}
	if len(sends.refused) == 0 {
		t.Error("nothing was refused: this was no overload")
	}
	if len(checks.refused) > 0 {
		t.Errorf("%d checks were refused for sends, want none", len(checks.refused))
	}
	if goodput < want.goodput {
		t.Errorf("%.0f %% of the capacity was done, want %.0f %%", 100*goodput, 100*want.goodput)
	}
	if quantile(sends.refused, 0.5) >= quantile(sends.done, 0.5) {
		t.Errorf("half of the refusals took %v and more, half of what was done %v: a refusal waits for nothing", quantile(sends.refused, 0.5), quantile(sends.done, 0.5))
	}
	if p99 := quantile(sends.done, 0.99); want.accepted > 0 && p99 > want.accepted {
		t.Errorf("p99 of accepted sends is %v, want %v", p99, want.accepted)
	}
	if p99 := quantile(sends.refused, 0.99); want.refusals > 0 && p99 > want.refusals {
		t.Errorf("p99 of refusals is %v, want %v", p99, want.refusals)
	}
}

// Beside other tests times are chance; the soak holds to them.
func TestAnOverloadedNodeDoesWhatItCan(t *testing.T) { //nolint:paralleltest // others would be part of the load
	overload(t, 3*time.Second, demands{goodput: 0.5})
}

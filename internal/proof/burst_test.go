package proof_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"
)

// limit is how many codes the bursts' OTPs may compare.
const limit = 3

// burst is how requests are released at once.
type burst interface {
	// fire makes the calls, all released in the same moment, and returns what
	// each was answered.
	fire(t testing.TB, calls []call) []answer
}

// target is a facade under bursts.
type target struct {
	facade

	p     *process
	burst burst
	sends int
}

// result is what a burst of checks led to.
type result struct {
	verdicts map[verdict]int
	counts   []int // told with codes that were wrong, in order
	standing standing
}

// fire makes the calls at once. A node on a slow machine may refuse some of so
// many with nothing done (D-08): those are made again, at once again, until all
// were done.
func (g *target) fire(t *testing.T, calls []call) []answer {
	t.Helper()
	answers := g.burst.fire(t, calls)
	for first, begun := true, time.Now(); time.Since(begun) < patience; first = false {
		var refused []int
		var again []call
		for i, a := range answers {
			if a.status == http.StatusServiceUnavailable && !bytes.Contains(a.body, []byte("not known")) {
				refused, again = append(refused, i), append(again, calls[i])
			}
		}
		if len(refused) == 0 {
			break
		}
		if done := len(calls) - len(refused); first && done < 10*limit {
			t.Errorf("of %d calls at once %d were done; want %d at least", len(calls), done, 10*limit)
		}
		time.Sleep(200 * time.Millisecond)
		for i, a := range g.burst.fire(t, again) {
			answers[refused[i]] = a
		}
	}
	return answers
}

// hit sends an OTP and fires checks of it: of n codes, every one whose number
// is a multiple of each is right, none if each is 0.
func (g *target) hit(t *testing.T, n, each int) result {
	t.Helper()
	g.sends++
	id, code := g.order(t, g.p, fmt.Sprintf("+4917%09d9", g.sends))
	calls := make([]call, n)
	for i := range calls {
		calls[i] = g.check(id, other(code))
		if each > 0 && i%each == 0 {
			calls[i] = g.check(id, code)
		}
	}
	r := result{verdicts: map[verdict]int{}}
	for _, a := range g.fire(t, calls) {
		told, err := g.told(a)
		if err != nil {
			t.Fatal(err)
		}
		r.verdicts[told.verdict]++
		if told.count > 0 && (told.verdict == wrong || told.verdict == spent) {
			r.counts = append(r.counts, told.count)
		}
	}
	slices.Sort(r.counts)
	var err error
	if r.standing, err = g.stands(g.p, id); err != nil {
		t.Fatal(err)
	}
	// Two codes that were compared at once would be told the same count.
	for i, n := range r.counts {
		if n != i+1 {
			t.Fatalf("%d codes at once: wrong ones were told the counts %v, want each once", n, r.counts)
		}
	}
	return r
}

// blocked reports whether r is what n codes lead to of which the first ones
// were wrong: exactly the allowance was compared.
func (g *target) blocked(r result, n int) bool {
	want := map[verdict]int{wrong: limit - 1, locked: n - limit + 1 - g.spent}
	if g.spent > 0 {
		want[spent] = g.spent
	}
	return maps.Equal(r.verdicts, want) && r.standing == standing{"TOO_MANY_ATTEMPTS", limit}
}

// passed reports whether r is what n codes lead to of which one was right, and
// compared within the allowance.
func (g *target) passed(r result, n int) bool {
	compared := r.standing.Attempts
	want := map[verdict]int{verified: 1, over: n - compared}
	if compared > 1 {
		want[wrong] = compared - 1
	}
	return maps.Equal(r.verdicts, want) && r.standing.State == "VERIFIED" && compared <= limit
}

// wrongs fires n wrong codes.
func (g *target) wrongs(t *testing.T, n int) {
	t.Helper()
	if r := g.hit(t, n, 0); !g.blocked(r, n) {
		t.Fatalf("%d wrong codes at once: %+v; want exactly %d compared", n, r, limit)
	}
}

// rights fires n right codes.
func (g *target) rights(t *testing.T, n int) {
	t.Helper()
	if r := g.hit(t, n, 1); !g.passed(r, n) || r.standing.Attempts != 1 {
		t.Fatalf("%d right codes at once: %+v; want one verified", n, r)
	}
}

// rounds fires bursts of every kind again and again (V-01).
func (g *target) rounds(t *testing.T, rounds int) {
	t.Helper()
	passed := 0
	for range rounds {
		g.wrongs(t, 100)
		g.rights(t, 100)
		// Whether a right one is among the first is chance; that no more than the
		// limit are compared is not.
		r := g.hit(t, 100, 5)
		if !g.blocked(r, 100) && !g.passed(r, 100) {
			t.Fatalf("80 wrong and 20 right codes at once: %+v", r)
		}
		passed += r.verdicts[verified]
	}
	t.Logf("%d rounds of 3 bursts of 100; of the mixed ones %d verified", rounds, passed)
}

// overHTTP1 fires rounds at each facade of a server, over a connection for each
// request of a burst.
func overHTTP1(t *testing.T, rounds int) {
	t.Helper()
	p := serve(t, t.TempDir())
	for _, f := range facades(p, limit, false) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			(&target{facade: f, p: p.as(t), burst: withheld{newWires(t, p, 100)}}).rounds(t, rounds)
		})
	}
}

// overHTTP2 fires rounds at each facade of a server, each burst in one packet.
func overHTTP2(t *testing.T, rounds int) {
	t.Helper()
	dir := t.TempDir()
	cert, key := certificate(t, dir)
	p := serve(t, dir, "COUNTERSIGN_TLS_CERT="+cert, "COUNTERSIGN_TLS_KEY="+key)
	for _, f := range facades(p, limit, true) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			(&target{facade: f, p: p.as(t), burst: newCorked(t, p)}).rounds(t, rounds)
		})
	}
}

func TestABurstIsCountedExactly(t *testing.T) {
	t.Parallel()
	overHTTP1(t, 25)
}

func TestAnHTTP2BurstIsCountedExactly(t *testing.T) {
	t.Parallel()
	overHTTP2(t, 25)
}

func TestManyParallelGuessesAreCountedExactly(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir())
	for _, f := range facades(p, limit, false) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			g := &target{facade: f, p: p.as(t), burst: withheld{newWires(t, p, 300)}}
			g.wrongs(t, 300)
			g.rights(t, 200)
		})
	}
}

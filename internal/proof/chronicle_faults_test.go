package proof_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/countersign/countersign/internal/pgtest"
)

// What goes wrong among nodes, as their clients would see it. Each stands for a
// mistake that one node alone cannot make.
const (
	verifiesOnEach   fault = "each node lets the right code through once"
	countsOnEach     fault = "nodes count wrong codes in memories of their own"
	forgetsCount     fault = "a wrong code that was told as counted is forgotten by a failover"
	forgetsSend      fault = "a send that was acknowledged is forgotten by a failover"
	readsStandby     fault = "a node reads the state from a standby that is behind"
	retriesUnmarked  fault = "a check without an answer is repeated though it was counted"
	deniesWork       fault = "a node that lost its database says that nothing was done"
	limitsOnEach     fault = "nodes limit wrong codes of a recipient each for itself"
	keepsDeleted     fault = "a node goes on with an OTP that another has deleted"
	revivesByStandby fault = "a promoted standby knows an older state of an OTP"
)

var nodeFaults = []fault{
	verifiesOnEach, countsOnEach, forgetsCount, forgetsSend, readsStandby, retriesUnmarked, deniesWork, limitsOnEach, keepsDeleted,
	revivesByStandby,
}

// bewitched are nodes of which clients see one mistake.
type bewitched struct {
	fault fault
	next  asks

	mu      sync.Mutex // guards what follows
	seen    map[string]answer
	counted map[string]int
}

// with is the answer with another status and other fields.
func (a answer) with(status int, change func(map[string]any)) answer {
	fields := map[string]any{}
	if d := json.NewDecoder(bytes.NewReader(a.body)); d.Decode(&fields) != nil {
		return a
	}
	if ms, ok := fields["expire"].(float64); ok {
		fields["expire"] = int64(ms)
	}
	change(fields)
	body, err := json.Marshal(fields)
	if err != nil {
		return a
	}
	return answer{status, body}
}

func (a answer) says(status int, state string) bool {
	return a.status == status && bytes.Contains(a.body, []byte(fmt.Sprintf("%q:%q", "otpStatus", state)))
}

// remember keeps what was first or last seen at a path.
func (b *bewitched) remember(path string, a answer, first bool) (was answer, had bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	was, had = b.seen[path]
	if !had || !first {
		b.seen[path] = a
	}
	return was, had
}

func (b *bewitched) ask(ctx context.Context, c call) (answer, *process, error) {
	check, right := strings.Contains(c.path, "/check?"), strings.HasSuffix(c.path, rightCode)
	path, _, _ := strings.Cut(c.path, "/check?")
	get := call{http.MethodGet, path, "", map[string]string{"apiKey": fleetKey}}
	undone := map[string]string{"apiKey": fleetKey}
	switch {
	case check && b.fault == forgetsCount && !right && seldom():
		a, by, err := b.next(ctx, get)
		if a.says(200, "ACTIVE") {
			return a.with(http.StatusUnauthorized, func(f map[string]any) { f["attemptCount"] = f["attemptCount"].(float64) + 1 }), by, err
		}
	case check && b.fault == retriesUnmarked && seldom():
		if _, _, err := b.next(ctx, call{c.method, c.path, c.body, undone}); err != nil {
			return answer{}, nil, err
		}
	case c.method == http.MethodDelete && b.fault == keepsDeleted && seldom():
		return b.next(ctx, get)
	}
	a, by, err := b.next(ctx, c)
	if err != nil {
		return a, by, err
	}
	switch {
	case b.fault == verifiesOnEach && check && right && a.says(http.StatusGone, "VERIFIED"):
		a.status = http.StatusAccepted
	case b.fault == countsOnEach && check && a.says(http.StatusUnauthorized, "ACTIVE"):
		b.mu.Lock()
		defer b.mu.Unlock()
		b.counted[by.url+path]++
		return a.with(a.status, func(f map[string]any) { f["attemptCount"] = b.counted[by.url+path] }), by, nil
	case b.fault == forgetsSend && strings.HasPrefix(c.path, "/2fa/v1/otp?") && a.status == 200 && seldom():
		var made struct {
			ID string `json:"otpId"`
		}
		if err := json.Unmarshal(a.body, &made); err != nil {
			return a, by, err
		}
		_, _, err = b.next(context.WithoutCancel(ctx), call{http.MethodDelete, "/2fa/v1/otp/" + made.ID, "", undone})
	case b.fault == readsStandby && c.method == http.MethodGet && a.status == 200 && seldom():
		if was, had := b.remember(path, a, false); had {
			return was, by, nil
		}
	case b.fault == revivesByStandby && c.method == http.MethodGet && a.status == 200:
		if was, had := b.remember(path, a, true); had && !a.says(200, "ACTIVE") {
			return was, by, nil
		}
	case b.fault == deniesWork && c.method != http.MethodGet && seldom():
		return answer{http.StatusServiceUnavailable, []byte(`{"message":"The request could not be carried out now.","code":"1999"}`)}, by, nil
	case b.fault == limitsOnEach && check && a.status == http.StatusTooManyRequests:
		seen, by, err := b.next(ctx, get)
		if seen.says(200, "ACTIVE") {
			return seen.with(http.StatusUnauthorized, func(f map[string]any) { f["attemptCount"] = f["attemptCount"].(float64) + 1 }), by, err
		}
	}
	return a, by, err
}

// short records a chronicle of some calls without any pause.
func (c *chronicle) short(t testing.TB, calls int) porcupine.CheckResult {
	t.Helper()
	c.pause = 0
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			c.mu.Lock()
			if len(c.history) >= calls {
				cancel()
			}
			c.mu.Unlock()
			rest(5 * time.Millisecond)
		}
	}()
	c.run(ctx, 8)
	return porcupine.CheckOperationsTimeout(c.terms.model(), c.history, patience)
}

// The checker must find what it is there for, in histories of nodes too.
func TestEveryFaultAmongNodesIsFound(t *testing.T) { //nolint:tparallel // see below
	t.Parallel()
	f := newFleet(t, pgtest.Ready(t), 2, nodeSettings()...)
	newChronicle(f).configure()
	for _, planted := range append([]fault{""}, nodeFaults...) { //nolint:paralleltest // each has the nodes for itself
		name := string(planted)
		if planted == "" {
			name = "no fault at all"
		}
		t.Run(name, func(t *testing.T) {
			total := 0
			for round := range 10 {
				c := newChronicle(f)
				b := &bewitched{fault: planted, next: c.some, seen: map[string]answer{}, counted: map[string]int{}}
				c.ask = b.ask
				result := c.short(t, 400)
				total += len(c.history)
				switch {
				case planted == "" && result != porcupine.Ok:
					t.Fatalf("a history of %d calls without a fault is %s", len(c.history), result)
				case planted == "" && round == 1:
					return
				case planted != "" && result == porcupine.Illegal:
					t.Logf("found in history %d, after %d calls", round+1, total)
					return
				}
			}
			t.Errorf("%d calls fit the model though %s", total, planted)
		})
	}
}

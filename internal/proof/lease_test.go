package proof_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/stolen"
)

// Of the server: how long a claim lasts, and how many deliveries a node hands
// to one carrier at a time.
const (
	leaseTime = time.Minute
	workers   = 256
	// underWay is from a claim to the carrier, on a machine that does something
	// else most of the time: milliseconds on another, a lease where it is wrong.
	underWay = 10 * time.Second
)

// gateway is a carrier's double that takes its time and counts by dedupe
// reference what it is handed.
type gateway struct {
	*httptest.Server

	takes   time.Duration
	machine *stolen.Watch

	mu       sync.Mutex               // guards what follows
	taken    map[string]time.Duration // what the machine had taken by the last arrival
	arrivals map[string][]time.Time
	numbers  map[string]string // of recipients, by dedupe reference
	inHand   int
}

func newGateway(t testing.TB, takes time.Duration) *gateway {
	g := &gateway{takes: takes, machine: stolen.Start(t), taken: map[string]time.Duration{}, arrivals: map[string][]time.Time{}, numbers: map[string]string{}}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived, taken := time.Now(), g.machine.Total()
		var m struct {
			ID string `json:"id"`
			To string `json:"to"`
		}
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil || m.ID == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		g.mu.Lock()
		g.arrivals[m.ID] = append(g.arrivals[m.ID], arrived)
		g.numbers[m.ID] = m.To
		g.taken[m.ID] = taken
		g.inHand++
		g.mu.Unlock()
		time.Sleep(g.takes)
		g.mu.Lock()
		g.inHand--
		g.mu.Unlock()
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte(`{"status":"DELIVERED"}`))
	}))
	t.Cleanup(g.Close)
	return g
}

// settings make nodes hand everything to the gateway.
func (g *gateway) settings(t testing.TB) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "countersign.toml")
	text := fmt.Sprintf("[[carrier]]\nname = \"gateway\"\ntype = \"webhook\"\nurl = %q\nsecret = \"env:GATEWAY_SECRET\"\nallow_private = true\n", g.URL)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"COUNTERSIGN_CONFIG=" + path, "GATEWAY_SECRET=whsec_c2VjcmV0LW9mLXRoZS1wcm9vZi1zZWNyZXQtMTIzNDU="}
}

// tally is how many messages arrived, and how many more than once.
func (g *gateway) tally() (messages, doubles int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, at := range g.arrivals {
		doubles += len(at) - 1
	}
	return len(g.arrivals), doubles
}

// later is how many arrivals of what had arrived before there were since then.
func (g *gateway) later(since time.Time) (doubles int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, at := range g.arrivals {
		for i, when := range at {
			if i > 0 && when.After(since) {
				doubles++
			}
		}
	}
	return doubles
}

// sends sends n OTPs over all nodes, some at a time, and calls each with the id
// of every one.
func (f *fleet) sends(t testing.TB, first, n int, each func(id string, by *process)) {
	t.Helper()
	var all sync.WaitGroup
	next := make(chan int)
	for range 16 {
		all.Go(func() {
			for i := range next {
				a, p, err := f.persist(t.Context(), v1{key: fleetKey}.send(fmt.Sprintf("+49152%07d9", first+i), rightCode))
				if err != nil {
					t.Errorf("a send: %v", err)
					continue
				}
				id, err := v1{}.sent(a)
				if err != nil {
					t.Error(err)
					continue
				}
				each(id, p)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
}

// leases kills one node and stops another with their hands full, and shows that
// the third sends what they had claimed, and that the one that wakes up sends
// nothing again (D-03).
func leases(t *testing.T, rounds, sends int) {
	t.Helper()
	url := pgtest.Ready(t)
	g := newGateway(t, 400*time.Millisecond)
	f := newFleet(t, url, 3, append(g.settings(t), "COUNTERSIGN_SENDS_PER_RECIPIENT=0")...)
	db := open(t, url)
	arrived := func(n int) func() bool {
		return func() bool { got, _ := g.tally(); return got >= n }
	}
	nothing := func(string, *process) {}

	// Without faults: each once, and nothing that was deleted before.
	f.sends(t, 0, sends, nothing)
	eventually(t, "every message", patience, arrived(sends))
	if _, doubles := g.tally(); doubles > 0 {
		t.Errorf("%d messages without a fault were doubles, want none (D-03)", doubles)
	}
	total, allowed, woken, over := sends, 0, 0, 0
	for range rounds {
		first := total
		full := make(chan struct{})
		go func() {
			defer close(full)
			f.sends(t, first, sends, nothing)
		}()
		<-full // all that was sent is acknowledged, and some of it in flight
		f.node(1).freeze()
		stopped := time.Now()
		f.kill(0)
		paused := f.take(1)
		total += sends
		allowed += 2 * workers
		held := count(t, db, "SELECT count(DISTINCT lease_node) FROM deliveries WHERE lease_node IS NOT NULL")
		t.Logf("a node killed and one stopped; %d nodes had claims", held)
		eventually(t, "every message of a killed and of a stopped node", leaseTime+patience, arrived(total))
		eventually(t, "the end of every delivery", leaseTime+patience, func() bool {
			return count(t, db, "SELECT count(*) FROM deliveries WHERE due_at IS NOT NULL") == 0
		})
		_, before := g.tally()
		over += before
		if rest := time.Until(stopped.Add(leaseTime + 5*time.Second)); rest > 0 {
			time.Sleep(rest) // until what it claims is long over
		}
		wakes := time.Now()
		paused.thaw()
		time.Sleep(3 * time.Second) // for what it must not do
		woken += g.later(wakes)
		f.mu.Lock()
		f.nodes[1] = paused
		f.mu.Unlock()
		f.start(0)
		f.sends(t, total, 10, nothing) // it works as before
		total += 10
		eventually(t, "every message after the wake-up", leaseTime+patience, arrived(total))
	}
	messages, doubles := g.tally()
	t.Logf("%d messages, %d lost, %d doubles after %d kills and %d stops (%d allowed), of them %d by a node that woke up",
		messages, total-messages, doubles, rounds, rounds, allowed, woken)
	if doubles > allowed {
		t.Errorf("%d doubles, want at most %d: kills × workers (D-03)", doubles, allowed)
	}
	if woken > 0 {
		t.Errorf("a node that woke up sent %d messages again", woken)
	}
	sound(t, db)
}

func TestADeadOrSleepingNodesClaimsAreSentByOthers(t *testing.T) {
	t.Parallel()
	leases(t, 1, 300)
}

// What a node had claimed when another acknowledged the OTP's deletion is under
// way: it was handed over before, as far as the database knows. The node begins
// such a submit at once or not at all (D-03).
func TestWhatAnotherNodeDeletedGoesOutAtOnceOrNotAtAll(t *testing.T) {
	t.Parallel()
	g := newGateway(t, 0)
	f := newFleet(t, pgtest.Ready(t), 3, append(g.settings(t), "COUNTERSIGN_SENDS_PER_RECIPIENT=0")...)
	var mu sync.Mutex // guards deleted and taken
	deleted, taken := map[string]time.Time{}, map[string]time.Duration{}
	const sends = 400
	f.sends(t, 0, sends, func(id string, _ *process) {
		a, _, err := f.persist(t.Context(), call{http.MethodDelete, "/2fa/v1/otp/" + id, "", map[string]string{"apiKey": fleetKey}})
		if err != nil || a.status != http.StatusOK {
			t.Errorf("a deletion = %d %s, %v", a.status, a.body, err)
			return
		}
		var e struct {
			Number string `json:"number"`
		}
		if err := json.Unmarshal(a.body, &e); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		deleted[e.Number], taken[e.Number] = time.Now(), g.machine.Total()
	})
	time.Sleep(underWay) // for what must not come after
	g.mu.Lock()
	defer g.mu.Unlock()
	late, worst := 0, time.Duration(0)
	for id, at := range g.arrivals {
		if after := at[len(at)-1].Sub(deleted[g.numbers[id]]); after > 0 {
			late++
			worst = max(worst, after-(g.taken[id]-taken[g.numbers[id]]))
		}
	}
	t.Logf("%d OTPs deleted at once, %d messages had gone out before, %d came after, at most %v without what the machine took", sends, len(g.arrivals)-late, late, worst)
	if worst > underWay {
		t.Errorf("a message went out %v after its OTP's deletion was acknowledged, want at most %v (D-03)", worst, underWay)
	}
}

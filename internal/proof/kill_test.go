package proof_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/stolen"
)

// allowed is how many codes of an OTP may be compared in the kill loop.
const allowed = 4

// load sends and checks until ctx ends: closed loop, paced to stay under 200
// requests a second.
func (b *books) load(ctx context.Context, p *process) {
	pace := time.NewTicker(5 * time.Millisecond)
	defer pace.Stop()
	paced := func(step func() bool) bool {
		select {
		case <-ctx.Done():
			return false
		case <-pace.C:
			return step()
		}
	}
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for b.live(ctx, p, b.open(mathrand.IntN(2) == 0), paced) {
			}
		})
	}
	clients.Wait()
}

// live is what a client does with one OTP. It reports false when the server is
// gone.
func (b *books) live(ctx context.Context, p *process, l *ledger, paced func(func() bool) bool) bool {
	if !paced(func() bool { return b.send(ctx, p, l) }) {
		return false
	}
	if l.alone {
		return true
	}
	for l.code == "" {
		if !paced(func() bool { return b.learn(ctx, p, l) }) {
			return false
		}
	}
	codes := append(repeat(other(l.code), mathrand.IntN(allowed+1)), l.code, l.code)
	for _, code := range codes {
		if !paced(func() bool { return b.check(ctx, p, l, code) }) {
			return false
		}
	}
	return true
}

func repeat(code string, n int) []string {
	codes := make([]string, n)
	for i := range codes {
		codes[i] = code
	}
	return codes
}

// receiver takes callbacks and notes them by OTP.
type receiver struct {
	*httptest.Server

	mu     sync.Mutex // guards events
	events map[string][]string
	posts  int
}

func newReceiver(t testing.TB) *receiver {
	r := &receiver{events: map[string][]string{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var e struct {
			OTPID  string `json:"otpId"`
			Status string `json:"status"`
		}
		if err := json.NewDecoder(req.Body).Decode(&e); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.posts++
		if !slices.Contains(r.events[e.OTPID], e.Status) { // at least once
			r.events[e.OTPID] = append(r.events[e.OTPID], e.Status)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// got is what came of an OTP, in the order of its coming.
func (r *receiver) got(id string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.events[id], " ")
}

// killLoop kills a server amid its load again and again and shows that nothing
// it acknowledged is lost (D-04).
func killLoop(t *testing.T, kills int) {
	t.Helper()
	dir := t.TempDir()
	calls := newReceiver(t)
	const private = "COUNTERSIGN_CALLBACK_ALLOW_PRIVATE=true"
	p := serve(t, dir, private)
	key := p.key
	b := &books{facades: facades(p, allowed, mathrand.IntN(2) == 0), all: map[string]*ledger{}}
	p.must(201, "POST", "/2fa/v4/configurations/callbacks", fmt.Sprintf(`{"url":%q}`, calls.URL))
	machine := stolen.Start(t)
	var slowest time.Duration // without what the machine took
	for range kills {
		ctx, cancel := context.WithCancel(t.Context())
		loaded := make(chan struct{})
		go func() { defer close(loaded); b.load(ctx, p) }()
		time.Sleep(time.Duration(100+mathrand.IntN(400)) * time.Millisecond) // until some moment amid the load
		p.kill()
		cancel()
		<-loaded
		start := machine.Begin()
		p = serve(t, dir, private)
		p.key = key
		slowest = max(slowest, p.ready-start.Taken())
		// A send that got no answer is repeated with its Idempotency-Key.
		for l := range maps.Values(b.all) {
			if l.id == "" && !b.send(t.Context(), p, l) {
				t.Fatalf("a repeated send failed\n%s", p.log)
			}
		}
		for l := range maps.Values(b.all) {
			// What ended in an earlier life is looked at again at the end.
			if !l.audited {
				b.finish(p, l)
			}
		}
	}
	b.settle(p, calls)
	p.stop()
	whole(t, dir)
	t.Logf("%d kills, %d callbacks", kills, calls.posts)
	b.sum(t, kills)
	within(t, "the slowest start", slowest, 10*time.Second, "D-04, 2 s on an idle machine")
}

// sum tells how much was shown, and fails where that is too little.
func (b *books) sum(t *testing.T, kills int) {
	t.Helper()
	for _, f := range b.facades {
		var all, passed, blocked, alone, lost int
		for l := range maps.Values(b.all) {
			if l.name != f.name {
				continue
			}
			all++
			passed += l.verified
			lost += l.maybe
			if l.final == "TOO_MANY_ATTEMPTS" {
				blocked++
			}
			if l.alone {
				alone++
			}
		}
		t.Logf("%s: %d OTPs, %d verified, %d blocked, %d left to arrive, %d checks without an answer", f.name, all, passed, blocked, alone, lost)
		if all < 2*kills || passed < kills/2 || alone < kills/2 {
			t.Errorf("%s: that is too little for %d lives", f.name, kills)
		}
	}
}

// settle waits until all that was accepted has arrived, and audits everything
// once more.
func (b *books) settle(p *process, calls *receiver) {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	arrived, doubles := 0, 0
	for l := range maps.Values(b.all) {
		b.audit(p, l)
		if !l.alone {
			// The second right code, and any after a restart, verifies nothing.
			before := l.verified
			if l.final == "VERIFIED" && b.check(p.t.Context(), p, l, l.code) && l.verified > before {
				p.t.Errorf("%s: OTP %s was verified again after the restarts", l.name, l.id)
			}
			continue
		}
		for {
			code, messages, err := p.read(p.t.Context(), l.id)
			// OTPs of the other facades have no events that are posted.
			posted := calls.got(l.id)
			if err == nil && (posted == "DISPATCHED DELIVERED" || !l.posts && posted == "") {
				arrived++
				doubles += messages - 1
				if l.code != "" && code != l.code {
					p.t.Errorf("%s: OTP %s arrived with another code", l.name, l.id)
				}
				l.code = code
				b.use(p, l)
				break
			}
			if err != nil && !errors.Is(err, errNotThere) || time.Now().After(deadline) {
				p.t.Fatalf("%s: OTP %s has %d messages, %v, and events %q\n%s", l.name, l.id, messages, err, posted, p.log)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	p.t.Logf("%d OTPs arrived, %d messages were doubles", arrived, doubles)
}

// use gives the code that arrived, which is right.
func (b *books) use(p *process, l *ledger) {
	s, err := l.stands(p, l.id)
	if err == nil && s.State != "ACTIVE" { // in a long run it has expired
		return
	}
	if !b.check(p.t.Context(), p, l, l.code) || l.verified != 1 {
		p.t.Errorf("%s: OTP %s does not know the code that arrived", l.name, l.id)
	}
}

func TestNothingAcknowledgedIsLostByKills(t *testing.T) {
	t.Parallel()
	killLoop(t, 20)
}

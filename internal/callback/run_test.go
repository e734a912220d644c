package callback_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/store/storetest"
)

func TestADeadEndpointDelaysNoOther(t *testing.T) {
	t.Parallel()
	const otps = 30
	r := newLiveRig(t)
	release := make(chan struct{})
	var mu sync.Mutex // guards now and most
	now, most := 0, 0
	counted := make(chan struct{}, 2*otps)
	hanging := receive(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		counted <- struct{}{}
		<-release
		mu.Lock()
		now--
		mu.Unlock()
		w.WriteHeader(http.StatusInternalServerError)
	})
	refusing := receive(t, statuses(500))
	healthy := receive(t, statuses(200))
	r.to(hanging.URL)
	r.to(refusing.URL)
	r.to(healthy.URL)
	p := r.pusher(later)
	stop := run(t, p)
	for range otps {
		r.Send(storetest.Acme).Dispatch()
		p.Wake()
	}
	// While the first endpoint answers nothing, the others get everything.
	healthy.wait(t, otps)
	refusing.wait(t, otps)
	hanging.wait(t, 2)
	if n := len(hanging.requests()); n != 2 {
		t.Errorf("the hanging endpoint has %d requests, want 2", n)
	}
	for range 2 { // a request is heard of before it is counted
		<-counted
	}
	close(release)
	hanging.wait(t, otps-2)
	stop()
	mu.Lock()
	defer mu.Unlock()
	if most != 2 {
		t.Errorf("at most %d requests at a time, want 2", most)
	}
}

func TestAllRequestsAtATimeAreBounded(t *testing.T) {
	t.Parallel()
	r := newLiveRig(t)
	release := make(chan struct{})
	var mu sync.Mutex // guards now and most
	now, most := 0, 0
	came := make(chan struct{}, 100)
	answer := func(_ int, _ http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		came <- struct{}{}
		<-release
		mu.Lock()
		now--
		mu.Unlock()
	}
	const configs = 5
	for range configs {
		r.to(receive(t, answer).URL)
	}
	for range 4 {
		r.Send(storetest.Acme).Dispatch()
	}
	p := r.pusher(func(c *callback.Config) { c.InFlight = 6 })
	stop := run(t, p)
	for range 4 { // three quarters, before any has answered
		<-came
	}
	close(release)
	for range configs*4 - 4 {
		<-came
	}
	stop()
	if most < 4 || most > 6 {
		t.Errorf("at most %d requests at a time, want 4 to 6", most)
	}
}

func TestFirstAttemptsOfAnOTPAreInOrderUnderLoad(t *testing.T) {
	t.Parallel()
	const otps = 40
	r := newLiveRig(t)
	type key struct{ receiver, otp string }
	var mu sync.Mutex // guards what follows
	open := map[key]string{}
	seen := map[key][]string{}
	answer := func(name string) func(int, http.ResponseWriter, *http.Request) {
		return func(_ int, w http.ResponseWriter, q *http.Request) {
			id := q.Header.Get("webhook-id")
			k := key{name, q.Header.Get("X-Test")}
			mu.Lock()
			if other := open[k]; other != "" {
				t.Errorf("a first attempt began during that of %s", other)
			}
			open[k] = id
			mu.Unlock()
			time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond) // spread, not waited for
			mu.Lock()
			delete(open, k)
			mu.Unlock()
			w.WriteHeader([]int{200, 200, 500, 404}[rand.IntN(4)])
		}
	}
	receivers := map[string]*receiver{}
	for _, name := range []string{"a", "b", "c"} {
		// The OTP's id is only in the body, which the recorder has read already.
		handler := answer(name)
		var rec *receiver
		rec = receive(t, func(n int, w http.ResponseWriter, q *http.Request) {
			got := rec.requests()[n-1]
			k := key{name, memberOf(t, got, "otpId")}
			mu.Lock()
			seen[k] = append(seen[k], statusOf(t, got))
			mu.Unlock()
			q.Header.Set("X-Test", k.otp)
			handler(n, w, q)
		})
		receivers[name] = rec
		r.to(rec.URL)
	}
	p := r.pusher(later)
	stop := run(t, p)
	var wg sync.WaitGroup
	sent := make([]storetest.Sent, otps)
	for i := range sent {
		sent[i] = r.Send(storetest.Acme)
	}
	for _, s := range sent {
		wg.Go(func() {
			s.Dispatch()
			p.Wake()
			s.TimeOut()
			p.Wake()
			s.Deliver()
			p.Wake()
		})
	}
	wg.Wait()
	for _, rec := range receivers {
		rec.wait(t, 3*otps)
	}
	stop()
	mu.Lock()
	defer mu.Unlock()
	for k, got := range seen {
		if diff := cmp.Diff([]string{"DISPATCHED", "TIMED_OUT", "DELIVERED"}, got); diff != "" {
			t.Errorf("receiver %s, OTP %s (-want +got):\n%s", k.receiver, k.otp, diff)
		}
	}
	if len(seen) != 3*otps {
		t.Errorf("%d runs, want %d", len(seen), 3*otps)
	}
}

func TestStoppingLetsAttemptsFinishAndRecordsThem(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	release := make(chan struct{})
	slow := receive(t, func(_ int, w http.ResponseWriter, _ *http.Request) { <-release; w.WriteHeader(http.StatusNoContent) })
	r.to(slow.URL)
	r.Send(storetest.Acme).Dispatch()
	ctx, cancel := contextOf(t)
	defer cancel()
	done := make(chan error, 1)
	p := r.pusher()
	go func() { done <- p.Run(ctx) }()
	slow.wait(t, 1)
	cancel()
	select {
	case err := <-done:
		t.Fatalf("Run = %v with an attempt under way", err)
	case <-time.After(50 * time.Millisecond): // it waits
	}
	close(release)
	if err := <-done; err != nil {
		t.Errorf("Run = %v", err)
	}
	r.wall.Add(24 * time.Hour)
	step(t, r.pusher(), 0)
}

func TestEveryEventArrivesAcrossStopsAndRestarts(t *testing.T) {
	t.Parallel()
	const otps, rounds = 30, 4
	r := newLiveRig(t)
	var mu sync.Mutex // guards arrived
	arrived := map[string]bool{}
	all := make(chan struct{})
	var rec *receiver
	rec = receive(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n%5 == 0 { // the connection ends without an answer
			panic(http.ErrAbortHandler)
		}
		got := rec.requests()[n-1]
		mu.Lock()
		defer mu.Unlock()
		k := memberOf(t, got, "otpId") + statusOf(t, got)
		if arrived[k] {
			return
		}
		if arrived[k] = true; len(arrived) == 2*otps*rounds {
			close(all)
		}
		w.WriteHeader(http.StatusOK)
	})
	r.to(rec.URL)
	for range rounds {
		p := r.pusher(atOnce)
		stop := run(t, p)
		for range otps {
			s := r.Send(storetest.Acme)
			s.Dispatch()
			s.Deliver()
			p.Wake()
		}
		stop() // whatever is under way
		r.restart()
	}
	run(t, r.pusher(atOnce))
	select {
	case <-all:
	case <-time.After(patience):
		mu.Lock()
		defer mu.Unlock()
		t.Errorf("%d events arrived, want %d", len(arrived), 2*otps*rounds)
	}
}

// moved moves retries, for tests that cannot turn the clock.
type moved struct {
	callback.Store
	to func(time.Time) time.Time
}

func (m moved) RecordPosts(ctx context.Context, outcomes []callback.Outcome) error {
	changed := append([]callback.Outcome(nil), outcomes...)
	for i, o := range changed {
		if !o.RetryAt.IsZero() {
			changed[i].RetryAt = m.to(o.RetryAt)
		}
	}
	return m.Store.RecordPosts(ctx, changed)
}

func later(c *callback.Config) {
	c.Store = moved{c.Store, func(at time.Time) time.Time { return at.Add(time.Hour) }}
}

func atOnce(c *callback.Config) {
	now := c.Now
	c.Store = moved{c.Store, func(time.Time) time.Time { return now() }}
}

func TestWhatACrashedProcessHadClaimedIsTakenUpAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w1 := receive(t, statuses(200))
	r.to(w1.URL)
	r.Send(storetest.Acme).Dispatch()
	// Claimed and never posted: the process died.
	posts, _, err := r.store.ClaimCallbacks(t.Context(), callback.Claim{Node: "n1", Limit: 9, PerConfig: 8, Lease: time.Hour})
	if err != nil || len(posts) != 1 {
		t.Fatalf("claimed %d, %v", len(posts), err)
	}
	run(t, r.pusher())
	w1.wait(t, 1)
	if got := w1.requests()[0].header.Get("webhook-id"); got != "msg_"+posts[0].ID {
		t.Errorf("webhook-id %q, want that of the claimed post", got)
	}
}

// failing is a store whose disk is full until it is mended.
type failing struct {
	callback.Store
	mu     sync.Mutex // guards broken
	broken bool
	tried  chan struct{}
}

func (f *failing) RecordPosts(ctx context.Context, outcomes []callback.Outcome) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken {
		f.tried <- struct{}{}
		return errors.New("disk full")
	}
	return f.Store.RecordPosts(ctx, outcomes)
}

func TestOutcomesWaitForAStoreThatFails(t *testing.T) {
	t.Parallel()
	r := newLiveRig(t)
	w1 := receive(t, statuses(200))
	r.to(w1.URL)
	r.Send(storetest.Acme).Dispatch()
	f := &failing{Store: r.store, broken: true, tried: make(chan struct{}, 1000)}
	p := r.pusher(func(c *callback.Config) { c.Store = f })
	stop := run(t, p)
	<-f.tried
	f.mu.Lock()
	f.broken = false
	f.mu.Unlock()
	p.Wake()
	stop() // records what waits
	if letters, err := r.Letters(t.Context(), "", false, 10); err != nil || len(letters) != 0 {
		t.Errorf("letters %+v, %v; want the outcome recorded", letters, err)
	}
	if n := len(w1.requests()); n != 1 {
		t.Errorf("posted %d times, want 1", n)
	}
}

// sick is a store whose claims fail.
type sick struct {
	callback.Store
	claims atomic.Int32
}

func (s *sick) ClaimCallbacks(context.Context, callback.Claim) ([]callback.Post, time.Time, error) {
	s.claims.Add(1)
	return nil, time.Time{}, errors.New("disk full")
}

func (*sick) ReleaseCallbacks(context.Context, string) error { return nil }

func TestAClaimThatFailsIsNotRepeatedAsOftenAsEventsAreWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sick{}
		p := callback.New(callback.Config{Store: s, Keys: plainKeys{}, Log: slog.New(slog.DiscardHandler)})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		for range 60_000 { // a minute of a write a millisecond
			p.Wake()
			time.Sleep(time.Millisecond)
		}
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		// After 0, 0.1, 0.2 … 3.2 s, then every 5 s.
		if n := s.claims.Load(); n > 20 {
			t.Errorf("claimed %d times in a minute, want 20 at most", n)
		}
	})
}

// claims notes what a pusher asks for.
type claims struct {
	callback.Store
	asked []callback.Claim
}

func (c *claims) ClaimCallbacks(ctx context.Context, claim callback.Claim) ([]callback.Post, time.Time, error) {
	c.asked = append(c.asked, claim)
	return c.Store.ClaimCallbacks(ctx, claim)
}

func TestAFailingEndpointGetsFewerPlacesUntilItAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w1 := receive(t, statuses(200, 500, 500, 500, 500, 500, 200))
	id := r.to(w1.URL)
	store := &claims{Store: r.store}
	p := r.pusher(func(c *callback.Config) { c.Store = store })
	for n, want := range []int{3, 3, 3, 3, 3, 2, 3} {
		r.Send(storetest.Acme).Dispatch()
		step(t, p, 1)
		last := store.asked[len(store.asked)-1]
		got, own := last.Places[id]
		if !own {
			got = last.PerConfig
		}
		if got != want {
			t.Errorf("%d places after the answer %d, want %d", got, n, want)
		}
	}
}

type results struct {
	mu  sync.Mutex // guards all
	all map[string]int
}

func (r *results) Posted(result string, latency time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if latency < 0 {
		result = "negative latency"
	}
	r.all[result]++
}

func TestResultsAreCounted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w1 := receive(t, statuses(500))
	r.to(w1.URL)
	w2 := receive(t, statuses(204))
	r.to(w2.URL)
	r.Send(storetest.Acme).Dispatch()
	o := &results{all: map[string]int{}}
	p := r.pusher(func(c *callback.Config) { c.Observer = o })
	step(t, p, 2)
	for range 7 {
		r.wall.Add(8 * time.Hour)
		step(t, p, 1)
	}
	want := map[string]int{callback.ResultReceived: 1, callback.ResultRetry: 7, callback.ResultDead: 1}
	if diff := cmp.Diff(want, o.all); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}

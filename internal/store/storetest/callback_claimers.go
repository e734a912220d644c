package storetest

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/report"
)

// claimersIdle is how long nothing may come until claimers give up: on a machine
// that is at something else it takes long until it does.
const claimersIdle = 30 * time.Second

// claimers are several nodes that claim and record at once, and what they have
// under way.
type claimers struct {
	*callbacks
	perConfig int
	fails     bool // every other first attempt fails and waits for its retry

	mu      sync.Mutex                     // guards what follows
	leased  map[string]int                 // by configuration: a lower bound
	ended   map[string]map[string][]int    // events whose first attempt has ended, by configuration and OTP
	claimed map[string]map[string][]string // likewise: ids
	total   int
}

// run claims until want first attempts were made.
func (c *claimers) run(want int, nodes ...string) {
	c.t.Helper()
	c.leased, c.ended, c.claimed = map[string]int{}, map[string]map[string][]int{}, map[string]map[string][]string{}
	var wg sync.WaitGroup
	for _, node := range nodes {
		wg.Go(func() {
			for last := time.Now(); time.Since(last) < claimersIdle && c.t.Context().Err() == nil; {
				posts, _, err := c.ClaimCallbacks(c.t.Context(), callback.Claim{Node: node, Limit: 100, PerConfig: c.perConfig, Lease: callbackLease})
				if err != nil {
					c.t.Errorf("ClaimCallbacks: %v", err)
					return
				}
				if len(posts) > 0 {
					last = time.Now()
				}
				// One by one, so that others claim while some have ended.
				c.begun(posts)
				for _, p := range posts {
					if err := c.RecordPosts(c.t.Context(), []callback.Outcome{c.end(p)}); err != nil {
						c.t.Errorf("RecordPosts: %v", err)
					}
				}
				if c.made() >= want {
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	wg.Wait()
	if got := c.made(); got != want {
		c.t.Errorf("%d first attempts were made, want %d", got, want)
	}
}

func (c *claimers) made() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total
}

// begun notes what was claimed and looks whether it might be.
func (c *claimers) begun(posts []callback.Post) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range posts {
		if c.leased[p.ConfigID]++; c.leased[p.ConfigID] > c.perConfig {
			c.t.Errorf("configuration %s has %d leased, want at most %d", p.ConfigID, c.leased[p.ConfigID], c.perConfig)
		}
		if c.ended[p.ConfigID] == nil {
			c.ended[p.ConfigID], c.claimed[p.ConfigID] = map[string][]int{}, map[string][]string{}
		}
		ids := c.claimed[p.ConfigID]
		if slices.Contains(ids[p.OTPID], p.ID) {
			c.t.Errorf("callback %s was claimed twice", p.ID)
		}
		ids[p.OTPID] = append(ids[p.OTPID], p.ID)
		for earlier := 1; earlier < p.Event.Seq; earlier++ {
			if !slices.Contains(c.ended[p.ConfigID][p.OTPID], earlier) {
				c.t.Errorf("event %d was claimed before the first attempt of event %d had ended (W-08)", p.Event.Seq, earlier)
			}
		}
	}
}

// end notes that an attempt has ended.
func (c *claimers) end(p callback.Post) callback.Outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leased[p.ConfigID]--
	c.ended[p.ConfigID][p.OTPID] = append(c.ended[p.ConfigID][p.OTPID], p.Event.Seq)
	c.total++
	if c.fails && c.total%2 == 0 {
		return callback.Outcome{ID: p.ID, ConfigID: p.ConfigID, Status: 500, RetryAt: c.wall.Now().Add(time.Hour)}
	}
	return callback.Outcome{ID: p.ID, ConfigID: p.ConfigID, Received: true, Status: 200}
}

// The events arise meanwhile: those of transactions that take longer come to be
// seen later than others that are due after them.
func placesOfClaimers(_ *testing.T, c *callbacks) {
	for range 3 {
		c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	}
	const senders, otps = 4, 16
	var sent [senders][]Sent
	for i := range sent {
		for range otps {
			sent[i] = append(sent[i], c.Send(Acme))
		}
	}
	var wg sync.WaitGroup
	for _, mine := range sent {
		wg.Go(func() {
			for _, s := range mine {
				c.wall.Add(time.Microsecond)
				s.Dispatch()
			}
		})
	}
	all := &claimers{callbacks: c, perConfig: 2}
	all.run(3*senders*otps, "n1", "n2", "n3", "n4")
	wg.Wait()
}

func orderOfClaimers(_ *testing.T, c *callbacks) {
	for range 2 {
		c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	}
	const otps = 20
	for range otps {
		s := c.Send(Acme)
		s.Dispatch()
		s.TimeOut()
		s.Deliver()
	}
	all := &claimers{callbacks: c, perConfig: 8, fails: true}
	all.run(3*2*otps, "n1", "n2", "n3", "n4")
}

// pushes are the attempts noted beside an event, the first of its OTP.
func (c *callbacks) pushes(id string) []report.Push {
	c.t.Helper()
	r, err := c.OTPRecord(c.t.Context(), Acme, id)
	if err != nil || len(r.Events) == 0 {
		c.t.Fatalf("OTPRecord: %d events, %v", len(r.Events), err)
	}
	return r.Events[0].Pushes
}

func notedTogether(t *testing.T, c *callbacks) {
	for range 3 {
		c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	}
	sent, beside := c.Send(Acme), c.Send(Acme)
	sent.Dispatch()
	beside.Dispatch()
	var outcomes []callback.Outcome
	want := map[string][]report.Push{}
	for i, p := range c.wantClaims("all", 6) {
		o := callback.Outcome{ID: p.ID, ConfigID: p.ConfigID, Latency: time.Duration(i) * time.Millisecond}
		switch i % 3 {
		case 0:
			o.Received, o.Status = true, 200
		case 1:
			o.Status, o.RetryAt = 503, c.wall.Now().Add(time.Minute)
		case 2:
			o.Problem = "timeout" // and dead
		}
		outcomes = append(outcomes, o)
		want[p.OTPID] = append(want[p.OTPID], report.Push{
			ConfigID: o.ConfigID, At: c.wall.Now(), Latency: o.Latency, Received: o.Received, Status: o.Status, Problem: o.Problem,
		})
	}
	c.record(outcomes...)
	for _, id := range []string{sent.ID, beside.ID} {
		if diff := cmp.Diff(want[id], c.pushes(id)); diff != "" {
			t.Errorf("pushes in the order given (-want +got):\n%s", diff)
		}
	}
	letters, err := c.Letters(t.Context(), Acme, false, 10)
	dead := 0
	for _, l := range letters {
		if l.Attempts != 1 || l.Dead != (l.LastProblem == "timeout") || l.Dead == (l.LastStatus == 503) || !l.Dead && !l.Due.Equal(c.wall.Now().Add(time.Minute)) {
			t.Errorf("letter %+v", l)
		}
		if l.Dead {
			dead++
		}
	}
	if err != nil || len(letters) != 4 || dead != 2 {
		t.Errorf("%d letters, %d of them dead, %v; want 4 and 2", len(letters), dead, err)
	}
}

func notesBounded(t *testing.T, c *callbacks) {
	const configs, most = 24, 4096
	for range configs {
		c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	}
	sent := c.Send(Acme)
	sent.Dispatch()
	var outcomes []callback.Outcome
	var want []string
	size := 0
	for _, p := range c.wantClaims("all", configs) {
		o := callback.Outcome{ID: p.ID, ConfigID: p.ConfigID, Problem: strings.Repeat("x", 255), RetryAt: c.wall.Now().Add(time.Second)}
		outcomes = append(outcomes, o)
		if size <= most {
			want = append(want, p.ConfigID)
			size += len(report.NotePush(report.Push{ConfigID: o.ConfigID, At: c.wall.Now(), Problem: o.Problem}))
		}
	}
	if len(want) == configs {
		t.Fatalf("%d notes are %d bytes: too few to reach the bound", configs, size)
	}
	for try := range 2 {
		c.record(outcomes...)
		var got []string
		for _, p := range c.pushes(sent.ID) {
			got = append(got, p.ConfigID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("after %d records, configurations of notes (-want +got):\n%s", try+1, diff)
		}
	}
}

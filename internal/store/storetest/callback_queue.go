package storetest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/otp"
)

const callbackLease = 20 * time.Second

// callbacks is one case's outbox and clock.
type callbacks struct {
	*Outbox
	wall *Wall
}

// RunCallbacks checks the callback queue of the stores that open returns: each
// one fresh, empty, and with wall's time.
func RunCallbacks(t *testing.T, open func(t testing.TB, wall func() time.Time) CallbackStore) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*testing.T, *callbacks)
	}{
		{"an event is claimed with its configuration and as it was recorded", claimedWhole},
		{"a failure is claimed with its reason", claimedFailure},
		{"an event goes to the configurations that match when it arises", matches},
		{"a leased callback is claimed again only after the lease", leases},
		{"a released callback is due at once", releases},
		{"first attempts wait for those of earlier events, not for their retries", inOrder},
		{"a configuration has at most so many leased, whoever leases them", perConfigLimit},
		{"a configuration may have its own number leased, less or more than the others", ownPlaces},
		{"places are shared evenly and the earliest due go first", fairShares},
		{"each configuration gets its turn, however much is due and dead", turnsOfMany},
		{"a retry is due at its time, which a claim tells", retries},
		{"a received callback is gone", received},
		{"a dead letter is listed, kept and replayed", deadLetters},
		{"dead letters are kept for their time", deadKept},
		{"letters are listed by account, oldest first", lettersByAccount},
		{"letters of one configuration are listed page by page, and counted", configLetters},
		{"dead letters of one configuration are replayed, one or all", replaysOfOne},
		{"a queue of many batches is replayed and discarded whole, and no other", longQueue},
		{"a changed configuration holds for what waits", configChanged},
		{"a deleted configuration takes its queue along", configDeleted},
		{"a deleted OTP takes its callbacks along", otpDeleted},
		{"parallel claims never share a callback", callbacksClaimedOnce},
		{"parallel claims leave a configuration its places", placesOfClaimers},
		{"parallel claims keep first attempts in order", orderOfClaimers},
		{"attempts of one event that are recorded at once are all noted", notedTogether},
		{"an event has so many notes and no more, recorded at once or not", notesBounded},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wall := &Wall{}
			c.run(t, &callbacks{NewOutbox(t, open(t, wall.Now)), wall})
		})
	}
}

func (c *callbacks) claimWith(claim callback.Claim) ([]callback.Post, time.Time) {
	c.t.Helper()
	posts, next, err := c.ClaimCallbacks(c.t.Context(), claim)
	if err != nil {
		c.t.Fatalf("ClaimCallbacks: %v", err)
	}
	return posts, next
}

func (c *callbacks) claim() []callback.Post {
	c.t.Helper()
	posts, _ := c.claimWith(callback.Claim{Node: "n1", Limit: 100, PerConfig: 8, Lease: callbackLease})
	return posts
}

// one claims exactly one callback.
func (c *callbacks) one() callback.Post {
	c.t.Helper()
	posts := c.claim()
	if len(posts) != 1 {
		c.t.Fatalf("claimed %d callbacks, want 1", len(posts))
	}
	return posts[0]
}

func (c *callbacks) record(outcomes ...callback.Outcome) {
	c.t.Helper()
	if err := c.RecordPosts(c.t.Context(), outcomes); err != nil {
		c.t.Fatalf("RecordPosts: %v", err)
	}
}

func (c *callbacks) wantClaims(when string, want int) []callback.Post {
	c.t.Helper()
	posts := c.claim()
	if len(posts) != want {
		c.t.Errorf("%s: claimed %d callbacks, want %d", when, len(posts), want)
	}
	return posts
}

func kindsOf(posts []callback.Post) []otp.EventKind {
	kinds := []otp.EventKind{}
	for _, p := range posts {
		kinds = append(kinds, p.Event.Kind)
	}
	return kinds
}

func configsOf(posts []callback.Post) map[string]int {
	n := map[string]int{}
	for _, p := range posts {
		n[p.ConfigID]++
	}
	return n
}

func claimedWhole(t *testing.T, c *callbacks) {
	id, signing := c.Configure(Acme, catalog.Callback{
		URL: "https://client.example.com/hook?a=1", Headers: []catalog.Header{{Name: "X-Team", Value: "7"}},
	})
	sent := c.Send(Acme)
	c.wall.Add(310 * time.Millisecond)
	sent.Dispatch()
	p := c.one()
	if u, err := uuid.Parse(p.ID); err != nil || u.String() != p.ID {
		t.Errorf("id %q is not a UUID in lower case", p.ID)
	}
	plain, err := c.Keys.Open(p.Secret, callback.SecretContext(Acme, id)...)
	if err != nil || string(plain) != signing.Reveal() {
		t.Errorf("secret cannot be opened: %v", err)
	}
	plain, err = c.Keys.Open(p.Headers, callback.HeadersContext(Acme, id)...)
	if err != nil || string(plain) != `[{"Name":"X-Team","Value":"7"}]` {
		t.Errorf("headers %s, %v", plain, err)
	}
	want := callback.Post{
		ID: p.ID, Account: Acme, ConfigID: id, OTPID: sent.ID, ProfileID: Profile,
		Event: otp.Event{
			Seq: 1, At: Start.Add(310 * time.Millisecond), Kind: otp.EventDispatched,
			Delivery: 1, Channel: "SMS", Carrier: "double",
		},
		URL: "https://client.example.com/hook?a=1", Headers: p.Headers, Secret: p.Secret,
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("claimed (-want +got):\n%s", diff)
	}
}

func claimedFailure(t *testing.T, c *callbacks) {
	c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	why := otp.Failure{Area: "carrier", Code: "3", Text: "Refused"}
	c.Send(Acme).Refuse(why)
	p := c.one()
	if diff := cmp.Diff(&why, p.Event.Failure); diff != "" || p.Event.Kind != otp.EventUndeliverable {
		t.Errorf("claimed %s, failure (-want +got):\n%s", p.Event.Kind, diff)
	}
}

func matches(t *testing.T, c *callbacks) {
	all, _ := c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	twin, _ := c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	mine, _ := c.Configure(Acme, catalog.Callback{URL: "https://b.example", ProfileID: Profile})
	c.Configure(Acme, catalog.Callback{URL: "https://c.example", ProfileID: uuid.NewString()})
	c.Configure(Other, catalog.Callback{URL: "https://d.example"})
	sent := c.Send(Acme)
	sent.Dispatch()
	later, _ := c.Configure(Acme, catalog.Callback{URL: "https://e.example"})
	posts := c.claim()
	if diff := cmp.Diff(map[string]int{all: 1, twin: 1, mine: 1}, configsOf(posts)); diff != "" {
		t.Errorf("claims by configuration (-want +got):\n%s", diff)
	}
	ids := map[string]bool{}
	for _, p := range posts {
		ids[p.ID] = true
		c.record(callback.Outcome{ID: p.ID, Received: true})
	}
	if len(ids) != len(posts) {
		t.Errorf("%d ids for %d callbacks", len(ids), len(posts))
	}
	sent.Deliver()
	if diff := cmp.Diff(map[string]int{all: 1, twin: 1, mine: 1, later: 1}, configsOf(c.claim())); diff != "" {
		t.Errorf("later claims by configuration (-want +got):\n%s", diff)
	}
}

func leases(_ *testing.T, c *callbacks) {
	c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	c.Send(Acme).Dispatch()
	c.wantClaims("first", 1)
	c.wall.Add(callbackLease - time.Microsecond)
	c.wantClaims("while leased", 0)
	c.wall.Add(time.Microsecond)
	if posts := c.wantClaims("after the lease", 1); len(posts) == 1 && posts[0].Attempts != 0 {
		c.t.Errorf("a lease that ended counted as %d attempts", posts[0].Attempts)
	}
}

func releases(t *testing.T, c *callbacks) {
	c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	c.Send(Acme).Dispatch()
	c.wantClaims("first", 1)
	if err := c.ReleaseCallbacks(t.Context(), "n2"); err != nil {
		t.Fatal(err)
	}
	c.wantClaims("another node's release", 0)
	if err := c.ReleaseCallbacks(t.Context(), "n1"); err != nil {
		t.Fatal(err)
	}
	c.wantClaims("released", 1)
}

func inOrder(t *testing.T, c *callbacks) {
	c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	c.Configure(Acme, catalog.Callback{URL: "https://b.example"})
	sent, beside := c.Send(Acme), c.Send(Acme)
	sent.Dispatch()
	c.wall.Add(time.Second)
	sent.TimeOut()
	sent.Deliver()
	beside.Dispatch()
	posts := c.wantClaims("first attempts", 4)
	if diff := cmp.Diff(slices.Repeat([]otp.EventKind{otp.EventDispatched}, 4), kindsOf(posts)); diff != "" {
		t.Fatalf("claimed kinds (-want +got):\n%s", diff)
	}
	c.wantClaims("while first attempts are under way", 0)
	failed := posts[slices.IndexFunc(posts, func(p callback.Post) bool { return p.OTPID == sent.ID })]
	c.record(callback.Outcome{ID: failed.ID, Status: 500, RetryAt: c.wall.Now().Add(5 * time.Second)})
	posts = c.wantClaims("after one first attempt", 1)
	if len(posts) == 1 && (posts[0].Event.Kind != otp.EventTimedOut || posts[0].ConfigID != failed.ConfigID || posts[0].OTPID != sent.ID) {
		t.Errorf("claimed %s of configuration %s", posts[0].Event.Kind, posts[0].ConfigID)
	}
}

func perConfigLimit(_ *testing.T, c *callbacks) {
	c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	for range 5 {
		c.Send(Acme).Dispatch()
	}
	for _, step := range []struct {
		node string
		max  int
		want int
	}{{"n1", 2, 2}, {"n2", 2, 0}, {"n2", 3, 1}, {"n1", 8, 2}} {
		posts, _ := c.claimWith(callback.Claim{Node: step.node, Limit: 100, PerConfig: step.max, Lease: callbackLease})
		if len(posts) != step.want {
			c.t.Errorf("%s with at most %d claimed %d, want %d", step.node, step.max, len(posts), step.want)
		}
	}
}

func ownPlaces(t *testing.T, c *callbacks) {
	a, _ := c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	b, _ := c.Configure(Acme, catalog.Callback{URL: "https://b.example"})
	d, _ := c.Configure(Acme, catalog.Callback{URL: "https://d.example"})
	e, _ := c.Configure(Acme, catalog.Callback{URL: "https://e.example"})
	for range 5 {
		c.Send(Acme).Dispatch()
	}
	posts, _ := c.claimWith(callback.Claim{
		Node: "n1", Limit: 100, PerConfig: 2, Places: map[string]int{a: 1, b: 0, e: 4}, Lease: callbackLease,
	})
	if diff := cmp.Diff(map[string]int{a: 1, d: 2, e: 4}, configsOf(posts)); diff != "" {
		t.Errorf("claims by configuration (-want +got):\n%s", diff)
	}
	posts, _ = c.claimWith(callback.Claim{Node: "n1", Limit: 100, Places: map[string]int{a: 2, e: 3}, Lease: callbackLease})
	if diff := cmp.Diff(map[string]int{a: 1}, configsOf(posts)); diff != "" {
		t.Errorf("claims by configuration, the others none (-want +got):\n%s", diff)
	}
}

func fairShares(t *testing.T, c *callbacks) {
	busy, _ := c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	for range 9 {
		c.Send(Acme).Dispatch()
		c.wall.Add(time.Millisecond)
	}
	calm, _ := c.Configure(Other, catalog.Callback{URL: "https://b.example"})
	c.Send(Other).Dispatch()
	c.wall.Add(time.Millisecond)
	c.Send(Other).Dispatch()
	posts, _ := c.claimWith(callback.Claim{Node: "n1", Limit: 3, PerConfig: 8, Lease: callbackLease})
	if diff := cmp.Diff(map[string]int{busy: 2, calm: 1}, configsOf(posts)); diff != "" {
		t.Errorf("claims by configuration (-want +got):\n%s", diff)
	}
	for i, p := range posts[1:] {
		if p.ConfigID == posts[i].ConfigID && p.Event.At.Before(posts[i].Event.At) {
			t.Errorf("claimed %s before %s", posts[i].Event.At, p.Event.At)
		}
	}
	posts, _ = c.claimWith(callback.Claim{Node: "n1", Limit: 1, PerConfig: 8, Lease: callbackLease})
	if diff := cmp.Diff(map[string]int{busy: 1}, configsOf(posts)); diff != "" {
		t.Errorf("the earliest of all (-want +got):\n%s", diff)
	}
}

// turnsOfMany has more due than a store looks at one by one.
func turnsOfMany(t *testing.T, c *callbacks) {
	const configs, sends = 30, 10
	waits, _ := c.Configure(Other, catalog.Callback{URL: "https://waits.example"})
	c.Configure(Other, catalog.Callback{URL: "https://dead.example"})
	c.Send(Other).Dispatch()
	for _, p := range c.wantClaims("of the other account", 2) {
		o := callback.Outcome{ID: p.ID, ConfigID: p.ConfigID, Status: 500}
		if p.ConfigID == waits {
			o.RetryAt = c.wall.Now().Add(time.Minute)
		}
		c.record(o)
	}
	want := map[string]int{}
	for range configs {
		id, _ := c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
		want[id] = 1
	}
	for range sends {
		c.Send(Acme).Dispatch()
	}
	c.wall.Add(time.Millisecond)
	late, _ := c.Configure(Acme, catalog.Callback{URL: "https://late.example"})
	want[late] = 1
	c.Send(Acme).Dispatch()
	posts, _ := c.claimWith(callback.Claim{Node: "n1", Limit: 2 * configs, PerConfig: 1, Lease: callbackLease})
	if diff := cmp.Diff(want, configsOf(posts)); diff != "" {
		t.Errorf("claims by configuration (-want +got):\n%s", diff)
	}
	if last := len(posts) - 1; last >= 0 && posts[last].ConfigID != late {
		t.Error("the configuration whose callback was due last was not the last to get its turn")
	}
	c.wall.Add(time.Minute)
	want[waits] = 1
	posts, _ = c.claimWith(callback.Claim{Node: "n1", Limit: 2 * configs, PerConfig: 1, Lease: callbackLease})
	if diff := cmp.Diff(want, configsOf(posts)); diff != "" {
		t.Errorf("claims by configuration after the leases and at the retry's time (-want +got):\n%s", diff)
	}
}

func callbacksClaimedOnce(t *testing.T, c *callbacks) {
	for range 4 {
		c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	}
	const otps = 25
	for range otps {
		c.Send(Acme).Dispatch()
	}
	var mu sync.Mutex // guards seen
	seen := map[string]int{}
	var wg sync.WaitGroup
	for _, node := range []string{"n1", "n2", "n3", "n4"} {
		wg.Go(func() {
			for {
				posts, _, err := c.ClaimCallbacks(t.Context(), callback.Claim{Node: node, Limit: 7, PerConfig: otps, Lease: callbackLease})
				if err != nil {
					t.Errorf("ClaimCallbacks: %v", err)
				}
				if len(posts) == 0 {
					return
				}
				mu.Lock()
				for _, p := range posts {
					seen[p.ID]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for id, n := range seen {
		if n != 1 {
			t.Errorf("callback %s was claimed %d times", id, n)
		}
	}
	if len(seen) != 4*otps {
		t.Errorf("%d callbacks were claimed, want %d", len(seen), 4*otps)
	}
}

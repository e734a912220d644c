package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/upkeep"
)

// dies makes a dead letter of everything that is due.
func (c *callbacks) dies() {
	c.t.Helper()
	for _, p := range c.claim() {
		c.record(callback.Outcome{ID: p.ID, ConfigID: p.ConfigID, Status: 500})
	}
}

// otps lists a configuration's letters page by page.
func (c *callbacks) otps(account, config string, dead bool, limit int) (ids []string, pages int) {
	c.t.Helper()
	for after := int64(0); ; {
		letters, next, err := c.ConfigLetters(c.t.Context(), callback.Letters{Account: account, ConfigID: config, Dead: dead, After: after, Limit: limit})
		if err != nil {
			c.t.Fatalf("ConfigLetters: %v", err)
		}
		pages++
		for _, l := range letters {
			if l.Account != account || l.ConfigID != config || l.Dead != dead {
				c.t.Errorf("letter %+v among those of %s, dead %v", l, config, dead)
			}
			ids = append(ids, l.OTPID)
		}
		if next == 0 {
			return ids, pages
		}
		after = next
	}
}

func configLetters(t *testing.T, c *callbacks) {
	mine, _ := c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	second, _ := c.Configure(Acme, catalog.Callback{URL: "https://b.example"})
	foreign, _ := c.Configure(Other, catalog.Callback{URL: "https://c.example"})
	var dead, waiting []string
	for range 5 {
		s := c.Send(Acme)
		s.Dispatch()
		dead = append(dead, s.ID)
	}
	c.Send(Other).Dispatch()
	c.dies()
	for range 2 {
		s := c.Send(Acme)
		s.Dispatch()
		waiting = append(waiting, s.ID)
	}
	for _, q := range []struct {
		dead  bool
		limit int
		want  []string
		pages int
	}{{true, 2, dead, 3}, {true, 5, dead, 1}, {true, 100, dead, 1}, {false, 1, waiting, 2}} {
		got, pages := c.otps(Acme, mine, q.dead, q.limit)
		if diff := cmp.Diff(q.want, got); diff != "" || pages != q.pages {
			t.Errorf("letters by %d, dead %v, on %d pages, want %d (-want +got):\n%s", q.limit, q.dead, pages, q.pages, diff)
		}
	}
	if got, _ := c.otps(Other, mine, true, 10); len(got) != 0 {
		t.Errorf("another account has %d letters of the configuration", len(got))
	}
	counts, err := c.CountLetters(t.Context(), Acme)
	want := map[string]callback.Waiting{mine: {Open: 2, Dead: 5}, second: {Open: 2, Dead: 5}}
	if diff := cmp.Diff(want, counts); diff != "" || err != nil {
		t.Errorf("CountLetters, %v (-want +got):\n%s", err, diff)
	}
	counts, err = c.CountLetters(t.Context(), Other)
	if diff := cmp.Diff(map[string]callback.Waiting{foreign: {Dead: 1}}, counts); diff != "" || err != nil {
		t.Errorf("CountLetters of the other account, %v (-want +got):\n%s", err, diff)
	}
}

func replaysOfOne(t *testing.T, c *callbacks) {
	mine, _ := c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	second, _ := c.Configure(Acme, catalog.Callback{URL: "https://b.example"})
	c.Configure(Other, catalog.Callback{URL: "https://c.example"})
	for _, account := range []string{Acme, Acme, Acme, Other} {
		c.Send(account).Dispatch()
	}
	c.dies()
	letters, _, err := c.ConfigLetters(t.Context(), callback.Letters{Account: Acme, ConfigID: mine, Dead: true, Limit: 10})
	if err != nil || len(letters) != 3 {
		t.Fatalf("%d dead letters, %v; want 3", len(letters), err)
	}
	c.wall.Add(time.Hour)
	id := letters[1].ID
	for _, wrong := range []struct{ account, config, id string }{
		{Other, mine, id}, {Acme, second, id}, {Acme, mine, uuid.NewString()}, {Acme, mine, "nonsense"},
	} {
		if err := c.ReplayLetter(t.Context(), wrong.account, wrong.config, wrong.id); !errors.Is(err, callback.ErrNotFound) {
			t.Errorf("ReplayLetter(%+v) = %v, want ErrNotFound", wrong, err)
		}
	}
	if err := c.ReplayLetter(t.Context(), Acme, mine, id); err != nil {
		t.Fatalf("ReplayLetter: %v", err)
	}
	if p := c.one(); p.ID != id || p.Attempts != 0 {
		t.Errorf("replayed %s with %d attempts, want %s with none", p.ID, p.Attempts, id)
	}
	if n, err := c.ReplayLetters(t.Context(), Other, mine); n != 0 || err != nil {
		t.Errorf("ReplayLetters of another account = %d, %v; want none", n, err)
	}
	if n, err := c.ReplayLetters(t.Context(), Acme, mine); n != 2 || err != nil {
		t.Errorf("ReplayLetters = %d, %v; want 2", n, err)
	}
	for _, p := range c.wantClaims("what was replayed", 2) {
		if p.ConfigID != mine || p.Attempts != 0 {
			t.Errorf("replayed one of %s with %d attempts, want one of %s with none", p.ConfigID, p.Attempts, mine)
		}
	}
	if got, _ := c.otps(Acme, second, true, 10); len(got) != 3 {
		t.Errorf("%d dead letters of the other configuration are left, want 3", len(got))
	}
}

func longQueue(t *testing.T, c *callbacks) {
	mine, _ := c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	second, _ := c.Configure(Acme, catalog.Callback{URL: "https://b.example"})
	const many = upkeep.SweepBatch + 1
	var outcomes []delivery.SubmitOutcome
	for range many {
		s := c.Send(Acme)
		outcomes = append(outcomes, delivery.SubmitOutcome{
			Key: delivery.Key{Account: Acme, OTPID: s.ID, Seq: 1}, Carrier: "double",
			Result: delivery.Result{Class: delivery.Accepted, Ref: s.ID},
		})
	}
	if _, err := c.RecordSubmits(t.Context(), outcomes); err != nil {
		t.Fatal(err)
	}
	posts, _ := c.claimWith(callback.Claim{Node: "n1", Limit: 2 * many, PerConfig: many, Lease: callbackLease})
	var dead []callback.Outcome
	for _, p := range posts {
		dead = append(dead, callback.Outcome{ID: p.ID, ConfigID: p.ConfigID, Status: 500})
	}
	c.record(dead...)
	counted := func(when string, want map[string]callback.Waiting) {
		t.Helper()
		got, err := c.CountLetters(t.Context(), Acme)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("letters %s, %v (-want +got):\n%s", when, err, diff)
		}
	}
	counted("at first", map[string]callback.Waiting{mine: {Dead: many}, second: {Dead: many}})
	if n, err := c.ReplayLetters(t.Context(), Acme, mine); n != many || err != nil {
		t.Errorf("ReplayLetters = %d, %v; want %d", n, err, many)
	}
	counted("after the replay", map[string]callback.Waiting{mine: {Open: many}, second: {Dead: many}})
	if err := c.DeleteCallback(t.Context(), Acme, mine); err != nil {
		t.Fatal(err)
	}
	counted("after the configuration was deleted", map[string]callback.Waiting{second: {Dead: many}})
	if posts := c.claim(); len(posts) != 0 {
		t.Errorf("claimed %d callbacks of a configuration that is gone", len(posts))
	}
}

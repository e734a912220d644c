package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/verify"
)

func retries(t *testing.T, c *callbacks) {
	c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	if _, next := c.claimWith(callback.Claim{Node: "n1", Limit: 1, PerConfig: 1, Lease: callbackLease}); !next.IsZero() {
		t.Errorf("empty: next %s, want none", next)
	}
	c.Send(Acme).Dispatch()
	p := c.one()
	at := c.wall.Now().Add(5 * time.Second)
	c.record(callback.Outcome{ID: p.ID, Status: 503, RetryAt: at})
	posts, next := c.claimWith(callback.Claim{Node: "n1", Limit: 1, PerConfig: 1, Lease: callbackLease})
	if len(posts) != 0 || !next.Equal(at) {
		t.Errorf("before the retry: %d claimed, next %s, want %s", len(posts), next, at)
	}
	c.wall.Add(5*time.Second - time.Microsecond)
	c.wantClaims("just before", 0)
	c.wall.Add(time.Microsecond)
	if again := c.one(); again.ID != p.ID || again.Attempts != 1 || !again.Event.At.Equal(p.Event.At) {
		t.Errorf("retried %s with %d attempts before, want %s with 1", again.ID, again.Attempts, p.ID)
	}
}

func received(t *testing.T, c *callbacks) {
	c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	c.Send(Acme).Dispatch()
	c.record(callback.Outcome{ID: c.one().ID, Received: true, Status: 204})
	c.wall.Add(24 * time.Hour)
	c.wantClaims("a day later", 0)
	if letters, err := c.Letters(t.Context(), "", false, 10); err != nil || len(letters) != 0 {
		t.Errorf("letters %+v, %v", letters, err)
	}
}

func deadLetters(t *testing.T, c *callbacks) {
	config, _ := c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	sent := c.Send(Acme)
	sent.Dispatch()
	sent.Deliver()
	p := c.one()
	c.record(callback.Outcome{ID: p.ID, Status: 0, Problem: "timeout"})
	c.wall.Add(time.Hour)
	waiting := c.wantClaims("the next event", 1)
	letters, err := c.Letters(t.Context(), Acme, true, 10)
	want := []callback.Letter{{
		ID: p.ID, Account: Acme, ConfigID: config, OTPID: sent.ID, Kind: otp.EventDispatched, Created: Start,
		Attempts: 1, Dead: true, LastProblem: "timeout",
	}}
	if diff := cmp.Diff(want, letters); diff != "" || err != nil {
		t.Fatalf("dead letters, %v (-want +got):\n%s", err, diff)
	}
	for _, id := range []string{waiting[0].ID, uuid.NewString(), "nonsense"} {
		if err := c.Replay(t.Context(), id); !errors.Is(err, callback.ErrNotFound) {
			t.Errorf("replay of what is no dead letter = %v, want ErrNotFound", err)
		}
	}
	if err := c.Replay(t.Context(), p.ID); err != nil {
		t.Fatalf("Replay: %v", err)
	}
	if again := c.one(); again.ID != p.ID || again.Attempts != 0 {
		t.Errorf("replayed %s with %d attempts, want %s with none", again.ID, again.Attempts, p.ID)
	}
	if letters, err := c.Letters(t.Context(), Acme, true, 10); err != nil || len(letters) != 0 {
		t.Errorf("dead letters after the replay: %+v, %v", letters, err)
	}
}

func lettersByAccount(t *testing.T, c *callbacks) {
	c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	c.Configure(Other, catalog.Callback{URL: "https://b.example"})
	first, second, third := c.Send(Acme), c.Send(Other), c.Send(Acme)
	for _, s := range []Sent{first, second, third} {
		s.Dispatch()
	}
	for _, q := range []struct {
		account string
		limit   int
		want    []string
	}{
		{"", 10, []string{first.ID, second.ID, third.ID}},
		{Acme, 10, []string{first.ID, third.ID}},
		{Other, 10, []string{second.ID}},
		{"", 2, []string{first.ID, second.ID}},
	} {
		letters, err := c.Letters(t.Context(), q.account, false, q.limit)
		var got []string
		for _, l := range letters {
			got = append(got, l.OTPID)
			if l.Dead || !l.Due.Equal(Start) {
				t.Errorf("letter %+v, want one due at the start", l)
			}
		}
		if diff := cmp.Diff(q.want, got); diff != "" || err != nil {
			t.Errorf("letters of %q, %v (-want +got):\n%s", q.account, err, diff)
		}
	}
}

func configChanged(t *testing.T, c *callbacks) {
	id, _ := c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	c.Send(Acme).Dispatch()
	c.record(callback.Outcome{ID: c.one().ID, Status: 500, RetryAt: c.wall.Now().Add(time.Second)})
	until := c.wall.Now().Add(time.Hour)
	err := c.UpdateCallback(t.Context(), Acme, id, func(s catalog.SealedCallback) (catalog.SealedCallback, error) {
		s.URL, s.ProfileID = "https://b.example", uuid.NewString() // what is queued stays
		s.Previous, s.PreviousUntil = s.Secret, until.UnixMicro()
		return s, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c.wall.Add(time.Second)
	p := c.one()
	if p.URL != "https://b.example" || p.Previous == nil || !p.PreviousUntil.Equal(until) {
		t.Errorf("claimed %q, previous secret until %s", p.URL, p.PreviousUntil)
	}
}

func configDeleted(t *testing.T, c *callbacks) {
	gone, _ := c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	stays, _ := c.Configure(Acme, catalog.Callback{URL: "https://b.example"})
	c.Send(Acme).Dispatch()
	posts := c.wantClaims("first", 2)
	if err := c.DeleteCallback(t.Context(), Acme, gone); err != nil {
		t.Fatal(err)
	}
	for _, p := range posts { // under way while it was deleted
		c.record(callback.Outcome{ID: p.ID, Status: 500, RetryAt: c.wall.Now().Add(time.Second)})
	}
	c.wall.Add(time.Second)
	if diff := cmp.Diff(map[string]int{stays: 1}, configsOf(c.claim())); diff != "" {
		t.Errorf("claims by configuration (-want +got):\n%s", diff)
	}
}

func otpDeleted(t *testing.T, c *callbacks) {
	c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	gone, stays := c.Send(Acme), c.Send(Acme)
	gone.Dispatch()
	stays.Dispatch()
	if _, err := c.DeleteOTP(t.Context(), gone.Ref, verify.Idempotency{}); err != nil {
		t.Fatal(err)
	}
	if p := c.one(); p.OTPID != stays.ID {
		t.Errorf("claimed the deleted OTP's event")
	}
}

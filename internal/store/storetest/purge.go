package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/upkeep"
	"github.com/countersign/countersign/internal/verify"
)

const day = 24 * time.Hour

// forever is longer than any test turns the clock.
const forever = 10_000 * day

func purges(t *testing.T, b *bench) {
	old := b.send(order{})
	b.wall.Add(30*day + 3*time.Minute + time.Second)
	fresh := b.send(order{})
	if n := b.Purge(t, upkeep.Keep(30*day)); n != 1 {
		t.Errorf("purged %d OTPs, want 1", n)
	}
	if _, err := b.Store.OTP(t.Context(), old.Ref); !errors.Is(err, verify.ErrNotFound) {
		t.Errorf("old OTP: %v, want ErrNotFound", err)
	}
	b.read(fresh.Ref)
}

// purgesInOrder: whoever asks for the last OTP of a recipient never gets an
// older one than before.
func purgesInOrder(t *testing.T, b *bench) {
	const to, stranger = "+447400123456", "+447400123457"
	short := func(o order) verify.Record {
		o.life = time.Minute
		return b.send(o)
	}
	first := short(order{to: to})
	long := b.send(order{to: to, life: day})
	last := short(order{to: to})
	gone := []verify.Record{
		first, short(order{to: stranger}), short(order{to: to, account: other}), short(order{to: to, origin: "elsewhere"}),
	}
	keep := upkeep.Retention{OTPs: time.Hour, Callbacks: forever, Tallies: forever}
	b.wall.Add(2 * time.Hour)
	if n := b.Purge(t, keep); n != len(gone) {
		t.Errorf("purged %d OTPs while one lives, want %d", n, len(gone))
	}
	for _, g := range gone {
		if _, err := b.Store.OTP(t.Context(), g.Ref); !errors.Is(err, verify.ErrNotFound) {
			t.Errorf("old OTP of %v: %v, want ErrNotFound", g.Ref, err)
		}
	}
	recipient, err := phone.ParseRecipient(to)
	if err != nil {
		t.Fatal(err)
	}
	asked := verify.ListQuery{Account: acme, Origin: origin, Limit: 1, RecipientKey: verify.RecipientKey(b.keys, acme, recipient)}
	if recs, err := b.Store.OTPs(t.Context(), asked); err != nil || len(recs) != 1 || recs[0].ID != last.ID {
		t.Errorf("the recipient's last OTP is %v, %v; want %s and not %s", recs, err, last.ID, long.ID)
	}
	b.wall.Add(day)
	if n := b.Purge(t, keep); n != 2 {
		t.Errorf("purged %d OTPs after both are over, want 2", n)
	}
}

func purgesByExpiry(t *testing.T, b *bench) {
	sent := b.send(order{life: 2 * day})
	b.wall.Add(2*day - time.Minute)
	if n := b.Purge(t, upkeep.Retention{OTPs: time.Hour, Callbacks: forever, Tallies: forever}); n != 0 {
		t.Errorf("purged %d OTPs, want none", n)
	}
	b.read(sent.Ref)
}

func purgesAnswers(t *testing.T, b *bench) {
	first := b.send(order{idem: idem(1, 1)})
	b.wall.Add(day - time.Minute)
	b.Purge(t, upkeep.Retention{OTPs: forever})
	if kept, err := b.Store.Answered(t.Context(), acme, idem(1, 1)); err != nil || kept.Record.ID != first.ID {
		t.Errorf("an answer of less than a day ago: %v, %v; want that of %s", kept.Record.ID, err, first.ID)
	}
}

func purgesTallies(t *testing.T, b *bench) {
	const wrong, right, sender = "+447400123456", "+447400123457", "+447400123458"
	rules := guard.Rules{ConsecutiveFailures: 1, StopRetryAfter: time.Hour, Sends: []guard.Window{{Max: 9, Per: time.Hour}}}
	limited := func(to string) verify.Ref {
		return b.send(order{to: to, limited: true, rules: rules, life: forever}).Ref
	}
	clears := func(to string) bool {
		t.Helper()
		recipient, err := phone.ParseRecipient(to)
		if err != nil {
			t.Fatal(err)
		}
		cleared, err := b.Store.ClearLimits(t.Context(), acme, verify.RecipientKey(b.keys, acme, recipient))
		if err != nil {
			t.Fatal(err)
		}
		return cleared
	}
	failed, passed := limited(wrong), limited(right)
	limited(sender)
	if c, err := b.checkBy(failed, wrongCode, rules); err != nil {
		t.Fatalf("wrong code: %v, %v", c.Verdict, err)
	}
	if c, err := b.checkBy(passed, rightCode, rules); err != nil {
		t.Fatalf("right code: %v, %v", c.Verdict, err)
	}
	keep := upkeep.Retention{OTPs: forever, Callbacks: forever, Tallies: 2 * day}
	b.wall.Add(2*day - time.Minute)
	b.Purge(t, keep)
	if n := b.LimitTimes(t); n != 3 {
		t.Errorf("limits remember %d times before any is old, want those of three sends", n)
	}
	if !clears(sender) {
		t.Error("what limits remember was forgotten before its time")
	}
	b.wall.Add(2 * time.Minute)
	b.Purge(t, keep)
	if clears(right) {
		t.Error("what limits remember outlived its time")
	}
	if n := b.LimitTimes(t); n != 0 {
		t.Errorf("limits remember %d times that are too old to count, want 0 (P-04)", n)
	}
	if _, err := b.checkBy(failed, rightCode, rules); err == nil {
		t.Error("a purge let a recipient check again that wrong codes had stopped")
	}
}

// deadKept: letters are Retention's to name, not the OTP's age.
func deadKept(t *testing.T, c *callbacks) {
	c.Configure(Acme, catalog.Callback{URL: "https://a.example"})
	c.Send(Acme).Dispatch()
	c.record(callback.Outcome{ID: c.one().ID, Problem: "timeout"})
	keep := upkeep.Retention{OTPs: forever, Callbacks: 7 * day, Tallies: forever}
	for _, w := range []struct {
		wait time.Duration
		want int
	}{{7*day - time.Minute, 1}, {2 * time.Minute, 0}} {
		c.wall.Add(w.wait)
		if _, err := c.Purge(t.Context(), keep); err != nil {
			t.Fatal(err)
		}
		if letters, err := c.Letters(t.Context(), Acme, true, 10); err != nil || len(letters) != w.want {
			t.Errorf("%d dead letters %v after they died, %v; want %d", len(letters), c.wall.Now().Sub(Start), err, w.want)
		}
	}
}

package otp_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/countersign/countersign/internal/otp"
)

func TestACheckDoesWhatTheStateSays(t *testing.T) {
	t.Parallel()
	h, s := hasher{1}, otp.Subject{Account: "acme", ID: "o1"}
	fresh := issue(h, s, otp.Exact, "483920")
	with := func(change func(*otp.OTP)) otp.OTP {
		o := fresh
		change(&o)
		return o
	}
	mid := start.Add(30 * time.Second)
	ended := start.Add(10 * time.Second)
	for _, c := range []struct {
		name    string
		before  otp.OTP
		at      time.Time
		code    string
		want    otp.OTP
		verdict otp.Verdict
	}{
		{
			"right at the first try", fresh, mid, "483920",
			with(func(o *otp.OTP) { o.State, o.Attempts, o.Ended, o.EndSeen = otp.Verified, 1, mid, true }), otp.Right,
		},
		{
			"right at the last try", with(func(o *otp.OTP) { o.Attempts = 2 }), mid, "483920",
			with(func(o *otp.OTP) { o.State, o.Attempts, o.Ended, o.EndSeen = otp.Verified, 3, mid, true }), otp.Right,
		},
		{"wrong with tries left", fresh, mid, "000000", with(func(o *otp.OTP) { o.Attempts = 1 }), otp.Wrong},
		{
			"wrong at the last try", with(func(o *otp.OTP) { o.Attempts = 2 }), mid, "000000",
			with(func(o *otp.OTP) { o.State, o.Attempts, o.Ended, o.EndSeen = otp.TooManyAttempts, 3, mid, true }), otp.Spent,
		},
		{
			"right in the last moment", fresh, fresh.Expires.Add(-1), "483920",
			with(func(o *otp.OTP) {
				o.State, o.Attempts, o.Ended, o.EndSeen = otp.Verified, 1, fresh.Expires.Add(-1), true
			}), otp.Right,
		},
		{
			"right at the expiry", fresh, fresh.Expires, "483920",
			with(func(o *otp.OTP) { o.State, o.Ended, o.EndSeen = otp.Expired, fresh.Expires, true }), otp.Late,
		},
		{
			"long after the expiry, the end counts from it", fresh, fresh.Expires.Add(time.Hour), "000000",
			with(func(o *otp.OTP) { o.State, o.Ended, o.EndSeen = otp.Expired, fresh.Expires, true }), otp.Late,
		},
		{
			"expired by the sweep, not yet told", with(func(o *otp.OTP) { o.State, o.Ended = otp.Expired, fresh.Expires }), fresh.Expires.Add(1), "483920",
			with(func(o *otp.OTP) { o.State, o.Ended, o.EndSeen = otp.Expired, fresh.Expires, true }), otp.Late,
		},
		{
			"expired and told", with(func(o *otp.OTP) { o.State, o.Ended, o.EndSeen = otp.Expired, fresh.Expires, true }), fresh.Expires.Add(1), "483920",
			with(func(o *otp.OTP) { o.State, o.Ended, o.EndSeen = otp.Expired, fresh.Expires, true }), otp.Closed,
		},
		{
			"verified", with(func(o *otp.OTP) { o.State, o.Attempts, o.Ended, o.EndSeen = otp.Verified, 1, ended, true }), mid, "483920",
			with(func(o *otp.OTP) { o.State, o.Attempts, o.Ended, o.EndSeen = otp.Verified, 1, ended, true }), otp.Closed,
		},
		{
			"verified, after its time", with(func(o *otp.OTP) { o.State, o.Attempts, o.Ended, o.EndSeen = otp.Verified, 1, ended, true }), fresh.Expires, "483920",
			with(func(o *otp.OTP) { o.State, o.Attempts, o.Ended, o.EndSeen = otp.Verified, 1, ended, true }), otp.Closed,
		},
		{
			"out of tries", with(func(o *otp.OTP) { o.State, o.Attempts, o.Ended, o.EndSeen = otp.TooManyAttempts, 3, ended, true }), mid, "483920",
			with(func(o *otp.OTP) { o.State, o.Attempts, o.Ended, o.EndSeen = otp.TooManyAttempts, 3, ended, true }), otp.Closed,
		},
	} {
		got, v := c.before.Check(c.at, otp.NewGuess(h, s, otp.NewCode(c.code)))
		if v != c.verdict || got != c.want {
			t.Errorf("%s: verdict %d, want %d; OTP differs:\n%s", c.name, v, c.verdict, cmp.Diff(c.want, got))
		}
		if compared := got.Attempts > c.before.Attempts; compared != v.Compared() {
			t.Errorf("%s: Compared() = %v, but attempts went from %d to %d", c.name, v.Compared(), c.before.Attempts, got.Attempts)
		}
	}
}

func TestALifeKeepsItsPromises(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h, s := hasher{1}, otp.Subject{Account: "acme", ID: "o1"}
		o := issue(h, s, otp.Exact, "483920")
		o.Allowed = rapid.IntRange(1, 5).Draw(t, "allowed")
		now := start
		rights, compared, seenEnd := 0, 0, false
		for range rapid.IntRange(1, 20).Draw(t, "checks") {
			now = now.Add(rapid.SampledFrom([]time.Duration{0, 1, time.Second, 20 * time.Second}).Draw(t, "passed"))
			before := o
			if rapid.IntRange(0, 4).Draw(t, "sweep") == 0 {
				o.Expire(now)
			}
			var v otp.Verdict
			o, v = o.Check(now, otp.NewGuess(h, s, otp.NewCode(rapid.SampledFrom([]string{"483920", "000000"}).Draw(t, "code"))))
			if v.Compared() {
				compared++
			}
			if v == otp.Right {
				rights++
			}
			if before.At(now).Final() && (o.Attempts != before.Attempts || v.Compared()) {
				t.Fatalf("a check at %v of an OTP %v compared the code", now, before.At(now))
			}
			if before.State.Final() && o.State != before.State {
				t.Fatalf("state %v became %v", before.State, o.State)
			}
			if v == otp.Late && seenEnd {
				t.Fatal("the end was told as new twice")
			}
			seenEnd = seenEnd || o.State.Final()
		}
		switch {
		case rights > 1:
			t.Fatalf("%d right verdicts", rights)
		case compared > o.Allowed || compared != o.Attempts:
			t.Fatalf("%d codes compared, %d counted, %d allowed", compared, o.Attempts, o.Allowed)
		case o.State == otp.Verified && !o.Ended.Before(o.Expires):
			t.Fatalf("verified at %v, expired at %v", o.Ended, o.Expires)
		case o.State.Final() == o.Ended.IsZero():
			t.Fatalf("state %v ended at %v", o.State, o.Ended)
		}
	})
}

func TestExpiryIsTheFirstInstantAfterTheLife(t *testing.T) {
	t.Parallel()
	o := otp.OTP{State: otp.Active, Expires: start.Add(time.Minute)}
	for _, c := range []struct {
		at   time.Time
		want otp.State
	}{{start, otp.Active}, {o.Expires.Add(-1), otp.Active}, {o.Expires, otp.Expired}, {o.Expires.Add(1), otp.Expired}} {
		if got := o.At(c.at); got != c.want {
			t.Errorf("At(%v) = %v, want %v", c.at, got, c.want)
		}
		swept := o
		if did := swept.Expire(c.at); did != (c.want == otp.Expired) || swept.State != c.want {
			t.Errorf("Expire(%v) = %v, state %v; want state %v", c.at, did, swept.State, c.want)
		}
	}
	done := otp.OTP{State: otp.Verified, Expires: start}
	if done.Expire(start.Add(time.Hour)) || done.At(start.Add(time.Hour)) != otp.Verified {
		t.Error("time ended an OTP that was verified")
	}
}

func TestEventsOfAnOTPRiseByAMillisecond(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		now, last time.Time
		want      time.Time
	}{
		{"the first, cut to the millisecond", start.Add(1_999_999), time.Time{}, start.Add(time.Millisecond)},
		{"later", start.Add(time.Second), start, start.Add(time.Second)},
		{"in the same millisecond", start.Add(999_999), start, start.Add(time.Millisecond)},
		{"behind a run of events", start, start.Add(5 * time.Millisecond), start.Add(6 * time.Millisecond)},
		{"exactly one step on", start.Add(time.Millisecond), start, start.Add(time.Millisecond)},
	} {
		if got := otp.NextEventTime(c.now, c.last); !got.Equal(c.want) {
			t.Errorf("%s: NextEventTime = %v, want %v", c.name, got, c.want)
		}
	}
}

func TestNamesAreThoseOfTheDesign(t *testing.T) {
	t.Parallel()
	states := map[otp.State]string{
		otp.Active: "ACTIVE", otp.Verified: "VERIFIED", otp.Expired: "EXPIRED", otp.TooManyAttempts: "TOO_MANY_ATTEMPTS", 0: "INVALID", 9: "INVALID",
	}
	for s, want := range states {
		if s.String() != want {
			t.Errorf("State(%d) = %s, want %s", s, s, want)
		}
	}
	kinds := []string{
		"INVALID", "DISPATCHED", "DELIVERED", "UNDELIVERABLE", "TIMED_OUT", "VERIFIED", "WRONG_CODE", "TOO_MANY_ATTEMPTS", "EXPIRED", "INVALID",
	}
	for i, want := range kinds {
		k := otp.EventKind(i)
		if k.String() != want {
			t.Errorf("EventKind(%d) = %s, want %s", i, k, want)
		}
		if k.OfDelivery() != (i >= 1 && i <= 4) {
			t.Errorf("%s tells of a delivery: %v", k, k.OfDelivery())
		}
	}
}

func TestACheckIsAnEventOfItsVerdict(t *testing.T) {
	t.Parallel()
	active, over := otp.OTP{State: otp.Active}, otp.OTP{State: otp.Expired}
	for _, c := range []struct {
		before, after otp.OTP
		verdict       otp.Verdict
		want          otp.EventKind
		is            bool
	}{
		{active, otp.OTP{State: otp.Verified}, otp.Right, otp.EventVerified, true},
		{active, active, otp.Wrong, otp.EventWrongCode, true},
		{active, otp.OTP{State: otp.TooManyAttempts}, otp.Spent, otp.EventTooManyAttempts, true},
		{active, over, otp.Late, otp.EventExpired, true},
		{active, over, otp.Closed, otp.EventExpired, true},
		{over, over, otp.Late, otp.EventExpired, false},
		{otp.OTP{State: otp.Verified}, otp.OTP{State: otp.Verified}, otp.Closed, otp.EventExpired, false},
	} {
		if got, is := otp.CheckEvent(c.before, c.after, c.verdict); is != c.is || is && got != c.want {
			t.Errorf("from %s to %s with verdict %d: %s, %v; want %s, %v", c.before.State, c.after.State, c.verdict, got, is, c.want, c.is)
		}
	}
}

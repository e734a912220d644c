package guard_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/countersign/countersign/internal/guard"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestAWindowIsExactToTheMicrosecond(t *testing.T) {
	t.Parallel()
	rules := guard.Compat(3)
	var g guard.Tally
	for i := range 3 {
		if refused := rules.AdmitSend(&g, guard.Send{}, start.Add(time.Duration(i)*time.Second)); refused != nil {
			t.Fatalf("send %d is refused: %+v", i+1, refused)
		}
	}
	room := start.Add(10 * time.Minute) // when the first has left
	for _, c := range []struct {
		at   time.Time
		want *guard.Refusal
	}{
		{start.Add(2 * time.Second), &guard.Refusal{Limit: "sends", RetryAfter: 10*time.Minute - 2*time.Second}},
		{room.Add(-time.Second), &guard.Refusal{Limit: "sends", RetryAfter: time.Second}},
		{room.Add(-time.Microsecond), &guard.Refusal{Limit: "sends", RetryAfter: time.Microsecond}},
		{room, nil},
	} {
		tally := guard.Tally{Sends: slices.Clone(g.Sends)}
		got := rules.AdmitSend(&tally, guard.Send{}, c.at)
		if !cmp.Equal(got, c.want) {
			t.Errorf("a 4th send at %v differs:\n%s", c.at, cmp.Diff(c.want, got))
		}
		if got != nil && !cmp.Equal(tally.Sends, g.Sends) {
			t.Errorf("the refused send at %v changed the tally", c.at)
		}
	}
}

func TestWaitingAsLongAsToldIsEnough(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := guard.Rules{Sends: windows(t), Failures: windows(t)}
		var g guard.Tally
		now := start
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(90*time.Second)).Draw(t, "gap"))).Truncate(time.Microsecond)
			if refused := rules.AdmitSend(&g, guard.Send{}, now); refused != nil {
				if refused.RetryAfter <= 0 {
					t.Fatalf("refused for %v", refused.RetryAfter)
				}
				early := guard.Tally{Sends: slices.Clone(g.Sends)}
				if rules.AdmitSend(&early, guard.Send{}, now.Add(refused.RetryAfter-time.Microsecond)) == nil {
					t.Fatalf("room came before the %v told", refused.RetryAfter)
				}
				now = now.Add(refused.RetryAfter)
				if again := rules.AdmitSend(&g, guard.Send{}, now); again != nil {
					t.Fatalf("after the %v told, refused again: %+v", refused.RetryAfter, again)
				}
			}
		}
	})
}

func windows(t *rapid.T) []guard.Window {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) guard.Window {
		return guard.Window{
			Max: rapid.IntRange(1, 8).Draw(t, "max"),
			Per: time.Duration(rapid.Int64Range(1, 600).Draw(t, "seconds")) * time.Second,
		}
	}), 0, 3).Draw(t, "windows")
}

// naive keeps everything for ever and counts anew each time.
type naive struct {
	windows     []guard.Window
	times       []time.Time
	consecutive int
}

func (n *naive) admits(now time.Time) bool {
	for _, w := range n.windows {
		within := 0
		for _, at := range n.times {
			if now.Sub(at) < w.Per {
				within++
			}
		}
		if within >= w.Max {
			return false
		}
	}
	return true
}

func TestTheRulesAgreeWithCountingEverything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := guard.Rules{
			Sends: windows(t), Calls: windows(t), SendsPerOTP: rapid.IntRange(0, 4).Draw(t, "sends per OTP"),
			Failures: windows(t), ConsecutiveFailures: rapid.IntRange(0, 12).Draw(t, "consecutive"), StopRetryAfter: time.Hour,
		}
		var g guard.Tally
		sends, calls, failures := naive{windows: rules.Sends}, naive{windows: rules.Calls}, naive{windows: rules.Failures}
		now := start
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			now = now.Add(time.Duration(rapid.Int64Range(0, 90).Draw(t, "gap")) * time.Second)
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0, 1:
				sent := rapid.IntRange(0, 5).Draw(t, "sent")
				call := rapid.Bool().Draw(t, "call")
				want := sends.admits(now) && (rules.SendsPerOTP == 0 || sent < rules.SendsPerOTP) &&
					(!call || len(rules.Sends) == 0 || calls.admits(now))
				if got := rules.AdmitSend(&g, guard.Send{Before: sent, Call: call}, now) == nil; got != want {
					t.Fatalf("a send is admitted: %v, want %v", got, want)
				}
				if want {
					sends.times = append(sends.times, now)
				}
				if want && call {
					calls.times = append(calls.times, now)
				}
			case 5:
				rules.CountSuccess(&g)
				failures.times, failures.consecutive = nil, 0
			default:
				want := failures.admits(now) && (rules.ConsecutiveFailures == 0 || failures.consecutive < rules.ConsecutiveFailures)
				if got := rules.AdmitCheck(g, now) == nil; got != want {
					t.Fatalf("a check is admitted: %v, want %v", got, want)
				}
				if want {
					rules.CountFailure(&g, now)
					failures.times = append(failures.times, now)
					failures.consecutive++
				}
			}
			most := 0
			for _, w := range slices.Concat(rules.Sends, rules.Calls, rules.Failures) {
				most = max(most, w.Max)
			}
			if len(g.Sends) > most || len(g.Calls) > most || len(g.Failures) > most {
				t.Fatalf("the tally keeps %d sends, %d calls and %d failures, no window needs more than %d", len(g.Sends), len(g.Calls), len(g.Failures), most)
			}
			if !slices.IsSortedFunc(g.Sends, time.Time.Compare) || !slices.IsSortedFunc(g.Calls, time.Time.Compare) || !slices.IsSortedFunc(g.Failures, time.Time.Compare) {
				t.Fatal("the tally is not oldest first")
			}
		}
	})
}

func TestAHundredWrongCodesInARowStopChecks(t *testing.T) {
	t.Parallel()
	rules := guard.Compat(10)
	var g guard.Tally
	now := start
	for i := range 100 {
		if refused := rules.AdmitCheck(g, now); refused != nil {
			t.Fatalf("wrong code %d is refused: %+v", i+1, refused)
		}
		rules.CountFailure(&g, now)
		now = now.Add(24 * time.Hour)
	}
	want := &guard.Refusal{Limit: "consecutive_failures", RetryAfter: time.Hour}
	for _, later := range []time.Duration{0, time.Hour, 365 * 24 * time.Hour} {
		if got := rules.AdmitCheck(g, now.Add(later)); !cmp.Equal(got, want) {
			t.Errorf("%v later a check differs: time does not lift this limit\n%s", later, cmp.Diff(want, got))
		}
	}
	rules.CountSuccess(&g)
	if got := rules.AdmitCheck(g, now); got != nil {
		t.Errorf("after a success a check is refused: %+v", got)
	}
}

func TestOnlySuccessForgetsWrongCodes(t *testing.T) {
	t.Parallel()
	rules := guard.Compat(10)
	var g guard.Tally
	for i := range 10 {
		rules.CountFailure(&g, start.Add(time.Duration(i)*time.Minute))
	}
	now := start.Add(10 * time.Minute)
	if rules.AdmitCheck(g, now) == nil {
		t.Fatal("the 11th wrong code in an hour is admitted")
	}
	rules.AdmitSend(&g, guard.Send{}, now)
	if rules.AdmitCheck(g, now) == nil {
		t.Error("a new send made room for another guess (L-02)")
	}
	rules.CountSuccess(&g)
	if got := rules.AdmitCheck(g, now); got != nil || g.Consecutive != 0 || len(g.Failures) != 0 {
		t.Errorf("after a success the tally is %+v and a check is refused: %+v", g, got)
	}
	if len(g.Sends) != 1 {
		t.Error("a success forgot the sends")
	}
}

func TestTwentyWrongCodesADayAreTheMost(t *testing.T) {
	t.Parallel()
	rules := guard.Compat(10)
	var g guard.Tally
	now := start
	for range 20 {
		rules.CountFailure(&g, now)
		now = now.Add(30 * time.Minute)
	}
	got := rules.AdmitCheck(g, now) // 10 h after the first
	if want := (&guard.Refusal{Limit: "failures", RetryAfter: 14 * time.Hour}); !cmp.Equal(got, want) {
		t.Errorf("the 21st wrong code in a day differs:\n%s", cmp.Diff(want, got))
	}
}

// L-04: what an hour and a day allow, and of calls.
func TestSendsAndCallsOfAnHourAndADayAreLimited(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		rules guard.Rules
		call  bool
		every time.Duration
		admit int // so many are admitted in a row
		want  guard.Refusal
	}{
		{"an hour", guard.Compat(10), false, 5 * time.Minute, 10, guard.Refusal{Limit: "sends", RetryAfter: 10 * time.Minute}},
		{"a day", guard.Compat(10), false, time.Hour, 20, guard.Refusal{Limit: "sends", RetryAfter: 4 * time.Hour}},
		{"calls in an hour", guard.Compat(10), true, time.Minute, 3, guard.Refusal{Limit: "calls", RetryAfter: 57 * time.Minute}},
		{"calls in a day", guard.Compat(10), true, time.Hour, 6, guard.Refusal{Limit: "calls", RetryAfter: 18 * time.Hour}},
		{"an hour where the operator allows less in 10 minutes", guard.Compat(2), false, 5 * time.Minute, 10, guard.Refusal{Limit: "sends", RetryAfter: 10 * time.Minute}},
		{"an hour where the operator allows more", guard.Compat(25), false, 2 * time.Minute, 25, guard.Refusal{Limit: "sends", RetryAfter: 10 * time.Minute}},
		{"calls where the operator allows more", guard.Compat(25), true, time.Minute, 8, guard.Refusal{Limit: "calls", RetryAfter: 52 * time.Minute}},
		{"a day where the operator allows more", guard.Compat(25), false, 20 * time.Minute, 50, guard.Refusal{Limit: "sends", RetryAfter: 440 * time.Minute}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var g guard.Tally
			now := start
			for i := range c.admit {
				if refused := c.rules.AdmitSend(&g, guard.Send{Call: c.call}, now); refused != nil {
					t.Fatalf("send %d is refused: %+v", i+1, refused)
				}
				now = now.Add(c.every)
			}
			got := c.rules.AdmitSend(&g, guard.Send{Call: c.call}, now)
			if !cmp.Equal(got, &c.want) {
				t.Errorf("one send more differs:\n%s", cmp.Diff(&c.want, got))
			}
			if sms := c.rules.AdmitSend(&g, guard.Send{}, now); c.call && sms != nil {
				t.Errorf("an SMS after as many calls as may be is refused: %+v", sms)
			}
		})
	}
}

func TestTheLongestWaitIsTold(t *testing.T) {
	t.Parallel()
	rules := guard.Rules{Failures: []guard.Window{{Max: 1, Per: time.Hour}, {Max: 2, Per: time.Minute}}}
	var g guard.Tally
	rules.CountFailure(&g, start)
	rules.CountFailure(&g, start.Add(time.Second))
	got := rules.AdmitCheck(g, start.Add(2*time.Second))
	if want := (&guard.Refusal{Limit: "failures", RetryAfter: time.Hour - time.Second}); !cmp.Equal(got, want) {
		t.Errorf("a refusal by two windows differs:\n%s", cmp.Diff(want, got))
	}
}

func TestAnOTPIsSentTenTimesAtMost(t *testing.T) {
	t.Parallel()
	rules := guard.Compat(1_000)
	var g guard.Tally
	for sent := range 10 {
		if refused := rules.AdmitSend(&g, guard.Send{Before: sent}, start); refused != nil {
			t.Fatalf("send %d is refused: %+v", sent+1, refused)
		}
	}
	want := &guard.Refusal{Limit: "sends_per_otp", RetryAfter: time.Hour}
	if got := rules.AdmitSend(&g, guard.Send{Before: 10}, start); !cmp.Equal(got, want) {
		t.Errorf("the 11th send of an OTP differs:\n%s", cmp.Diff(want, got))
	}
}

func TestZeroTurnsLimitsOff(t *testing.T) {
	t.Parallel()
	var none guard.Rules
	var g guard.Tally
	for i := range 1_000 {
		if none.AdmitSend(&g, guard.Send{Before: i}, start) != nil || none.AdmitCheck(g, start) != nil {
			t.Fatal("the zero Rules refuse")
		}
		none.CountFailure(&g, start)
	}
	if len(g.Sends) != 0 || len(g.Failures) != 0 {
		t.Errorf("the zero Rules remember %d sends and %d failures", len(g.Sends), len(g.Failures))
	}
	off := guard.Compat(0)
	if off.LimitsSends() || !guard.Compat(1).LimitsSends() {
		t.Errorf("LimitsSends() = %v with 0 sends, %v with 1", off.LimitsSends(), guard.Compat(1).LimitsSends())
	}
	for i := range 100 {
		if off.AdmitSend(&g, guard.Send{Before: i}, start) != nil {
			t.Fatal("with 0 sends a recipient, a send is refused: 0 turns all limits on sends off")
		}
	}
}

func TestATallyThatACallerKeepsDoesNotChange(t *testing.T) {
	t.Parallel()
	rules := guard.Compat(5)
	var g guard.Tally
	for i := range 4 {
		rules.AdmitSend(&g, guard.Send{}, start.Add(time.Duration(i)*time.Second))
	}
	kept := g
	before := slices.Clone(kept.Sends)
	rules.AdmitSend(&g, guard.Send{}, start.Add(time.Minute))
	rules.AdmitSend(&g, guard.Send{}, start.Add(11*time.Minute))
	if !cmp.Equal(kept.Sends, before) {
		t.Errorf("an earlier copy changed:\n%s", cmp.Diff(before, kept.Sends))
	}
}

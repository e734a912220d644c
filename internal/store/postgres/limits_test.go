package postgres_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/verify"
)

func drawWindows(r *rapid.T, name string) []guard.Window {
	return rapid.SliceOfN(rapid.Custom(func(r *rapid.T) guard.Window {
		return guard.Window{Max: rapid.IntRange(1, 3).Draw(r, "max"), Per: time.Duration(rapid.IntRange(1, 20).Draw(r, "per")) * time.Second}
	}), 0, 2).Draw(r, name)
}

// refusal is what a store's error says of a limit.
func refusal(err error) *guard.Refusal {
	if t, ok := errors.AsType[*verify.LimitError](err); ok {
		return &guard.Refusal{Limit: t.Limit, RetryAfter: t.RetryAfter}
	}
	return nil
}

// The statements of group commits hold the rules of guard and otp a second
// time; here both drive the same random lives.
func TestTheStatementsOfGroupCommitsAgreeWithTheRules(t *testing.T) {
	t.Parallel()
	wall := &storetest.Wall{}
	s := open(t, pgtest.URL(t), wall.Now)
	if err := s.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	lives, ids := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		lives++
		rules := guard.Rules{
			Sends: drawWindows(r, "sends"), Calls: drawWindows(r, "calls"), SendsPerOTP: rapid.IntRange(0, 2).Draw(r, "per otp"),
			Failures: drawWindows(r, "failures"), ConsecutiveFailures: rapid.IntRange(0, 6).Draw(r, "consecutive"), StopRetryAfter: time.Minute,
		}
		var tally guard.Tally
		open := map[string]otp.OTP{}
		names := []string{}
		for range rapid.IntRange(1, 15).Draw(r, "steps") {
			wall.Add(time.Duration(rapid.IntRange(0, 6000).Draw(r, "wait")) * time.Millisecond)
			now := wall.Now()
			if len(names) == 0 || rapid.Bool().Draw(r, "send") {
				ids++
				n := newOTP(t, strconv.Itoa(ids), 15*time.Second)
				n.RecipientKey, n.Limited, n.Rules = [16]byte{byte(lives >> 16), byte(lives >> 8), byte(lives), 1}, true, rules
				call := rapid.Bool().Draw(r, "call")
				if call {
					n.Plan.Steps = []delivery.Step{{Channel: message.Voice, Wait: time.Minute}}
				}
				rec, err := s.CreateOTP(context.Background(), n)
				want := rules.AdmitSend(&tally, guard.Send{Call: call}, now)
				if got := refusal(err); err != nil && got == nil || !cmp.Equal(got, want) {
					r.Fatalf("send: %v, want %+v", err, want)
				}
				if err == nil {
					open[n.ID], names = rec.OTP, append(names, n.ID)
				}
				continue
			}
			id := rapid.SampledFrom(names).Draw(r, "id")
			a := guess(id, rapid.SampledFrom([]string{rightCode, wrongCode, wrongCode}).Draw(r, "code"))
			a.Rules = rules
			after, verdict := open[id].Check(now, a.Guess)
			var want *guard.Refusal
			if verdict.Compared() {
				want = rules.AdmitCheck(tally, now)
			}
			got, err := s.CountAttempt(context.Background(), a)
			if said := refusal(err); err != nil && said == nil || !cmp.Equal(said, want) {
				r.Fatalf("check: %v, want %+v", err, want)
			}
			if want != nil {
				continue
			}
			switch verdict {
			case otp.Right:
				rules.CountSuccess(&tally)
			case otp.Wrong, otp.Spent:
				rules.CountFailure(&tally, now)
			case otp.Late, otp.Closed:
			}
			if open[id] = after; got.Verdict != verdict || got.Record.OTP != after {
				r.Fatalf("check: %v, want %v; %s", got.Verdict, verdict, cmp.Diff(after, got.Record.OTP))
			}
			rec, err := s.OTP(context.Background(), ref(id))
			if err != nil || rec.OTP != after {
				r.Fatalf("stored: %v, %s", err, cmp.Diff(after, rec.OTP))
			}
		}
	})
}

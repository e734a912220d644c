package postgres_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/verify"
)

// What docs/scaling.md offers for poolers that share connections by
// transaction: no statement is then prepared under a name.
func TestAnOTPLivesWithoutPreparedStatements(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"cache_describe", "describe_exec", "exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := made(t, pgtest.URL(t)+"&default_query_exec_mode="+mode)
			id := uuid.NewString()
			n := newOTP(t, id, time.Hour)
			n.Limited, n.Rules, n.ProfileID = true, guard.Compat(10), uuid.NewString()
			if _, err := s.CreateOTP(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			n.ID, n.Dedupe, n.Idempotency = uuid.NewString(), uuid.NewString(), verify.Idempotency{Key: [16]byte{1}, Fingerprint: [16]byte{2}}
			if _, err := s.CreateOTP(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			jobs, _, err := s.ClaimDeliveries(t.Context(), "n1", 10, time.Minute)
			if err != nil || len(jobs) != 2 {
				t.Fatalf("claimed %d, %v; want 2", len(jobs), err)
			}
			var outcomes []delivery.SubmitOutcome
			for _, j := range jobs {
				outcomes = append(outcomes, delivery.SubmitOutcome{Key: j.Key, Carrier: "double", Result: delivery.Result{Class: delivery.Accepted, Ref: j.OTPID}})
			}
			if _, err := s.RecordSubmits(t.Context(), outcomes); err != nil {
				t.Fatal(err)
			}
			if known, _, err := s.RecordReceipt(t.Context(), delivery.Receipt{Carrier: "double", Ref: id, State: delivery.ReceiptDelivered}); err != nil || !known {
				t.Errorf("receipt: known %v, %v", known, err)
			}
			for _, c := range []struct {
				code string
				want otp.Verdict
			}{{wrongCode, otp.Wrong}, {rightCode, otp.Right}} {
				a := guess(id, c.code)
				a.Rules = n.Rules
				if got, err := s.CountAttempt(t.Context(), a); err != nil || got.Verdict != c.want {
					t.Errorf("check of %s = %v, %v; want %v", c.code, got.Verdict, err, c.want)
				}
			}
			events, err := s.Events(t.Context(), ref(id))
			if err != nil || len(events) != 4 {
				t.Errorf("%d events, %v; want 4", len(events), err)
			}
			if recs, err := s.OTPs(t.Context(), verify.ListQuery{Account: "acme", Origin: "test", Limit: 10}); err != nil || len(recs) != 2 {
				t.Errorf("%d OTPs, %v; want 2", len(recs), err)
			}
		})
	}
}

package postgres_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/pgtest"
)

// A failover may lose an account while a carrier has its message.
func TestAnOutcomeOfAnAccountThatWasLostStopsNoOther(t *testing.T) {
	t.Parallel()
	s := made(t, pgtest.URL(t))
	id := sent(t, s)
	accepted := delivery.Result{Class: delivery.Accepted, Ref: "r"}
	lost := delivery.SubmitOutcome{Key: delivery.Key{Account: "lost", OTPID: uuid.NewString(), Seq: 1}, Carrier: "double", Result: accepted}
	kept := delivery.SubmitOutcome{Key: delivery.Key{Account: "acme", OTPID: id, Seq: 1}, Carrier: "double", Result: accepted}
	for _, outcomes := range [][]delivery.SubmitOutcome{{lost}, {lost, kept}} {
		if _, err := s.RecordSubmits(t.Context(), outcomes); err != nil {
			t.Fatalf("RecordSubmits of %d = %v", len(outcomes), err)
		}
	}
	all, err := s.Events(t.Context(), ref(id))
	if err != nil {
		t.Fatal(err)
	}
	if last := all[len(all)-1].Kind; last != otp.EventDispatched {
		t.Errorf("last event of the other = %v; want that it was dispatched", last)
	}
}

package delivery_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/storetest"
)

func TestAReceiptTellsThatAMessageWasTakenWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	dispatched := told(otp.EventDispatched, nil)
	for _, c := range []struct {
		name string
		from delivery.Delivery
		step delivery.Step
		of   otp.State // Active, if zero
		want delivery.Change
		no   bool
	}{
		{
			name: "the wait for the next receipt begins", from: at(delivery.Queued, unsure("r1"), next), step: delivery.Step{Wait: time.Minute},
			want: delivery.Change{Delivery: at(delivery.Dispatched, next, due(noon.Add(time.Minute))), Event: dispatched},
		},
		{
			name: "after a check that ended the OTP nothing is waited for", from: at(delivery.Queued, unsure("r1"), next), of: otp.Verified,
			want: delivery.Change{Delivery: at(delivery.Dispatched, next, due(time.Time{})), Event: dispatched, Done: true},
		},
		{
			name: "after the OTP's time the wait is over", from: at(delivery.Queued, unsure("r1"), next), of: otp.Expired,
			want: delivery.Change{Delivery: at(delivery.Dispatched, next), Event: dispatched, Done: true},
		},
		{
			name: "a fallback makes its text true", from: at(delivery.Queued, unsure("r1"), second), step: delivery.Step{Life: 4 * time.Minute},
			want: delivery.Change{
				Delivery: at(delivery.Dispatched, second, due(noon.Add(4*time.Minute))), Extend: noon.Add(4 * time.Minute), Done: true,
				Event: &otp.Event{Kind: otp.EventDispatched, Delivery: 2, Channel: "SMS", Carrier: "c1"},
			},
		},
		{name: "not handed over yet", from: at(delivery.Queued), no: true},
		{name: "to be tried again", from: at(delivery.Queued, tried), no: true},
		{name: "dispatched", from: at(delivery.Dispatched), no: true},
		{name: "timed out", from: at(delivery.TimedOut), no: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, ok := c.from.ProvenTaken(c.step, stateOr(c.of, otp.Active), expires, noon)
			if ok == c.no {
				t.Errorf("Taken changes = %v, want %v", ok, !c.no)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Taken (-want +got):\n%s", diff)
			}
		})
	}
}

func TestADeliveryIsKeptByIDOnlyWhereItsRefIsAnother(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		result delivery.Result
		want   bool
	}{
		"a ref of the carrier's, and receipts may name ours": {delivery.Result{Class: delivery.Accepted, Ref: "r1", ByID: true}, true},
		"our own ref":                        {delivery.Result{Class: delivery.Accepted, Ref: "d1", ByID: true}, false},
		"receipts name the carrier's ref":    {delivery.Result{Class: delivery.Accepted, Ref: "r1"}, false},
		"uncertain, by our ref":              {delivery.Result{Class: delivery.Uncertain, Ref: "d1", ByID: true}, false},
		"refused":                            {delivery.Result{Class: delivery.Permanent, Failure: refused, ByID: true}, false},
		"not accepted, and not tried at all": {delivery.Result{Class: delivery.Deferred, ByID: true}, false},
	} {
		from := at(delivery.Queued, func(d *delivery.Delivery) { d.Dedupe = "d1" })
		got, ok := from.Submitted(delivery.SubmitOutcome{Key: from.Key, Carrier: "c1", Result: c.result}, delivery.Step{}, otp.Active, expires, noon)
		if !ok || got.ByID != c.want {
			t.Errorf("%s: %v, ByID %v; want true, %v", name, ok, got.ByID, c.want)
		}
	}
}

func TestAReceiptNamesItsDeliveryInEveryWay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		receipt delivery.Receipt
		want    []string
	}{
		{delivery.Receipt{}, nil},
		{delivery.Receipt{Ref: "r1"}, []string{"r1", "(uncertain)r1"}},
		{delivery.Receipt{ID: "d1"}, []string{"d1", "(uncertain)d1"}},
		{delivery.Receipt{ID: "d1", Ref: "r1"}, []string{"d1", "(uncertain)d1", "r1", "(uncertain)r1"}},
	} {
		if diff := cmp.Diff(c.want, c.receipt.Refs()); diff != "" {
			t.Errorf("Refs of %+v (-want +got):\n%s", c.receipt, diff)
		}
	}
}

func TestAReceiptThatComesBeforeTheRepetitionCountsAndNoRepetitionFollows(t *testing.T) {
	t.Parallel()
	wall := &storetest.Wall{}
	s := newSystem(t, wall.Now)
	a, b := &carrier{name: "a", dedupes: true}, accepting("b")
	a.answer = func(_ context.Context, m delivery.Message) delivery.Result {
		return delivery.Result{Class: delivery.Uncertain, Failure: refused, Ref: m.Dedupe}
	}
	cfg := s.config()
	cfg.Router = toldOf{a, b}
	s.dispatcher = delivery.NewDispatcher(cfg)
	ref := s.send("1111", message.SMS, message.Voice)
	s.want("events after the lost answer", s.step(ref))
	known, err := s.dispatcher.Receive(t.Context(), delivery.Receipt{Carrier: "a", ID: a.refs()[0], State: delivery.ReceiptDelivered})
	if !known || err != nil {
		t.Errorf("Receive = %v, %v; want true", known, err)
	}
	s.want("events after the receipt", s.events(ref), "SMS DISPATCHED", "SMS DELIVERED")
	wall.Add(30 * time.Second)
	s.want("events much later", s.step(ref), "SMS DISPATCHED", "SMS DELIVERED")
	if a.asked() != 1 || b.asked() != 0 {
		t.Errorf("the carriers were asked %d and %d times, want 1 and 0", a.asked(), b.asked())
	}
}

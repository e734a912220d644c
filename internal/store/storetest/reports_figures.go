package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/report"
	"github.com/countersign/countersign/internal/upkeep"
	"github.com/countersign/countersign/internal/verify"
)

func figuresCount(t *testing.T, r *reports, settle func()) {
	// Delivered and verified 42 s after its dispatch.
	good := r.send(order{to: "+4915112345678", steps: []delivery.Step{named(message.SMS, "login")}})
	r.wall.Add(2 * time.Second)
	r.submitted(r.one(), "a", accepted("r1"))
	r.received("a", "r1", delivered)
	r.wall.Add(42 * time.Second)
	r.check(good.Ref, rightCode)
	// Refused by the first channel, taken by the second, never verified.
	r.wall.Add(time.Hour)
	r.send(order{to: "+447400123456", steps: []delivery.Step{named(message.SMS, "login"), named(message.Voice, "call")}})
	r.submitted(r.one(), "a", refused())
	r.submitted(r.one(), "b", accepted("r2"))
	r.received("b", "r2", undeliverable)

	took := report.Histogram{}
	took[report.BucketOf(42*time.Second)] = 1
	for range 2 { // before and after the store has settled them
		for d, want := range map[report.Dimension]map[string]report.Counts{
			report.ByCountry:  {"DE": {Sent: 1, Delivered: 1, Verified: 1, Times: took}, "GB": {Sent: 1, Undeliverable: 2}},
			report.ByChannel:  {"SMS": {Sent: 1, Delivered: 1, Undeliverable: 1, Verified: 1, Times: took}, "VOICE": {Sent: 1, Undeliverable: 1}},
			report.ByCarrier:  {"a": {Sent: 1, Delivered: 1, Undeliverable: 1, Verified: 1, Times: took}, "b": {Sent: 1, Undeliverable: 1}},
			report.ByTemplate: {"login": {Sent: 1, Delivered: 1, Undeliverable: 1, Verified: 1, Times: took}, "call": {Sent: 1, Undeliverable: 1}},
		} {
			if diff := cmp.Diff(want, r.figures(acme, d)); diff != "" {
				t.Errorf("figures by %s (-want +got):\n%s", d, diff)
			}
		}
		settle()
	}
	first := report.HourOf(Start)
	hours := r.hours(acme, report.ByChannel)["SMS"]
	if hours[first].Sent != 1 || hours[first+1].Undeliverable != 1 || len(hours) != 2 {
		t.Errorf("hours of SMS are %+v, want what was sent in hour %d and refused in the next", hours, first)
	}
}

func figuresCredit(t *testing.T, r *reports, settle func()) {
	// The code is typed after the fallback was dispatched: that one has done it.
	o := twoSteps()
	sent := r.send(o)
	r.submitted(r.one(), "a", accepted("r1"))
	r.wall.Add(time.Minute)
	r.endWaits()
	r.submitted(r.one(), "b", accepted("r2"))
	r.wall.Add(7500 * time.Millisecond)
	r.check(sent.Ref, wrongCode)
	r.check(sent.Ref, rightCode)
	// Typed before our own commit of the dispatch: nobody can tell by what.
	early := r.send(order{})
	job := r.one()
	r.check(early.Ref, rightCode)
	r.submitted(job, "a", accepted("r3"))
	settle()
	took := report.Histogram{}
	took[report.BucketOf(7500*time.Millisecond)] = 1
	early1 := report.Histogram{}
	early1[0] = 1
	want := map[string]report.Counts{"a": {Sent: 2}, "b": {Sent: 1, Verified: 1, Times: took}, "": {Verified: 1, Times: early1}}
	if diff := cmp.Diff(want, r.figures(acme, report.ByCarrier)); diff != "" {
		t.Errorf("figures by carrier (-want +got):\n%s", diff)
	}
	// With an answer to repeat, the same once.
	again := r.send(order{})
	r.submitted(r.one(), "c", accepted("r4"))
	a := r.attempt(again.Ref, rightCode)
	a.Idempotency = verify.Idempotency{Key: [16]byte{1}, Fingerprint: [16]byte{2}}
	for range 2 {
		if c, err := r.CountAttempt(t.Context(), a); err != nil || c.Verdict != otp.Right {
			t.Fatalf("CountAttempt = %v, %v", c.Verdict, err)
		}
	}
	if got := r.figures(acme, report.ByCarrier)["c"]; got.Verified != 1 || got.Sent != 1 {
		t.Errorf("a repeated check counts %d verified of %d sent, want 1 of 1", got.Verified, got.Sent)
	}
}

// figuresRecount lets many callers work at once, some of it in vain, so that
// groups of work are undone and done again, and counts anew what the events
// tell.
func figuresRecount(t *testing.T, r *reports, settle func()) {
	const workers, each = 12, 12
	numbers := []string{"+4915112345678", "+447400123456", "+12125550123", "+33612345678"}
	var wg sync.WaitGroup
	ctx := context.WithoutCancel(t.Context())
	r.send(order{id: "taken"})
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				o := order{
					to: numbers[(w+i)%len(numbers)], resendable: true,
					steps: []delivery.Step{named(message.SMS, "t"+numbers[w%3][1:3]), named(message.Voice, "v")},
				}
				if i%5 == 0 { // undone with all that shares its commit
					o.id = "taken"
				}
				n := r.newOTP(o)
				_, err := r.CreateOTP(ctx, n)
				if errors.Is(err, verify.ErrIDTaken) {
					continue
				}
				if err != nil {
					t.Errorf("CreateOTP: %v", err)
					return
				}
				r.work(ctx, t, n, w+i)
			}
		})
	}
	for range workers / 3 {
		wg.Go(func() {
			for range 4 * each {
				settle()
				if _, err := r.ExpireOTPs(ctx); err != nil {
					t.Errorf("ExpireOTPs: %v", err)
				}
			}
		})
	}
	wg.Wait()
	for _, settled := range []string{"as they are written", "once they are settled"} {
		for _, d := range report.Dimensions() {
			if diff := cmp.Diff(r.recount(d), r.hours(acme, d)); diff != "" {
				t.Errorf("figures by %s %s differ from the events' (-recount +figures):\n%s", d, settled, diff)
			}
		}
		settle()
	}
	if all := r.figures(acme, report.ByChannel); all["SMS"].Sent < workers || all["SMS"].Verified+all["VOICE"].Verified < workers || all["VOICE"].Sent < 3 {
		t.Errorf("too little happened: %+v", all)
	}
}

// work does to one OTP what callers, carriers and people do.
func (r *reports) work(ctx context.Context, t *testing.T, n verify.NewOTP, way int) {
	key := delivery.Key{Account: n.Account, OTPID: n.ID, Seq: 1}
	at := time.Now()
	result := accepted(n.ID)
	if way%4 == 3 {
		result = refused()
	}
	o := delivery.SubmitOutcome{Key: key, Carrier: "c" + n.ID[:1], Result: result, Tries: []delivery.Try{try("c", at, time.Second, result)}}
	if _, err := r.RecordSubmits(ctx, []delivery.SubmitOutcome{o}); err != nil {
		t.Errorf("RecordSubmits: %v", err)
	}
	if way%4 == 3 { // the fallback
		o := delivery.SubmitOutcome{Key: delivery.Key{Account: n.Account, OTPID: n.ID, Seq: 2}, Carrier: "b", Result: accepted(n.ID)}
		if _, err := r.RecordSubmits(ctx, []delivery.SubmitOutcome{o}); err != nil {
			t.Errorf("RecordSubmits: %v", err)
		}
	}
	if way%3 != 0 && way%4 != 3 {
		state := delivered
		if way%3 == 2 {
			state = undeliverable
		}
		if _, _, err := r.RecordReceipt(ctx, delivery.Receipt{Carrier: o.Carrier, Ref: n.ID, State: state}); err != nil {
			t.Errorf("RecordReceipt: %v", err)
		}
	}
	for _, code := range []string{wrongCode, rightCode, rightCode}[way%2:] {
		if _, err := r.CountAttempt(ctx, r.attempt(n.Ref, code)); err != nil {
			t.Errorf("CountAttempt: %v", err)
		}
	}
	if way%5 == 1 { // in vain: it has ended
		nd := verify.NewDelivery{Ref: n.Ref, Channel: message.SMS, Dedupe: uuid.NewString()}
		if _, err := r.AddDelivery(ctx, nd); !errors.Is(err, verify.ErrEnded) {
			t.Errorf("AddDelivery = %v, want ErrEnded", err)
		}
	}
}

// recount counts what the events of acme's OTPs tell.
func (r *reports) recount(d report.Dimension) map[string]map[int64]report.Counts {
	r.t.Helper()
	all := map[string]map[int64]report.Counts{}
	var sel report.Selection
	for {
		found := r.find(sel)
		for _, o := range found.OTPs {
			rec := r.story(o.ID)
			var sent otp.Event // the message dispatched last
			for _, e := range rec.Events {
				if e.Kind == otp.EventDispatched {
					sent = e.Event
				}
				about := e.Event
				if e.Kind == otp.EventVerified {
					about = sent
				}
				value := map[report.Dimension]string{
					report.ByCountry: o.Country, report.ByChannel: about.Channel, report.ByCarrier: about.Carrier,
					report.ByTemplate: rec.Plan.Label(message.Channel(about.Channel)),
				}[d]
				hour := o.Created.Unix() / 3600
				c := all[value][hour]
				switch e.Kind {
				case otp.EventDispatched:
					c.Sent++
				case otp.EventDelivered:
					c.Delivered++
				case otp.EventUndeliverable:
					c.Undeliverable++
				case otp.EventVerified:
					c.Verified++
					from := sent.At
					if from.IsZero() {
						from = o.Created
					}
					c.Times[report.BucketOf(e.At.Sub(from))]++
				default:
					continue
				}
				if all[value] == nil {
					all[value] = map[int64]report.Counts{}
				}
				all[value][hour] = c
			}
		}
		if sel.Before = found.Next; sel.Before == 0 {
			return all
		}
	}
}

func figuresKept(t *testing.T, r *reports, settle func()) {
	for i, end := range []func(verify.Record){
		func(rec verify.Record) {
			if _, err := r.DeleteOTP(t.Context(), rec.Ref, verify.Idempotency{}); err != nil {
				t.Fatal(err)
			}
		},
		func(rec verify.Record) {
			if _, err := r.EraseRecipient(t.Context(), map[string][16]byte{acme: verify.RecipientKey(r.keys, acme, rec.Recipient)}); err != nil {
				t.Fatal(err)
			}
		},
		func(verify.Record) {
			r.wall.Add(2 * time.Hour)
			if _, err := r.ExpireOTPs(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.Purge(t, upkeep.Keep(time.Hour))
		},
	} {
		rec := r.send(order{})
		r.submitted(r.one(), "a", accepted(uuid.NewString()))
		end(rec)
		settle()
		if _, err := r.OTPRecord(t.Context(), acme, rec.ID); !errors.Is(err, report.ErrNotFound) {
			t.Errorf("the story of what is gone = %v, want ErrNotFound", err)
		}
		if got := r.figures(acme, report.ByCarrier)["a"].Sent; got != int64(i+1) {
			t.Errorf("after end %d: %d sent, want %d", i, got, i+1)
		}
	}
	if got := r.figures(other, report.ByCarrier); len(got) != 0 {
		t.Errorf("another account's figures are %+v", got)
	}
	// The clock is turned so far that the figures have been kept long enough.
	r.wall.Add(401 * 24 * time.Hour)
	r.Purge(t, upkeep.Keep(time.Hour))
	if got := r.figures(acme, report.ByCarrier); len(got) != 0 {
		t.Errorf("after 401 days the figures are %+v, want none", got)
	}
}

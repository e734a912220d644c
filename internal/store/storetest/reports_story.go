package storetest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/report"
)

func storyTries(t *testing.T, r *reports, _ func()) {
	sent := r.send(order{steps: []delivery.Step{named(message.SMS, "login"), step(message.Voice)}, reference: "ref"})
	retry := delivery.Result{Class: delivery.Retry, Failure: otp.Failure{Area: "carrier", Code: "88", Text: "throttled"}}
	queued := r.wall.Now()
	passed := delivery.Try{
		Carrier: "a", At: queued.Add(time.Second), Passed: delivery.PassedClosed,
		Failure: otp.Failure{Area: "carrier", Code: "\x00\xff", Text: strings.Repeat("€", 50)}, Place: 1, Of: 3,
	}
	second := delivery.Try{Carrier: "b", At: queued.Add(1500 * time.Millisecond), Took: 21300 * time.Microsecond, Class: delivery.Retry, Failure: retry.Failure, Place: 2, Of: 3}
	job := r.one()
	at := queued.Add(3 * time.Second)
	o := delivery.SubmitOutcome{Key: job.Key, Carrier: "b", Result: retry, RetryAt: at, Tries: []delivery.Try{passed, second}}
	if _, err := r.RecordSubmits(t.Context(), []delivery.SubmitOutcome{o}); err != nil {
		t.Fatal(err)
	}
	if d := r.story(sent.ID).Deliveries[0]; d.State != delivery.Queued || !d.Due.Equal(at) || len(d.Tries) != 2 {
		t.Errorf("after the first try: %s, due %v, %d tries; want QUEUED, %v, 2", d.State, d.Due, len(d.Tries), at)
	}
	r.wall.Add(3 * time.Second)
	third := delivery.Try{Carrier: "b", At: at, Took: 1100 * time.Microsecond, Class: delivery.Accepted, Place: 2, Of: 3}
	r.submitted(r.one(), "b", accepted("r1"), third)
	r.received("b", "r1", undeliverable)

	rec := r.story(sent.ID)
	if diff := cmp.Diff([]delivery.Try{passed, second, third}, rec.Deliveries[0].Tries); diff != "" {
		t.Errorf("tries (-want +got):\n%s", diff)
	}
	if len(rec.Deliveries) != 2 || rec.Deliveries[0].State != delivery.Undeliverable || !rec.Deliveries[0].Reported || rec.Deliveries[0].Carrier != "b" ||
		rec.Deliveries[1].State != delivery.Queued || rec.Deliveries[1].Channel != message.Voice || rec.Deliveries[1].Tries != nil {
		t.Errorf("deliveries %+v", rec.Deliveries)
	}
	kinds := []otp.EventKind{}
	for _, e := range rec.Events {
		kinds = append(kinds, e.Kind)
	}
	if !slices.Equal(kinds, []otp.EventKind{otp.EventDispatched, otp.EventUndeliverable}) || rec.Events[1].Failure == nil || rec.Events[1].Failure.Code != "3" {
		t.Errorf("events %+v", rec.Events)
	}
	if rec.ID != sent.ID || rec.Reference != "ref" || rec.Recipient != sent.Recipient || rec.Plan.Label(message.SMS) != "login" || !rec.Now.Equal(r.wall.Now()) {
		t.Errorf("record %+v at %v", rec.Summary, rec.Now)
	}
}

// storyBusy looks at a call that is to be made again: to who reads of it, it stays
// with its carrier.
func storyBusy(t *testing.T, r *reports, _ func()) {
	sent := r.send(order{steps: []delivery.Step{step(message.Voice)}})
	r.submitted(r.one(), "double", rings("c1"))
	end := r.wall.Now().Add(3 * time.Minute)
	r.busy("c1")
	rec := r.story(sent.ID)
	if d := rec.Deliveries[0]; d.State != delivery.Queued || !d.AgainUntil.Equal(end) || !d.Due.Equal(r.wall.Now().Add(callPause)) {
		t.Errorf("delivery %+v; want QUEUED in 20 s, until %v", d.Delivery, end)
	}
	if rec.Delivery != delivery.Dispatched {
		t.Errorf("the OTP's summary says %v; want DISPATCHED", rec.Delivery)
	}
}

// storyGivenUp looks at receipts that end a wait: the event says nothing of them,
// as if the time were over, and the story why.
func storyGivenUp(t *testing.T, r *reports, _ func()) {
	why := otp.Failure{Area: "carrier", Code: "no-answer", Text: "Nobody answered"}
	later, held := r.send(order{}), r.send(order{})
	for _, job := range r.claim("n1") {
		took := delivery.Try{Carrier: "a", At: r.wall.Now(), Class: delivery.Accepted, Place: 1, Of: 1}
		result := accepted("later")
		if job.OTPID == held.ID {
			result = accepted("held")
			result.Receipt = &delivery.Receipt{State: delivery.ReceiptTimedOut, Failure: why}
		}
		r.submitted(job, "a", result, took)
	}
	r.wall.Add(time.Second)
	if known, _, err := r.RecordReceipt(t.Context(), delivery.Receipt{Carrier: "a", Ref: "later", State: delivery.ReceiptTimedOut, Failure: why}); !known || err != nil {
		t.Fatalf("RecordReceipt = %v, %v", known, err)
	}
	for id, at := range map[string]time.Time{later.ID: r.wall.Now(), held.ID: r.wall.Now().Add(-time.Second)} {
		rec := r.story(id)
		d := rec.Deliveries[0]
		if diff := cmp.Diff(&report.GaveUp{At: at, Failure: why}, d.GaveUp); diff != "" || len(d.Tries) != 1 {
			t.Errorf("%d tries, and of the receipt (-want +got):\n%s", len(d.Tries), diff)
		}
		if last := rec.Events[len(rec.Events)-1]; last.Kind != otp.EventTimedOut || last.Failure != nil {
			t.Errorf("told as %+v; want a time-out without a failure", last.Event)
		}
	}
}

// storyCutShort looks at an OTP that the release of a quarantine ended.
func storyCutShort(t *testing.T, r *reports, _ func()) {
	sent := r.send(order{life: 5 * time.Minute})
	if err := r.Store.BeginQuarantine(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.wall.Add(time.Minute)
	if _, err := r.Store.EndQuarantine(t.Context()); err != nil {
		t.Fatal(err)
	}
	rec := r.story(sent.ID)
	if rec.Life != 5*time.Minute || rec.Expires.Sub(rec.Created) != time.Minute {
		t.Errorf("accepted for %v, lasted %v; want 5m and 1m", rec.Life, rec.Expires.Sub(rec.Created))
	}
}

// storyCutShortLate looks at one that a step of its plan had lengthened, and that
// was ended after its first end.
func storyCutShortLate(t *testing.T, r *reports, _ func()) {
	o := twoSteps()
	o.steps[1].Life = 4 * time.Minute
	sent := r.send(o)
	r.submitted(r.one(), "a", accepted("s1"))
	r.wall.Add(time.Minute)
	r.endWaits()
	r.submitted(r.one(), "a", accepted("v1"))
	if err := r.Store.BeginQuarantine(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.wall.Add(3 * time.Minute)
	if _, err := r.Store.EndQuarantine(t.Context()); err != nil {
		t.Fatal(err)
	}
	rec := r.story(sent.ID)
	if rec.Life != 5*time.Minute || rec.Expires.Sub(rec.Created) != 4*time.Minute {
		t.Errorf("given %v, lasted %v; want 5m and 4m", rec.Life, rec.Expires.Sub(rec.Created))
	}
}

func storyPushes(t *testing.T, r *reports, _ func()) {
	const profile = "p"
	long, short := uuid.NewString(), "short"
	for _, id := range []string{long, short} {
		c := catalog.SealedCallback{ID: id, URL: "https://" + id[:5] + ".example/hook", Secret: r.keys.Seal([]byte("s"), "test")}
		if err := r.CreateCallback(t.Context(), acme, c); err != nil {
			t.Fatal(err)
		}
	}
	sent := r.send(order{profile: profile})
	r.submitted(r.one(), "a", accepted("r1"))
	posts, _, err := r.ClaimCallbacks(t.Context(), callback.Claim{Node: "n1", Limit: 10, PerConfig: 8, Lease: time.Minute})
	if err != nil || len(posts) != 2 {
		t.Fatalf("claimed %d, %v; want 2", len(posts), err)
	}
	r.wall.Add(2 * time.Second)
	retryAt := r.wall.Now().Add(5 * time.Second)
	for _, p := range posts {
		o := callback.Outcome{ID: p.ID, ConfigID: p.ConfigID, Received: true, Status: 204, Latency: 31 * time.Millisecond}
		if p.ConfigID == short {
			o = callback.Outcome{ID: p.ID, ConfigID: p.ConfigID, Problem: "timeout", Latency: 10 * time.Second, RetryAt: retryAt}
		}
		if err := r.RecordPosts(t.Context(), []callback.Outcome{o}); err != nil {
			t.Fatal(err)
		}
	}
	rec := r.story(sent.ID)
	got := slices.SortedFunc(slices.Values(rec.Events[0].Pushes), func(a, b report.Push) int { return strings.Compare(a.Problem, b.Problem) })
	want := []report.Push{
		{ConfigID: long, At: r.wall.Now(), Latency: 31 * time.Millisecond, Received: true, Status: 204},
		{ConfigID: short, At: r.wall.Now(), Latency: 10 * time.Second, Problem: "timeout"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pushes (-want +got):\n%s", diff)
	}
	waiting := []report.Waiting{{ConfigID: short, EventSeq: 1, Attempts: 1, Due: retryAt, Problem: "timeout"}}
	if diff := cmp.Diff(waiting, rec.Callbacks); diff != "" {
		t.Errorf("waiting callbacks (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{long: "https://" + long[:5] + ".example/hook", short: "https://short.example/hook"}, rec.Addresses); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
}

func storyForeign(t *testing.T, r *reports, _ func()) {
	sent := r.send(order{account: other})
	if _, err := r.OTPRecord(t.Context(), acme, sent.ID); !errors.Is(err, report.ErrNotFound) {
		t.Errorf("another account's story = %v, want ErrNotFound", err)
	}
	if got := ids(r.find(report.Selection{})); len(got) != 0 {
		t.Errorf("found another account's %v", got)
	}
	if got := ids(r.find(report.Selection{ID: sent.ID})); len(got) != 0 {
		t.Errorf("found another account's %v by its id", got)
	}
	if _, err := r.OTPRecord(t.Context(), other, sent.ID); err != nil {
		t.Errorf("its own account's story: %v", err)
	}
}

func storyBounded(t *testing.T, r *reports, _ func()) {
	sent := r.send(order{life: time.Hour})
	why := otp.Failure{Area: "carrier", Code: "8", Text: strings.Repeat("x", 255)}
	for range 100 {
		job := r.one()
		tries := []delivery.Try{try("a", r.wall.Now(), time.Second, delivery.Result{Class: delivery.Retry, Failure: why})}
		r.wall.Add(time.Second)
		o := delivery.SubmitOutcome{Key: job.Key, Carrier: "a", Result: delivery.Result{Class: delivery.Retry, Failure: why}, RetryAt: r.wall.Now(), Tries: tries}
		if _, err := r.RecordSubmits(t.Context(), []delivery.SubmitOutcome{o}); err != nil {
			t.Fatal(err)
		}
	}
	d := r.story(sent.ID).Deliveries[0]
	if n := len(d.Tries); n < 10 || n > 20 || d.Delivery.Tries != 100 {
		t.Errorf("%d tries of %d are kept, want some 4 KiB of them, 100 counted", n, d.Delivery.Tries)
	}
}

package report_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/report"
)

func TestQuantilesComeFromTheBucketsEvenly(t *testing.T) {
	t.Parallel()
	var none report.Histogram
	if _, ok := none.Quantile(0.5); ok {
		t.Error("no times have a median")
	}
	var h report.Histogram
	for _, took := range []time.Duration{10 * time.Second, 11 * time.Second, 11 * time.Second, 40 * time.Second} {
		h[report.BucketOf(took)]++
	}
	// Three from 10 to 12 s, one from 40 to 45 s.
	for q, want := range map[float64]time.Duration{0: 10 * time.Second, 0.5: 10*time.Second + 4*time.Second/3, 0.75: 12 * time.Second, 1: 45 * time.Second} {
		if got, _ := h.Quantile(q); got.Round(time.Millisecond) != want.Round(time.Millisecond) {
			t.Errorf("Quantile(%v) = %v, want %v", q, got, want)
		}
	}
	var long report.Histogram
	long[report.BucketOf(100*time.Hour)]++
	if got, _ := long.Quantile(0.5); got != time.Hour {
		t.Errorf("what took longer than an hour counts as %v, want an hour", got)
	}
}

func TestEveryTimeIsInTheBucketThatEndsBehindIt(t *testing.T) {
	t.Parallel()
	bounds := report.Bounds()
	rapid.Check(t, func(t *rapid.T) {
		took := time.Duration(rapid.Int64Range(-1e9, 8e12).Draw(t, "took"))
		at := report.BucketOf(took)
		if at < 0 || at >= report.Buckets || at < len(bounds) && took >= bounds[at] || at > 0 && took < bounds[at-1] {
			t.Fatalf("BucketOf(%v) = %d", took, at)
		}
	})
}

// days draws any day.
func days(t *rapid.T) *report.Day {
	d := &report.Day{}
	for h := range d {
		if !rapid.Bool().Draw(t, "hour is used") {
			continue
		}
		n := rapid.Int64Range(0, 1<<40)
		c := &report.Counts{Sent: n.Draw(t, "sent"), Delivered: n.Draw(t, "delivered"), Undeliverable: n.Draw(t, "undeliverable"), Verified: 1 + n.Draw(t, "verified")}
		for range rapid.IntRange(0, 5).Draw(t, "buckets") {
			c.Times[rapid.IntRange(0, report.Buckets-1).Draw(t, "bucket")] = n.Draw(t, "times")
		}
		d[h] = c
	}
	return d
}

func TestADayReadsBackAndAddsUpAsItWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := days(t), days(t)
		back, err := report.DecodeDay(a.Encode())
		if diff := cmp.Diff(a, back); diff != "" || err != nil {
			t.Fatalf("DecodeDay(Encode) differs, %v:\n%s", err, diff)
		}
		back.Add(b)
		for h := range back {
			var want report.Counts
			for _, d := range []*report.Day{a, b} {
				if d[h] != nil {
					want.Add(d[h])
				}
			}
			if back[h] == nil && want != (report.Counts{}) || back[h] != nil && *back[h] != want {
				t.Fatalf("hour %d adds up to %+v, want %+v", h, back[h], want)
			}
		}
	})
}

func TestNotesReadBackAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	queued := time.Date(2026, 1, 1, 0, 0, 0, 123000, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		var tries []delivery.Try
		var pushes []report.Push
		var pushed []byte
		text := rapid.StringN(0, 60, 255)
		for range rapid.IntRange(0, 4).Draw(t, "tries") {
			try := delivery.Try{
				Carrier: text.Draw(t, "carrier"), At: queued.Add(rapid.Custom(millis).Draw(t, "at")),
				Place: rapid.IntRange(0, 255).Draw(t, "place"), Of: rapid.IntRange(0, 255).Draw(t, "of"),
				Failure: otp.Failure{Area: text.Draw(t, "area"), Code: text.Draw(t, "code"), Text: text.Draw(t, "text")},
			}
			if rapid.Bool().Draw(t, "passed") {
				try.Passed = delivery.Passed(rapid.IntRange(1, 3).Draw(t, "why"))
			} else {
				try.Took = rapid.Custom(millis).Draw(t, "took")
				if try.Class = delivery.Class(rapid.IntRange(1, 5).Draw(t, "class")); try.Class == delivery.Accepted {
					try.Carrier, try.Failure = "taker", otp.Failure{}
				}
			}
			tries = append(tries, try)
			p := report.Push{
				ConfigID: text.Draw(t, "id"), At: queued.Truncate(time.Millisecond).Add(rapid.Custom(millis).Draw(t, "pushed")), Latency: rapid.Custom(millis).Draw(t, "latency"),
				Received: rapid.Bool().Draw(t, "received"), Status: rapid.IntRange(0, 599).Draw(t, "status"), Problem: text.Draw(t, "problem"),
			}
			if rapid.Bool().Draw(t, "a UUID") {
				p.ConfigID = uuid.NewString()
			}
			pushes, pushed = append(pushes, p), append(pushed, report.NotePush(p)...)
		}
		var gaveUp *report.GaveUp
		notes := report.NoteTries(queued, tries)
		if rapid.Bool().Draw(t, "gave up") {
			gaveUp = &report.GaveUp{At: queued.Add(rapid.Custom(millis).Draw(t, "given up"))}
			if rapid.Bool().Draw(t, "says why") {
				gaveUp.Failure = otp.Failure{Area: "carrier", Code: text.Draw(t, "code"), Text: text.Draw(t, "text")}
			}
			notes = append(notes, report.NoteReceipt(queued, gaveUp.At, delivery.Receipt{Carrier: "taker", State: delivery.ReceiptTimedOut, Failure: gaveUp.Failure})...)
		}
		got, gotUp, err := report.Tries(notes, queued, "taker")
		if diff := cmp.Diff(gaveUp, gotUp); diff != "" {
			t.Fatalf("what the receipt said differs:\n%s", diff)
		}
		if diff := cmp.Diff(tries, got); diff != "" || err != nil {
			t.Fatalf("tries differ, %v:\n%s", err, diff)
		}
		back, err := report.Pushes(pushed)
		if diff := cmp.Diff(pushes, back); diff != "" || err != nil {
			t.Fatalf("pushes differ, %v:\n%s", err, diff)
		}
	})
}

func millis(t *rapid.T) time.Duration {
	return time.Duration(rapid.IntRange(0, 1e7).Draw(t, "ms")) * time.Millisecond
}

func TestAnAcceptedFirstTryIsNotedInAFewBytes(t *testing.T) {
	t.Parallel()
	at := time.Now()
	notes := report.NoteTries(at, []delivery.Try{{Carrier: "a carrier with a long name", At: at.Add(80 * time.Millisecond), Took: 120 * time.Millisecond, Class: delivery.Accepted, Place: 1, Of: 1}})
	if len(notes) > 5 {
		t.Errorf("%d bytes for every message that was ever sent, want 5 at most", len(notes))
	}
}

func TestOnlyAReceiptThatGivesUpIsNoted(t *testing.T) {
	t.Parallel()
	at := time.Now()
	for _, state := range []delivery.ReceiptState{delivery.ReceiptDelivered, delivery.ReceiptUndeliverable} {
		if notes := report.NoteReceipt(at, at, delivery.Receipt{Carrier: "a", State: state}); notes != nil {
			t.Errorf("%d bytes noted of a receipt of state %d, which an event tells", len(notes), state)
		}
	}
}

func FuzzDay(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 3, 1, 1, 0, 1, 1, 5, 1})
	f.Add([]byte{1, 23, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := report.DecodeDay(b)
		if err != nil {
			if !errors.Is(err, report.ErrStored) {
				t.Errorf("DecodeDay = %v, want ErrStored", err)
			}
			return
		}
		again, err := report.DecodeDay(d.Encode())
		if err != nil {
			t.Fatal(err)
		}
		for h := range d {
			if d[h] != nil && *d[h] != (report.Counts{}) && (again[h] == nil || *again[h] != *d[h]) {
				t.Errorf("hour %d is %+v, written and read again %+v", h, d[h], again[h])
			}
		}
	})
}

func FuzzNotes(f *testing.F) {
	at := time.UnixMilli(1_700_000_000_000).UTC()
	f.Add(report.NoteTries(at, []delivery.Try{{Carrier: "a", At: at, Class: delivery.Retry, Failure: otp.Failure{Area: "carrier", Code: "8", Text: "no"}, Place: 1, Of: 2}}))
	f.Add(report.NoteReceipt(at, at, delivery.Receipt{State: delivery.ReceiptTimedOut, Failure: otp.Failure{Code: "no-answer"}}))
	f.Add(report.NotePush(report.Push{ConfigID: "x", At: at, Status: 500}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if tries, _, err := report.Tries(b, at, "c"); err != nil && !errors.Is(err, report.ErrStored) || len(tries) > len(b) {
			t.Errorf("%d tries of %d bytes, %v", len(tries), len(b), err)
		}
		if pushes, err := report.Pushes(b); err != nil && !errors.Is(err, report.ErrStored) || len(pushes) > len(b) {
			t.Errorf("%d pushes of %d bytes, %v", len(pushes), len(b), err)
		}
	})
}

package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/report"
)

var accepted = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func after(d time.Duration) time.Time { return accepted.Add(d) }

// record is an OTP by SMS, then by voice, as changed.
func record(change func(*report.Record)) report.Record {
	r := report.Record{
		Summary: report.Summary{ID: "o1", Origin: "v4", State: otp.Active, Created: accepted, Expires: after(5 * time.Minute), Allowed: 3},
		Plan:    delivery.Plan{Steps: []delivery.Step{{Channel: message.SMS, Name: "login"}, {Channel: message.Voice}}},
		Deliveries: []report.Delivery{{Delivery: delivery.Delivery{
			Key: delivery.Key{Seq: 1}, Channel: message.SMS, State: delivery.Queued, Next: 1, Queued: accepted, Due: accepted,
		}}},
		Now: after(time.Minute),
	}
	change(&r)
	return r
}

// first changes the first delivery.
func first(r *report.Record, s delivery.State, carrier string, due time.Time) *report.Delivery {
	d := &r.Deliveries[0]
	d.State, d.Carrier, d.Due = s, carrier, due
	return d
}

// happened adds an event of the first delivery.
func happened(r *report.Record, at time.Duration, kind otp.EventKind, carrier string, failure *otp.Failure) {
	r.Events = append(r.Events, report.Event{Event: otp.Event{
		Seq: len(r.Events) + 1, At: after(at), Kind: kind, Delivery: 1, Channel: string(r.Deliveries[0].Channel), Carrier: carrier, Failure: failure,
	}})
}

func ended(r *report.Record, s otp.State, at time.Duration, attempts int) {
	r.State, r.Ended, r.Attempts = s, after(at), attempts
}

var (
	throttled = otp.Failure{Area: delivery.AreaCarrier, Code: "88", Text: "Throttled"}
	gone      = otp.Failure{Area: delivery.AreaCarrier, Code: "no-answer", Text: "The phone was off"}
)

// silent is a submit that was written and not answered.
func silent() []delivery.Try {
	return []delivery.Try{{Carrier: "a", Class: delivery.Uncertain, Failure: otp.Failure{Area: delivery.AreaCarrier, Code: "timeout", Text: "No answer in time"}}}
}

func TestASentenceSaysWhyAnOTPStandsWhereItStands(t *testing.T) {
	t.Parallel()
	unknown := &otp.Failure{Area: delivery.AreaCarrier, Code: "1", Text: "Unknown subscriber"}
	for _, c := range []struct {
		want   string
		change func(*report.Record)
	}{
		{"The SMS message waits to be handed to a carrier. The code is good until 12:05:00.", func(*report.Record) {}},
		{"No carrier has taken the SMS message yet. a said: Throttled (carrier 88). It is tried again at 12:00:02. The code is good until 12:05:00.", func(r *report.Record) {
			d := first(r, delivery.Queued, "a", after(2*time.Second))
			d.Tries = []delivery.Try{{Carrier: "a", Class: delivery.Retry, Failure: otp.Failure{Area: "carrier", Code: "88", Text: "Throttled"}}}
		}},
		{"No carrier has taken the SMS message yet. a was passed over: it needs the operator. It is tried again at 12:00:02. The code is good until 12:05:00.", func(r *report.Record) {
			first(r, delivery.Queued, "a", after(2*time.Second)).Tries = []delivery.Try{{Carrier: "a", Passed: delivery.PassedClosed}}
		}},
		{"The line was busy when a called. It is called once more at 12:00:25. The code is good until 12:05:00.", func(r *report.Record) {
			first(r, delivery.Queued, "a", after(25*time.Second)).AgainUntil = after(time.Minute)
		}},
		{"a took the SMS message and has not reported yet whether it arrived. If nothing comes until 12:01:00, VOICE is tried. The code is good until 12:05:00.", func(r *report.Record) {
			first(r, delivery.Dispatched, "a", after(time.Minute))
		}},
		{"The SMS message was delivered by a; the code was not typed yet. 1 wrong code was typed, 2 attempts are left. The code is good until 12:05:00.", func(r *report.Record) {
			first(r, delivery.Delivered, "a", time.Time{})
			r.Attempts = 1
		}},
		{"The SMS message was undeliverable, says a: Unknown subscriber (carrier 1). Nothing else is planned: ask for a new OTP or a resend. The code is good until 12:05:00.", func(r *report.Record) {
			first(r, delivery.Undeliverable, "a", time.Time{})
			happened(r, time.Second, otp.EventUndeliverable, "a", unknown)
		}},
		{"The SMS message was undeliverable: No route for this channel and number (routing 404); no carrier was asked for it. Nothing else is planned: ask for a new OTP or a resend. The code is good until 12:05:00.", func(r *report.Record) {
			first(r, delivery.Undeliverable, "", time.Time{})
			happened(r, time.Second, otp.EventUndeliverable, "", &delivery.NoRoute)
		}},
		{"a never reported whether the SMS message arrived. Nothing else is planned. The code is good until 12:05:00.", func(r *report.Record) {
			first(r, delivery.TimedOut, "a", time.Time{})
		}},
		{"Verified: the right code was typed 30.0 s after a took the SMS message, with attempt 2 of 3.", func(r *report.Record) {
			first(r, delivery.Delivered, "a", time.Time{})
			happened(r, 2*time.Second, otp.EventDispatched, "a", nil)
			ended(r, otp.Verified, 32*time.Second, 2)
		}},
		{"Verified: the right code was typed 800 ms after the OTP was accepted, with attempt 1 of 3.", func(r *report.Record) {
			ended(r, otp.Verified, 800*time.Millisecond, 1)
		}},
		{"Blocked: all 3 attempts were used on wrong codes, the last at 12:00:40. A new OTP is needed. No message is known to have arrived, so somebody may have guessed.", func(r *report.Record) {
			ended(r, otp.TooManyAttempts, 40*time.Second, 3)
		}},
		{"Blocked: all 3 attempts were used on wrong codes, the last at 12:00:40. A new OTP is needed.", func(r *report.Record) {
			happened(r, 4*time.Second, otp.EventDelivered, "a", nil)
			ended(r, otp.TooManyAttempts, 40*time.Second, 3)
		}},
		{"Expired: the SMS message was delivered, but the right code was not typed in time. 2 wrong codes were typed.", func(r *report.Record) {
			happened(r, 4*time.Second, otp.EventDelivered, "a", nil)
			ended(r, otp.Expired, 5*time.Minute, 2)
		}},
		{"Expired: the code did not arrive. The SMS message was undeliverable, says a: Unknown subscriber (carrier 1). Nobody typed a code.", func(r *report.Record) {
			first(r, delivery.Undeliverable, "a", time.Time{})
			happened(r, time.Second, otp.EventUndeliverable, "a", unknown)
			ended(r, otp.Expired, 5*time.Minute, 0)
		}},
		{"Expired: a took the SMS message but never reported that it arrived. Nobody typed a code.", func(r *report.Record) {
			first(r, delivery.Queued, "a", time.Time{}).AgainUntil = after(time.Minute)
			ended(r, otp.Expired, 5*time.Minute, 0)
		}},
		{"Expired: no carrier took the SMS message in time. None was asked. Nobody typed a code.", func(r *report.Record) {
			ended(r, otp.Expired, 5*time.Minute, 0)
		}},
		{"Expired: a took the SMS message but never reported that it arrived. Nobody typed a code.", func(r *report.Record) {
			first(r, delivery.TimedOut, "a", time.Time{})
			ended(r, otp.Expired, 5*time.Minute, 0)
		}},
		{"a took the SMS message and reported that it gave up: The phone was off (carrier no-answer). Nothing else is planned. The code is good until 12:05:00.", func(r *report.Record) {
			first(r, delivery.TimedOut, "a", time.Time{}).GaveUp = &report.GaveUp{Failure: gone}
		}},
		{"Expired: a took the SMS message and reported that it gave up. Nobody typed a code.", func(r *report.Record) {
			first(r, delivery.TimedOut, "a", time.Time{}).GaveUp = &report.GaveUp{}
			ended(r, otp.Expired, 5*time.Minute, 0)
		}},
		{"a did not say whether it took the SMS message: No answer in time (carrier timeout). It has not reported yet whether the message arrived. If nothing comes until 12:01:00, VOICE is tried. The code is good until 12:05:00.", func(r *report.Record) {
			first(r, delivery.Dispatched, "a", after(time.Minute)).Tries = silent()
		}},
		{"a did not say whether it took the SMS message: No answer in time (carrier timeout). It never reported whether the message arrived. Nothing else is planned. The code is good until 12:05:00.", func(r *report.Record) {
			first(r, delivery.TimedOut, "a", time.Time{}).Tries = silent()
		}},
		{"a did not say whether it took the SMS message: No answer in time (carrier timeout). It is tried again at 12:00:02. The code is good until 12:05:00.", func(r *report.Record) {
			first(r, delivery.Queued, "a", after(2*time.Second)).Tries = silent()
		}},
		{"Expired: a did not say whether it took the SMS message: No answer in time (carrier timeout). It never reported that the message arrived. Nobody typed a code.", func(r *report.Record) {
			// A repetition that was refused for now tells nothing of the first try.
			first(r, delivery.TimedOut, "a", time.Time{}).Tries = append(silent(), delivery.Try{Carrier: "a", Class: delivery.Retry, Failure: throttled})
			ended(r, otp.Expired, 5*time.Minute, 0)
		}},
		{"a took the SMS message and has not reported yet whether it arrived. The code is good until 12:05:00.", func(r *report.Record) {
			first(r, delivery.Dispatched, "a", time.Time{}).Tries = append(silent(), delivery.Try{Carrier: "a", Class: delivery.Accepted})
		}},
		{"The SMS message was undeliverable: The channel's carrier could not be reached (internal 503). a said: Throttled (carrier 88). Nothing else is planned: ask for a new OTP or a resend. The code is good until 12:05:00.", func(r *report.Record) {
			first(r, delivery.Undeliverable, "a", time.Time{}).Tries = []delivery.Try{{Carrier: "a", Class: delivery.Retry, Failure: throttled}}
			happened(r, time.Second, otp.EventUndeliverable, "a", &delivery.Unreachable)
		}},
		{"Expired: the code did not arrive. The SMS message was undeliverable: The channel's carrier could not be reached (internal 503). a was passed over: it kept failing. Its last failure: Throttled (carrier 88). Nobody typed a code.", func(r *report.Record) {
			first(r, delivery.Undeliverable, "a", time.Time{}).Tries = []delivery.Try{{Carrier: "a", Passed: delivery.PassedFailing, Failure: throttled}}
			happened(r, time.Second, otp.EventUndeliverable, "a", &delivery.Unreachable)
			ended(r, otp.Expired, 5*time.Minute, 0)
		}},
		{"The SMS message was undeliverable: The channel's carrier could not be reached (internal 503). a was asked last. Nothing else is planned: ask for a new OTP or a resend. The code is good until 12:05:00.", func(r *report.Record) {
			first(r, delivery.Undeliverable, "a", time.Time{}).Tries = []delivery.Try{{Carrier: "a", Class: delivery.Retry, Failure: delivery.Unreachable}}
			happened(r, time.Second, otp.EventUndeliverable, "a", &delivery.Unreachable)
		}},
		{"Ended at 12:01:00, before its time, by the release of a quarantine. 1 wrong code was typed.", func(r *report.Record) {
			first(r, delivery.TimedOut, "a", time.Time{})
			r.Life, r.Expires = 5*time.Minute, after(time.Minute)
			ended(r, otp.Expired, time.Minute, 1)
		}},
	} {
		if diff := cmp.Diff(c.want, report.Tell(record(c.change)).Why); diff != "" {
			t.Errorf("why (-want +got):\n%s", diff)
		}
	}
}

func TestTimesInWordsAreInTheReadersZone(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	r := record(func(*report.Record) {})
	r.Zone = zone
	if got := report.Tell(r).Why; !strings.Contains(got, "until 17:35:00") {
		t.Errorf("why = %q, want the time in Kolkata, 17:35:00", got)
	}
}

func titles(entries []report.Entry) []string {
	all := []string{}
	for _, e := range entries {
		all = append(all, e.At.Sub(accepted).String()+" "+e.Title)
	}
	return all
}

func TestATimelineGoesFromAcceptToTheLastCallback(t *testing.T) {
	t.Parallel()
	r := record(func(r *report.Record) {
		r.Addresses = map[string]string{"c1": "https://user:secret@hooks.example/private?key=1"}
		d := first(r, delivery.TimedOut, "b", time.Time{})
		d.Ref = "r1"
		d.Tries = []delivery.Try{
			{Carrier: "a", At: after(time.Second), Passed: delivery.PassedFailing, Place: 1, Of: 2},
			{Carrier: "b", At: after(time.Second), Took: time.Second, Class: delivery.Accepted, Place: 2, Of: 2},
		}
		happened(r, 2*time.Second, otp.EventDispatched, "b", nil)
		r.Events[0].Pushes = []report.Push{
			{ConfigID: "c1", At: after(3 * time.Second), Problem: "timeout", Latency: time.Second},
			{ConfigID: "c1", At: after(9 * time.Second), Status: 204, Received: true},
		}
		happened(r, 62*time.Second, otp.EventTimedOut, "b", nil)
		r.Deliveries = append(r.Deliveries, report.Delivery{Delivery: delivery.Delivery{
			Key: delivery.Key{Seq: 2}, Channel: message.Voice, StepAt: 1, Next: -1, State: delivery.Dispatched, Queued: after(62 * time.Second), Due: after(5 * time.Minute), Carrier: "b",
		}}, report.Delivery{Delivery: delivery.Delivery{
			Key: delivery.Key{Seq: 3}, Channel: message.SMS, Next: -1, State: delivery.Queued, Queued: after(90 * time.Second), Due: after(95 * time.Second),
		}})
		r.Callbacks = []report.Waiting{{ConfigID: "c1", EventSeq: 2, Attempts: 1, Due: after(2 * time.Minute)}, {ConfigID: "gone", EventSeq: 1, Attempts: 8}}
	})
	s := report.Tell(r)
	want := []string{
		"0s Accepted", "0s SMS queued", "1s a passed over: it kept failing", "1s b accepted the message", "2s SMS message dispatched",
		"3s Event 1 not received by hooks.example", "9s Event 1 posted to hooks.example", "9s Event 1 given up: a dead letter for a deleted callback",
		"1m2s No receipt came for the SMS message in time", "1m2s Fallback: VOICE queued", "1m30s Resend: SMS queued",
	}
	if diff := cmp.Diff(want, titles(s.Timeline)); diff != "" {
		t.Errorf("timeline (-want +got):\n%s", diff)
	}
	want = []string{
		"1m35s Hand the SMS message to a carrier", "2m0s Post event 2 to hooks.example", "5m0s Stop waiting for the receipt of b", "5m0s The OTP expires",
	}
	if diff := cmp.Diff(want, titles(s.Planned)); diff != "" {
		t.Errorf("planned (-want +got):\n%s", diff)
	}
	for _, e := range append(s.Timeline, s.Planned...) {
		if strings.Contains(e.Title+e.Detail, "secret") || strings.Contains(e.Title+e.Detail, "key=1") {
			t.Errorf("the callback's address shows in %q %q", e.Title, e.Detail)
		}
	}
}

func TestASecondCallIsPlanned(t *testing.T) {
	t.Parallel()
	s := report.Tell(record(func(r *report.Record) {
		d := first(r, delivery.Queued, "a", after(25*time.Second))
		d.AgainUntil, d.Tries = after(time.Minute), []delivery.Try{{Carrier: "a", At: after(0), Class: delivery.Accepted, Place: 1, Of: 1}}
	}))
	if got := titles(s.Planned)[0]; got != "25s Call the busy line again" {
		t.Errorf("planned %q; want the second call", got)
	}
}

func TestATimelineSaysThatTheCarrierGaveUp(t *testing.T) {
	t.Parallel()
	s := report.Tell(record(func(r *report.Record) {
		first(r, delivery.TimedOut, "a", time.Time{}).GaveUp = &report.GaveUp{At: after(time.Second), Failure: gone}
		happened(r, time.Second, otp.EventTimedOut, "a", nil)
	}))
	last := s.Timeline[len(s.Timeline)-1]
	if last.Title != "a gave up the SMS message" || last.Detail != "So says its receipt: The phone was off (carrier no-answer)." {
		t.Errorf("the time-out is told as %q, %q; want the receipt and its reason", last.Title, last.Detail)
	}
}

func TestCarriersThatArePassedOverDoNotCountAsTries(t *testing.T) {
	t.Parallel()
	s := report.Tell(record(func(r *report.Record) {
		first(r, delivery.Dispatched, "b", time.Time{}).Tries = []delivery.Try{
			{Carrier: "a", At: after(time.Second), Passed: delivery.PassedFailing, Place: 1, Of: 2},
			{Carrier: "b", At: after(2 * time.Second), Class: delivery.Accepted, Place: 2, Of: 2},
		}
	}))
	if last := s.Timeline[len(s.Timeline)-1]; last.Detail != "Carrier 2 of 2 in the route. Try 1." {
		t.Errorf("the first submit is told as %q", last.Detail)
	}
}

func TestAnOTPThatWasCutShortWasValidForLonger(t *testing.T) {
	t.Parallel()
	s := report.Tell(record(func(r *report.Record) {
		r.Life, r.Expires = 5*time.Minute, after(time.Minute)
		ended(r, otp.Expired, time.Minute, 0)
	}))
	if got := s.Timeline[0].Detail; !strings.Contains(got, "valid until 12:05:00") {
		t.Errorf("accepted: %q; want the end that it was accepted with, 12:05:00", got)
	}
}

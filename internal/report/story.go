package report

import (
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
)

// Story is what happened to one OTP and what is to come.
type Story struct {
	Record

	// Why says in a sentence or two why the OTP stands where it stands.
	Why      string
	Timeline []Entry // oldest first
	Planned  []Entry // what happens next if nothing else does, soonest first
}

// Tone is how an entry is to be taken.
type Tone string

// The tones.
const (
	Plain Tone = ""
	Good  Tone = "good"
	Bad   Tone = "bad"
	Doubt Tone = "doubt" // not as hoped, and not the end
)

// Entry is one line of a story.
type Entry struct {
	At       time.Time
	Title    string // what happened, in a few words
	Detail   string // more of it, "" for nothing
	Tone     Tone
	Delivery int             // which delivery it tells of, 0 for none
	Channel  message.Channel // the delivery's
	Carrier  string          // the carrier it tells of, "" for none
	Took     time.Duration   // how long it took, 0 if that says nothing
}

// Tell makes a story of a record.
func Tell(r Record) Story {
	s := Story{Record: r, Why: why(&r)}
	s.Timeline = append(s.Timeline, Entry{At: r.Created, Title: "Accepted", Detail: acceptedDetail(&r)})
	for i := range r.Deliveries {
		d := &r.Deliveries[i]
		s.Timeline = append(s.Timeline, deliveryEntries(&r, d)...)
		s.Timeline = append(s.Timeline, eventsOf(&r, d.Seq)...)
	}
	s.Timeline = append(s.Timeline, eventsOf(&r, 0)...)
	// Events are kept in whole milliseconds: within one, cause stands before
	// effect as above.
	slices.SortStableFunc(s.Timeline, func(a, b Entry) int {
		return a.At.Truncate(otp.EventStep).Compare(b.At.Truncate(otp.EventStep))
	})
	s.Planned = planned(&r)
	return s
}

// eventsOf are the entries of the events of a delivery, or of none for 0.
func eventsOf(r *Record, delivery int) []Entry {
	var all []Entry
	for i := range r.Events {
		if e := &r.Events[i]; e.Delivery == delivery {
			all = append(all, eventEntries(r, e)...)
		}
	}
	return all
}

func acceptedDetail(r *Record) string {
	var steps []string
	for _, step := range r.Plan.Steps {
		steps = append(steps, string(step.Channel))
	}
	return "By " + strings.Join(steps, ", then ") + "; valid until " + r.clock(validUntil(r)) + ", " + plural(r.Allowed, "attempt", "attempts") + "."
}

// validUntil is the end that the OTP was accepted with, or a later one that a step
// of its plan gave it.
func validUntil(r *Record) time.Time {
	if r.cutShort() {
		return r.Created.Add(r.Life)
	}
	return r.Expires
}

// cutShort reports whether the OTP's end was brought forward. Only the release of
// a quarantine does that.
func (r *Record) cutShort() bool { return r.Expires.Sub(r.Created) < r.Life }

// deliveryEntries are those of one delivery: why it was begun and every look at
// a carrier.
func deliveryEntries(r *Record, d *Delivery) []Entry {
	step, _ := r.Plan.Step(d.StepAt)
	base := Entry{At: d.Queued, Delivery: d.Seq, Channel: d.Channel}
	begun := base
	switch {
	case d.Seq == 1:
		begun.Title = string(d.Channel) + " queued"
	case failedBefore(r, d) != nil:
		begun.Title, begun.Tone = "Fallback: "+string(d.Channel)+" queued", Doubt
		if e := failedBefore(r, d); e.At.After(begun.At) {
			begun.At = e.At // events of one moment are told a millisecond apart
		}
	default:
		begun.Title = "Resend: " + string(d.Channel) + " queued"
	}
	if label := r.Plan.Label(d.Channel); label != "" {
		begun.Detail = "Template " + label
		if step.Language != "" {
			begun.Detail += ", language " + step.Language
		}
		begun.Detail += "."
	}
	all := []Entry{begun}
	asked := 0
	for _, t := range d.Tries {
		if t.Passed == 0 {
			asked++
		}
		e := base
		e.At, e.Carrier, e.Took = t.At, t.Carrier, t.Took
		e.Title, e.Detail, e.Tone = tryWords(t, asked, d)
		all = append(all, e)
	}
	return all
}

// failedBefore returns the event of the failure that made the plan go on to d;
// nil if d was asked for by a resend. The clock tells the two apart: the plan
// goes on in the moment of the failure.
func failedBefore(r *Record, d *Delivery) *Event {
	for i := range r.Deliveries {
		before := &r.Deliveries[i]
		if before.Seq >= d.Seq || before.Next != d.StepAt {
			continue
		}
		for _, kind := range []otp.EventKind{otp.EventTimedOut, otp.EventUndeliverable} {
			e := eventOf(r, kind, before.Seq)
			if e != nil && d.Queued.Sub(e.At).Abs() <= maxEventDelay {
				return e
			}
		}
	}
	return nil
}

// maxEventDelay is how far the recorded time of an event may be from the moment
// in which it was recorded: each event of an OTP is a millisecond at least
// behind the one before.
const maxEventDelay = 20 * otp.EventStep

// planned is what is to come by itself.
func planned(r *Record) []Entry {
	var all []Entry
	for i := range r.Deliveries {
		d := &r.Deliveries[i]
		e := Entry{At: d.Due, Delivery: d.Seq, Channel: d.Channel, Carrier: d.Carrier}
		switch {
		case d.Due.IsZero():
			continue
		case d.State == delivery.Queued && len(d.Tries) == 0:
			e.Title = "Hand the " + string(d.Channel) + " message to a carrier"
		case d.State == delivery.Queued && !d.AgainUntil.IsZero():
			e.Title = "Call the busy line again"
		case d.State == delivery.Queued:
			e.Title = "Try the " + string(d.Channel) + " message again"
		case d.State == delivery.Dispatched:
			e.Title = "Stop waiting for the receipt of " + d.Carrier
			if step, ok := r.Plan.Step(d.Next); ok {
				e.Detail = "Then " + string(step.Channel) + " is next."
			}
		default:
			continue
		}
		all = append(all, e)
	}
	if r.Ended.IsZero() {
		all = append(all, Entry{At: r.Expires, Title: "The OTP expires"})
	}
	for _, w := range r.Callbacks {
		if w.Due.IsZero() {
			continue
		}
		title := "Post event " + number(w.EventSeq) + " to " + host(r.Addresses[w.ConfigID])
		all = append(all, Entry{At: w.Due, Title: title, Detail: "Attempt " + number(w.Attempts+1) + "."})
	}
	slices.SortStableFunc(all, func(a, b Entry) int { return a.At.Compare(b.At) })
	return all
}

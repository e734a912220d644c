package report

import (
	"encoding/binary"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
)

// MaxNotes is how many bytes of notes a store keeps for one delivery or event.
// The note that crosses it is kept whole; later ones are left out.
const MaxNotes = 4 << 10

// Flags of a noted try, beside its class in the lowest three bits.
const (
	tryClass   = 0x07
	tryPassed  = 0x08 // the class is a delivery.Passed
	tryCarrier = 0x10 // the carrier's name follows; else it is the delivery's
	tryFailure = 0x20 // area, code and text follow
	tryPlace   = 0x40 // place in the route and its length follow; else both are 1
	tryGaveUp  = 0x80 // no try, but that the carrier gave up: of it only the failure counts
)

// tick is the unit that noted latencies are kept in.
const tick = 100 * time.Microsecond

// NoteTries packs tries of a delivery that was queued at queued. Packed notes
// are put one behind the other.
func NoteTries(queued time.Time, tries []delivery.Try) []byte {
	var b []byte
	for _, t := range tries {
		flags := byte(t.Class) & tryClass
		if t.Passed != 0 {
			flags = byte(t.Passed)&tryClass | tryPassed
		}
		took := t.Class == delivery.Accepted // then the delivery's carrier stays this one
		if !took {
			flags |= tryCarrier
		}
		if t.Failure != (otp.Failure{}) {
			flags |= tryFailure
		}
		if t.Place != 1 || t.Of != 1 {
			flags |= tryPlace
		}
		b = append(b, flags)
		b = binary.AppendUvarint(b, uint64(max(t.At.Sub(queued), 0)/time.Millisecond))
		b = binary.AppendUvarint(b, uint64(max(t.Took, 0)/tick))
		if !took {
			b = appendText(b, t.Carrier)
		}
		if flags&tryFailure != 0 {
			b = appendText(appendText(appendText(b, t.Failure.Area), t.Failure.Code), t.Failure.Text)
		}
		if flags&tryPlace != 0 {
			b = append(b, byte(min(max(t.Place, 0), maxText)), byte(min(max(t.Of, 0), maxText)))
		}
	}
	return b
}

// GaveUp is a receipt that says that the carrier tries no longer. No event holds
// what it says: callbacks are told a time-out as if nothing had come.
type GaveUp struct {
	At      time.Time   // when it was recorded
	Failure otp.Failure // the carrier's reason, zero if it gave none
}

// NoteOutcome packs what came of a submit at now of a delivery that was queued at
// queued, to be put behind its other notes.
func NoteOutcome(queued, now time.Time, o delivery.SubmitOutcome) []byte {
	notes := NoteTries(queued, o.Tries)
	if o.Result.Receipt != nil {
		notes = append(notes, NoteReceipt(queued, now, *o.Result.Receipt)...)
	}
	return notes
}

// NoteReceipt packs what no event tells of a receipt that is recorded at now: that
// the carrier gave up, and why. It is nil for every other. It reads as a try
// where an older version meets it.
func NoteReceipt(queued, now time.Time, r delivery.Receipt) []byte {
	if r.State != delivery.ReceiptTimedOut {
		return nil
	}
	gaveUp := delivery.Try{At: now, Class: delivery.Uncertain, Failure: r.Failure, Carrier: r.Carrier, Place: 1, Of: 1}
	notes := NoteTries(queued, []delivery.Try{gaveUp})
	notes[0] |= tryGaveUp
	return notes
}

// Tries is the inverse of NoteTries and NoteReceipt. carrier is the delivery's;
// gaveUp is nil if it did not give up.
func Tries(notes []byte, queued time.Time, carrier string) (tries []delivery.Try, gaveUp *GaveUp, err error) {
	r := reader{b: notes}
	for len(r.b) > 0 {
		flags := r.byte()
		t := delivery.Try{Carrier: carrier, Place: 1, Of: 1}
		if flags&tryPassed != 0 {
			t.Passed = delivery.Passed(flags & tryClass)
		} else {
			t.Class = delivery.Class(flags & tryClass)
		}
		t.At = queued.Add(bounded(r.count(), time.Millisecond))
		t.Took = bounded(r.count(), tick)
		if flags&tryCarrier != 0 {
			t.Carrier = r.text()
		}
		if flags&tryFailure != 0 {
			t.Failure = otp.Failure{Area: r.text(), Code: r.text(), Text: r.text()}
		}
		if flags&tryPlace != 0 {
			t.Place, t.Of = int(r.byte()), int(r.byte())
		}
		if r.bad {
			return tries, gaveUp, ErrStored
		}
		if flags&tryGaveUp != 0 {
			gaveUp = &GaveUp{t.At, t.Failure}
			continue
		}
		tries = append(tries, t)
	}
	return tries, gaveUp, nil
}

// bounded is n units, at most about a century.
func bounded(n int64, unit time.Duration) time.Duration {
	return time.Duration(min(n, int64(100*365*24*time.Hour/unit))) * unit
}

// Push is one attempt to post an event to a callback's address.
type Push struct {
	ConfigID string
	At       time.Time // when its outcome was recorded
	Latency  time.Duration
	Received bool
	Status   int    // HTTP status, 0 if there was no answer
	Problem  string // why there was none, "" if there was one
}

// Flags of a noted push.
const (
	pushReceived = 0x01
	pushUUID     = 0x02 // the configuration's id is a UUID, packed
)

// NotePush packs an attempt to push an event. Packed notes are put one behind
// the other.
func NotePush(p Push) []byte {
	var flags byte
	if p.Received {
		flags |= pushReceived
	}
	id, err := uuid.Parse(p.ConfigID)
	packed := err == nil && id.String() == p.ConfigID
	if packed {
		flags |= pushUUID
	}
	b := []byte{flags}
	if packed {
		b = append(b, id[:]...)
	} else {
		b = appendText(b, p.ConfigID)
	}
	b = binary.AppendUvarint(b, uint64(max(p.At.UnixMilli(), 0)))
	b = binary.AppendUvarint(b, uint64(max(p.Latency.Milliseconds(), 0)))
	b = binary.AppendUvarint(b, uint64(max(p.Status, 0)))
	return appendText(b, p.Problem)
}

// Pushes is the inverse of NotePush.
func Pushes(notes []byte) ([]Push, error) {
	r := reader{b: notes}
	var pushes []Push
	for len(r.b) > 0 {
		flags := r.byte()
		p := Push{Received: flags&pushReceived != 0}
		if flags&pushUUID != 0 {
			if id, err := uuid.FromBytes(r.bytes(len(uuid.UUID{}))); err == nil {
				p.ConfigID = id.String()
			}
		} else {
			p.ConfigID = r.text()
		}
		p.At = time.UnixMilli(min(r.count(), 1<<50)).UTC()
		p.Latency = bounded(r.count(), time.Millisecond)
		p.Status = int(min(r.count(), 999))
		p.Problem = r.text()
		if r.bad {
			return pushes, ErrStored
		}
		pushes = append(pushes, p)
	}
	return pushes, nil
}

package report

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
)

func number(n int) string { return strconv.Itoa(n) }

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

// clock is a time of day as stories write it.
func (r *Record) clock(t time.Time) string {
	zone := r.Zone
	if zone == nil {
		zone = time.UTC
	}
	return t.In(zone).Format("15:04:05")
}

// length is a duration in words that people use.
func length(d time.Duration) string {
	switch {
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < 2*time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < 2*time.Hour:
		return number(int(d.Round(time.Minute)/time.Minute)) + " min"
	}
	return number(int(d.Round(time.Hour)/time.Hour)) + " h"
}

// host is where a callback goes, without what may be secret in its address.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "a deleted callback"
	}
	return u.Hostname()
}

// because is a failure in words, with its code.
func because(f otp.Failure) string {
	text := f.Text
	if text == "" {
		text = "no reason given"
	}
	if f.Code != "" {
		text += " (" + f.Area + " " + f.Code + ")"
	}
	return text
}

// why is the carrier's reason, to be put behind what it reported.
func (g *GaveUp) why() string {
	if g.Failure == (otp.Failure{}) {
		return ""
	}
	return ": " + because(g.Failure)
}

// place says where in its route a carrier is.
func place(t delivery.Try) string {
	if t.Of <= 1 {
		return "The route's only carrier."
	}
	return "Carrier " + number(t.Place) + " of " + number(t.Of) + " in the route."
}

// tryWords tells one look at a carrier; n counts the submits of the delivery, this
// one included.
func tryWords(t delivery.Try, n int, d *Delivery) (title, detail string, tone Tone) {
	if t.Passed != 0 {
		detail = place(t)
		if t.Failure != (otp.Failure{}) {
			detail += " Its last failure: " + because(t.Failure) + "."
		}
		return t.Carrier + " passed over: " + t.Passed.String(), detail, Doubt
	}
	detail = place(t) + " Try " + number(n) + "."
	if t.Class != delivery.Accepted {
		detail += " " + because(t.Failure) + "."
	}
	switch t.Class {
	case delivery.Accepted:
		if d.Ref != "" {
			detail += " Its reference: " + d.Ref + "."
		}
		return t.Carrier + " accepted the message", detail, Good
	case delivery.Retry:
		return t.Carrier + " could not take it now", detail, Doubt
	case delivery.Permanent:
		return t.Carrier + " refused it for good", detail, Bad
	case delivery.Config:
		return t.Carrier + " needs the operator", detail, Bad
	case delivery.Uncertain:
		return t.Carrier + " gave no usable answer", detail, Doubt
	case delivery.Deferred:
	}
	return t.Carrier + " had no room", detail, Doubt
}

// eventEntries tell an event and the attempts to push it.
func eventEntries(r *Record, e *Event) []Entry {
	entry := Entry{At: e.At, Delivery: e.Delivery, Carrier: e.Carrier}
	d := deliveryOf(r, e)
	if d != nil {
		entry.Channel = d.Channel
	}
	channel := e.Channel
	switch e.Kind {
	case otp.EventDispatched:
		entry.Title, entry.Tone = channel+" message dispatched", Plain
	case otp.EventDelivered:
		entry.Title, entry.Tone = channel+" message delivered", Good
		entry.Detail = "So says the receipt of " + e.Carrier + "."
	case otp.EventUndeliverable:
		entry.Title, entry.Tone = channel+" message undeliverable", Bad
		if e.Failure != nil {
			entry.Detail = because(*e.Failure) + "."
		}
	case otp.EventTimedOut:
		entry.Title, entry.Tone = "No receipt came for the "+channel+" message in time", Doubt
		if d != nil && d.GaveUp != nil {
			entry.Title = e.Carrier + " gave up the " + channel + " message"
			entry.Detail = "So says its receipt" + d.GaveUp.why() + "."
		}
	case otp.EventVerified:
		entry.Title, entry.Tone = "The right code was typed", Good
	case otp.EventWrongCode:
		entry.Title, entry.Tone = "A wrong code was typed", Doubt
	case otp.EventTooManyAttempts:
		entry.Title, entry.Tone = "A wrong code used up the last attempt", Bad
	case otp.EventExpired:
		entry.Title, entry.Tone = "Expired", Plain
	}
	all := []Entry{entry}
	for i, p := range e.Pushes {
		all = append(all, pushEntry(r, e, p, attemptOf(e, i)))
	}
	for _, w := range r.Callbacks {
		if w.EventSeq == e.Seq && w.Due.IsZero() {
			at := e.At
			if n := len(e.Pushes); n > 0 {
				at = e.Pushes[n-1].At
			}
			all = append(all, Entry{
				At: at, Delivery: e.Delivery, Tone: Bad, Title: "Event " + number(e.Seq) + " given up: a dead letter for " + host(r.Addresses[w.ConfigID]),
				Detail: "It can be replayed under Callbacks.",
			})
		}
	}
	return all
}

// attemptOf counts the attempts for one address up to push i.
func attemptOf(e *Event, i int) int {
	n := 0
	for _, p := range e.Pushes[:i+1] {
		if p.ConfigID == e.Pushes[i].ConfigID {
			n++
		}
	}
	return n
}

// Answer is what came of posting an event, in words: a status, or for 0 why
// there is none. Without either the event was not posted yet.
func Answer(status int, problem string) string {
	if status != 0 {
		text := number(status)
		if name := http.StatusText(status); name != "" {
			text += " " + name
		}
		return text
	}
	switch problem {
	case "":
		return "not tried yet"
	case callback.ProblemTimeout:
		return "no answer in time"
	case callback.ProblemAddress:
		return "the address may not be reached"
	case callback.ProblemName:
		return "the host's name was not found"
	case callback.ProblemConnect:
		return "no connection"
	case callback.ProblemTLS:
		return "TLS failed, or the certificate is not trusted"
	case callback.ProblemConnection:
		return "the connection broke, or what came was no HTTP"
	case callback.ProblemURL:
		return "the URL may not be used"
	case callback.ProblemSealed:
		return "secret or headers cannot be opened with today's keys"
	case callback.ProblemRequest:
		return "the request cannot be written"
	}
	return problem
}

func pushEntry(r *Record, e *Event, p Push, attempt int) Entry {
	entry := Entry{At: p.At, Delivery: e.Delivery, Took: p.Latency}
	to := host(r.Addresses[p.ConfigID])
	entry.Detail = "Attempt " + number(attempt) + ": " + Answer(p.Status, p.Problem) + "."
	if p.Received {
		entry.Title = "Event " + number(e.Seq) + " posted to " + to
		return entry
	}
	entry.Title, entry.Tone = "Event "+number(e.Seq)+" not received by "+to, Doubt
	return entry
}

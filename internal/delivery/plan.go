package delivery

import (
	"cmp"
	"time"

	"github.com/countersign/countersign/internal/message"
)

// Step is one way to deliver a code, resolved when the OTP is sent and never
// changed afterwards (the snapshot rule).
type Step struct {
	Channel message.Channel `json:"c"`
	// Text is what the person gets, the code still to be put in.
	Text message.Template `json:"t"`
	// Sender is the originator or caller in the channel's own form; "" leaves
	// it to the carrier.
	Sender string `json:"s,omitempty"`
	// Language selects the voice of a call and names the language of a
	// template held by WhatsApp.
	Language string `json:"l,omitempty"`
	// Voice is "male" or "female" for calls; "" leaves it to the carrier.
	Voice string `json:"v,omitempty"`
	// Template and AccountRef name a template held by the channel's operator
	// (WhatsApp) and the account that holds it.
	Template   string `json:"n,omitempty"`
	AccountRef string `json:"a,omitempty"`
	// Name is what the account calls the template or application that the text
	// comes from, for figures by template; "" for none.
	Name string `json:"m,omitempty"`
	// Life is the validity that the text tells of. A fallback that is
	// dispatched extends the OTP to at least this from then on, so that its
	// text is true (contract v4 §7.9); 0 extends nothing.
	Life time.Duration `json:"e,omitempty"`
	// Wait is how long a dispatched step waits for its receipt before the next
	// step starts, more than 0.
	Wait time.Duration `json:"w,omitempty"`
	// Unroutable steps are never handed to a carrier: no number like this can
	// exist (contract v4 S39).
	Unroutable bool `json:"u,omitempty"`
}

// Plan is how an OTP is to be delivered. It is a snapshot.
type Plan struct {
	// Steps are tried in order until one delivers.
	Steps []Step `json:"p"`
	// Spare are further ways that only a resend may ask for.
	Spare []Step `json:"r,omitempty"`
}

// Step returns step i, counting Steps then Spare from 0; false if there is
// none.
func (p Plan) Step(i int) (Step, bool) {
	switch {
	case i < 0:
	case i < len(p.Steps):
		return p.Steps[i], true
	case i < len(p.Steps)+len(p.Spare):
		return p.Spare[i-len(p.Steps)], true
	}
	return Step{}, false
}

// Label names the text of the plan's first step on channel: the template that
// it comes from, "" for none.
func (p Plan) Label(channel message.Channel) string {
	s, ok := p.Step(p.Find(channel))
	if !ok {
		return ""
	}
	return cmp.Or(s.Name, s.Template)
}

// Find returns the index of the first step on channel, as Step counts, or -1.
func (p Plan) Find(channel message.Channel) int {
	for i := 0; ; i++ {
		s, ok := p.Step(i)
		if !ok {
			return -1
		}
		if s.Channel == channel {
			return i
		}
	}
}

// DefaultWait is how long a channel waits for its receipt before the next
// step, where no setting says otherwise (contract v4 §5).
func DefaultWait(c message.Channel) time.Duration {
	if c == message.Viber {
		return 30 * time.Second
	}
	return time.Minute
}

package fleet

import (
	"context"
	"strings"

	"github.com/countersign/countersign/internal/carrier/fitness"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

// submit hands a message over from the sender that it is to have: the one that it
// names, where that is fit and not only the server's; else the carrier's own; else
// the server's.
func (m *member) submit(ctx context.Context, msg delivery.Message) delivery.Result {
	msg.DefaultSender = m.namedByServer(msg.Step)
	if msg.DefaultSender && msg.Step.Channel == message.SMS && m.hasSender() {
		msg.Step.Sender = ""
	}
	fit, refused := m.fit.Fit(msg, m.segments)
	if refused != nil {
		return *refused
	}
	unfit := fit.Step.Sender != msg.Step.Sender && !msg.DefaultSender
	if !unfit || m.hasSender() {
		return m.carrier.Submit(ctx, fit)
	}
	fit.Step.Sender = m.serverSender(fit.Step.Channel)
	r := m.carrier.Submit(ctx, fit)
	// Nobody configured that an account names a sender of no form: what becomes of
	// it must not close the carrier to those who name none or a better one (D-14).
	r.Own = r.Own || r.Class == delivery.Config
	return r
}

// segments returns how many parts the carrier makes of an SMS: as many as it says,
// else as networks do.
func (m *member) segments(text string) int {
	if c, ok := m.carrier.(interface{ Segments(text string) int }); ok {
		return c.Segments(text)
	}
	return message.Segments(text).Segments
}

// namedByServer reports whether the sender is the one that the server names where
// nobody else names one. Some APIs write the plus of a number and some do not.
func (m *member) namedByServer(s delivery.Step) bool {
	if m.weakest == nil || s.Sender == "" {
		return false
	}
	return strings.TrimPrefix(s.Sender, "+") == strings.TrimPrefix(m.weakest(s.Channel), "+")
}

// serverSender returns the sender that the server names on a channel where nobody
// else names one, "" for none that is fit.
func (m *member) serverSender(channel message.Channel) string {
	if m.weakest == nil {
		return ""
	}
	if sender := m.weakest(channel); fitness.Sender(sender) {
		return sender
	}
	return ""
}

// hasSender reports whether the carrier has a sender for messages without one.
func (m *member) hasSender() bool {
	c, ok := m.carrier.(interface{ Sender() string })
	return ok && c.Sender() != ""
}

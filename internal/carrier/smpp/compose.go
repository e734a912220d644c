package smpp

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
)

// Values of fields (SMPP 3.4 §5.2.12, §5.2.17; 3GPP TS 23.040 §9.2.3.24).
const (
	esmUDH = 0x40 // short_message begins with a user data header

	receiptNever        = 0x00
	receiptFinal        = 0x01
	receiptIntermediate = 0x11

	maxParts = 255
)

// failure is what a delivery reports of this carrier.
func failure(code, format string, args ...any) otp.Failure {
	return otp.Failure{Area: delivery.AreaCarrier, Code: code, Text: fmt.Sprintf(format, args...)}
}

// refuse is the result of a message that is not handed over for its own sake.
func refuse(class delivery.Class, code, text string) *delivery.Result {
	return &delivery.Result{Class: class, Own: true, Failure: failure(code, "%s", text)}
}

// reference returns the 16 bits of the dedupe reference that travel.
func reference(dedupe string) uint16 {
	sum := sha256.Sum256([]byte(dedupe))
	return binary.BigEndian.Uint16(sum[:])
}

// compose returns the submits of a message, one for each part, or why there is
// none.
func (s *settled) compose(m delivery.Message, now time.Time) ([]*pdu.Message, *delivery.Result) {
	number, ok := m.Recipient.Number()
	switch {
	case m.Step.Channel != message.SMS:
		return nil, refuse(delivery.Config, "channel", "SMPP carries no messages but SMS")
	case !ok:
		return nil, refuse(delivery.Permanent, "recipient", "The recipient is no phone number")
	case !m.Ends().After(now):
		return nil, refuse(delivery.Permanent, "expired", "The code's life is over")
	}
	sender := m.Step.Sender
	if sender == "" {
		sender = s.Sender
	}
	source, err := s.source(sender)
	if err != nil {
		refused := refuse(delivery.Config, "sender", "The sender has a form that SMPP cannot carry")
		refused.Own = s.ownSender(m)
		return nil, refused
	}
	dest := s.dest
	if dest.Text = number.Reveal(); !s.KeepPlus {
		dest.Text = dest.Text[1:]
	}
	text := s.write(m.Text(), s.Long == payload)
	if len(text.parts) > maxParts {
		return nil, refuse(delivery.Permanent, "length", "The text has more parts than a message can have")
	}
	ref := reference(m.Dedupe)
	base := pdu.Message{
		ServiceType: s.ServiceType, Source: source, Dest: dest,
		Validity: s.validity(m.Ends(), now), Registered: s.registered(), DataCoding: text.coding,
	}
	parts := make([]*pdu.Message, len(text.parts))
	for i, octets := range text.parts {
		part := base
		part.TLVs = append([]pdu.TLV{pdu.U16(pdu.UserMessageReference, ref)}, s.tlvs...)
		s.fill(&part, octets, ref, len(parts), i+1)
		parts[i] = &part
	}
	return parts, nil
}

// ownSender reports whether a message brought a sender along that is neither this
// carrier's nor the server's.
func (s *settled) ownSender(m delivery.Message) bool {
	return m.Step.Sender != "" && m.Step.Sender != s.Sender && !m.DefaultSender
}

// fill puts the text of part n of total into a submit.
func (s *settled) fill(part *pdu.Message, octets []byte, ref uint16, total, n int) {
	part.Short = octets
	refBytes := binary.BigEndian.AppendUint16(nil, ref)
	of, at := uint8(total), uint8(n) //nolint:gosec // at most maxParts
	switch {
	case s.Long == payload && len(octets) > pdu.MaxShortMessage, s.Long == payload && s.several(part):
		part.Short = nil
		part.TLVs = append(part.TLVs, pdu.TLV{Tag: pdu.MessagePayload, Value: octets})
	case total == 1:
	case s.Long == sar:
		part.TLVs = append(part.TLVs, pdu.U16(pdu.SARMessageRef, ref), pdu.U8(pdu.SARTotal, of), pdu.U8(pdu.SARPart, at))
	case s.Long == udh16:
		part.ESMClass |= esmUDH
		part.Short = append([]byte{6, 8, 4, refBytes[0], refBytes[1], of, at}, octets...)
	default:
		part.ESMClass |= esmUDH
		part.Short = append([]byte{5, 0, 3, refBytes[1], of, at}, octets...)
	}
}

// several reports whether the text in part does not fit into one message.
func (s *settled) several(part *pdu.Message) bool {
	if part.DataCoding&codingUCS2 != 0 {
		return len(part.Short) > 2*unitsAlone
	}
	if s.Alphabet == gsm {
		return len(part.Short) > septetsAlone
	}
	septets := 0
	for _, c := range part.Short {
		septets += septetCost(rune(c))
	}
	return septets > septetsAlone
}

func (s *settled) registered() uint8 {
	switch s.Receipts {
	case none:
		return receiptNever
	case intermediate:
		return receiptIntermediate
	}
	return receiptFinal
}

// validity returns the code's remaining life.
func (s *settled) validity(expires, now time.Time) string {
	life := max(expires.Sub(now), leastValidity)
	switch s.Validity {
	case none:
		return ""
	case absolute:
		return pdu.AbsoluteTime(now.Add(life))
	}
	return pdu.RelativeTime(life)
}

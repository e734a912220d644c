package smpp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
)

const (
	// receiveBound is for recording a receipt: longer than the dispatcher waits
	// for a submit that is not recorded yet.
	receiveBound = 9 * time.Second

	// esm_class of deliver_sm (SMPP 3.4 §5.2.12).
	esmTypes        = 0x3C
	esmReceipt      = 0x04
	esmIntermediate = 0x20

	networkErrorLength = 3 // octets of network_error_code
	maxErrorCode       = 16
)

var errReceiveBound = errors.New("the receipt took too long to record")

// incoming is what deliver_sm and data_sm have in common.
type incoming struct {
	esm  uint8
	text string
	tlvs []pdu.TLV
}

func incomingOf(p pdu.PDU) incoming {
	var in incoming
	var octets []byte
	var coding uint8
	switch body := p.Body.(type) {
	case *pdu.Message:
		in.esm, in.tlvs, octets, coding = body.ESMClass, body.TLVs, body.Payload(), body.DataCoding
	case *pdu.Data:
		in.esm, in.tlvs, coding = body.ESMClass, body.TLVs, body.DataCoding
		octets, _ = pdu.Find(body.TLVs, pdu.MessagePayload)
	}
	if coding == codingUCS2 {
		in.text = decodeUCS2(octets)
	} else {
		in.text = string(octets)
	}
	return in
}

// take handles a deliver_sm or data_sm in a goroutine of its own and answers it
// once it is durable.
func (c *Carrier) take(ctx context.Context, p pdu.PDU, answer func(pdu.PDU)) bool {
	select {
	case c.receipts <- struct{}{}:
	default:
		c.notice(ReceiptRefused)
		return false
	}
	c.handling.Go(func() {
		defer func() { <-c.receipts }()
		answer(pdu.PDU{ID: p.ID.Resp(), Status: c.handle(ctx, p), Seq: p.Seq, Body: &pdu.Answer{}})
	})
	return true
}

// handle returns the status to answer with.
func (c *Carrier) handle(ctx context.Context, p pdu.PDU) (status pdu.Status) {
	defer func() {
		if v := recover(); v != nil {
			c.logger().ErrorContext(ctx, "a receipt led to a panic",
				slog.String("type", fmt.Sprintf("%T", v)), slog.String("stack", string(debug.Stack())))
			status = pdu.SystemError
		}
	}()
	in := incomingOf(p)
	switch in.esm & esmTypes {
	case esmReceipt, esmIntermediate:
	default:
		c.notice(Inbound)
		return pdu.OK
	}
	id, state, why := in.receipt()
	if id == "" || state == "" {
		c.notice(UnreadReceipt)
		return pdu.OK
	}
	r := delivery.Receipt{Carrier: c.cfg.Name, Ref: c.ids.received(id)}
	switch pdu.ParseState(state) {
	case pdu.Delivered:
		r.State = delivery.ReceiptDelivered
	case pdu.Expired:
		r.State, r.Failure = delivery.ReceiptTimedOut, why
	case pdu.Undeliverable, pdu.Rejected, pdu.Deleted:
		r.State, r.Failure = delivery.ReceiptUndeliverable, why
	case pdu.Enroute, pdu.Accepted, pdu.Unknown:
		return pdu.OK // no news, or none to rely on: the wait decides
	default:
		c.notice(UnknownState)
		c.logger().WarnContext(ctx, "receipt with an unknown state", named(state))
		return pdu.OK
	}
	ctx, cancel := context.WithTimeoutCause(ctx, receiveBound, errReceiveBound)
	defer cancel()
	if err := c.record(ctx, r); err != nil {
		c.notice(ReceiptRefused)
		c.logger().WarnContext(ctx, "receipt not recorded; it is asked for again", slog.Any("err", err))
		return pdu.TemporaryError
	}
	return pdu.OK
}

// record hands a receipt to the dispatcher, that of a part when it settles the
// whole message.
func (c *Carrier) record(ctx context.Context, r delivery.Receipt) error {
	whole, part := c.parts.report(r.Ref, r)
	if !part {
		switch known, err := c.ask(ctx, r); {
		case errors.Is(err, errPart):
		case err != nil:
			return fmt.Errorf("receive: %w", err)
		case known:
			return nil
		}
		// The answer to the part may have come meanwhile.
		if whole, part = c.parts.report(r.Ref, r); !part {
			c.notice(UnknownReceipt)
		}
	}
	if whole == nil {
		return nil
	}
	if _, err := c.deps.Receive(ctx, *whole); err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	return nil
}

// receipt returns the message id, the state as receipts write it and why it
// failed. Optional parameters go before the text.
func (in incoming) receipt() (id, state string, why otp.Failure) {
	text := pdu.ParseReceipt(in.text)
	id, state = text.ID, text.Stat
	if v, ok := pdu.FindText(in.tlvs, pdu.ReceiptedMessageID); ok && v != "" {
		id = v
	}
	if v, ok := pdu.Find(in.tlvs, pdu.MessageState); ok && len(v) == 1 {
		if name := pdu.State(v[0]).String(); name != "" {
			state = name
		} else if state == "" {
			state = "?"
		}
	}
	code := token(text.Err)
	if v, ok := pdu.Find(in.tlvs, pdu.NetworkErrorCode); ok && len(v) == networkErrorLength {
		code = fmt.Sprintf("%d-%d", v[0], int(v[1])<<8|int(v[2]))
	}
	if strings.Trim(code, "0") == "" {
		code = token(state)
	}
	return id, state, failure(code, "The message centre reported %s", token(state))
}

// named is a state that the standard lacks, for the log: its name if that is
// letters and a few signs, else how many octets it has, as a code or a number may
// stand in its place (P-02).
func named(state string) slog.Attr {
	if strings.ContainsFunc(state, func(r rune) bool { return !letter(r) && !strings.ContainsRune("-._", r) }) {
		return slog.Int("stat_octets", len(state))
	}
	return slog.String("stat", token(state))
}

// token makes what a peer wrote fit for logs and events: letters, digits and a
// few signs, and not many of them.
func token(s string) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len() == maxErrorCode {
			break
		}
		if letter(r) || '0' <= r && r <= '9' || r == '-' || r == '.' || r == '_' {
			b.WriteRune(r)
		}
	}
	return b.String()
}

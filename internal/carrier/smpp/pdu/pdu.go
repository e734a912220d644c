package pdu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	headerLength = 16
	// MaxLength is the longest PDU that is read or written, in octets.
	MaxLength = 64 << 10
	// MaxSequence is the highest sequence_number (SMPP 3.4 §5.1.4).
	MaxSequence = 0x7FFFFFFF
)

// ErrFrame is returned by Read for a command_length that no PDU has: what
// follows in the stream cannot be told apart any more.
var ErrFrame = errors.New("command_length out of range")

// ErrMalformed is returned for a body that does not hold what its command_id
// says. The PDU that comes with it has its header, so that it can be answered.
var ErrMalformed = errors.New("malformed PDU")

// ErrTooLong is returned for a value that its field cannot hold.
var ErrTooLong = errors.New("too long for its field")

// PDU is one protocol data unit.
type PDU struct {
	ID     ID
	Status Status
	Seq    uint32
	Body   Body // nil for those that have none
}

// Body is what follows the header: *Bind, *BindResp, *Message, *Data, *Answer,
// *Query, *QueryResp or Raw.
type Body interface {
	append(b []byte) ([]byte, error)
}

// Read reads one PDU. ErrFrame and errors of r end the stream; after an
// ErrMalformed the next PDU can be read. Errors hold nothing of what was read.
func Read(r io.Reader) (PDU, error) {
	var head [headerLength]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return PDU{}, fmt.Errorf("read header: %w", err)
	}
	length := binary.BigEndian.Uint32(head[:])
	if length < headerLength || length > MaxLength {
		return PDU{}, ErrFrame
	}
	body := make([]byte, length-headerLength)
	if _, err := io.ReadFull(r, body); err != nil {
		return PDU{}, fmt.Errorf("read body: %w", err)
	}
	p := PDU{
		ID:     ID(binary.BigEndian.Uint32(head[4:])),
		Status: Status(binary.BigEndian.Uint32(head[8:])),
		Seq:    binary.BigEndian.Uint32(head[12:]),
	}
	var err error
	p.Body, err = parseBody(p.ID, p.Status, body)
	if err != nil {
		p.Body = nil
		return p, fmt.Errorf("%s: %w", p.ID, err)
	}
	return p, nil
}

// Append appends the PDU's octets to b.
func (p PDU) Append(b []byte) ([]byte, error) {
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(p.ID))
	b = binary.BigEndian.AppendUint32(b, uint32(p.Status))
	b = binary.BigEndian.AppendUint32(b, p.Seq)
	if p.Body != nil {
		var err error
		if b, err = p.Body.append(b); err != nil {
			return b[:start], fmt.Errorf("%s: %w", p.ID, err)
		}
	}
	length := len(b) - start
	if length > MaxLength {
		return b[:start], fmt.Errorf("%s: %w", p.ID, ErrTooLong)
	}
	binary.BigEndian.PutUint32(b[start:], uint32(length)) //nolint:gosec // at most MaxLength
	return b, nil
}

// parseBody reads what belongs to id. Answers with a status other than OK may
// have no body (SMPP 3.4 §4.4.2).
func parseBody(id ID, status Status, b []byte) (Body, error) {
	r := &reader{b: b}
	var body Body
	switch id {
	case BindReceiver, BindTransmitter, BindTransceiver:
		body = r.bind()
	case BindReceiverResp, BindTransmitterResp, BindTransceiverResp:
		body = r.bindResp()
	case SubmitSM, DeliverSM:
		body = r.message()
	case DataSM:
		body = r.data()
	case SubmitSMResp, DeliverSMResp, DataSMResp:
		body = r.answer()
	case QuerySM:
		body = r.query()
	case QuerySMResp:
		if status != OK && len(b) == 0 {
			return nil, nil //nolint:nilnil // a PDU without a body
		}
		body = r.queryResp()
	case Unbind, UnbindResp, EnquireLink, EnquireLinkResp, GenericNack:
		return nil, nil //nolint:nilnil // they have no body; what some peers add is dropped
	default:
		return Raw(b), nil
	}
	if r.bad {
		return nil, ErrMalformed
	}
	return body, nil
}

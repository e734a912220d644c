package pdu

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// reader takes fields from the front of b. The first one that does not fit sets
// bad, and all later ones are zero.
type reader struct {
	b   []byte
	bad bool
}

// octets returns the next n octets, not copied.
func (r *reader) octets(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad = true
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) u8() uint8 {
	if v := r.octets(1); v != nil {
		return v[0]
	}
	return 0
}

// text reads a C-octet string of at most size octets, its NUL included.
func (r *reader) text(size int) string {
	if r.bad {
		return ""
	}
	end := bytes.IndexByte(r.b, 0)
	if end < 0 || end >= size {
		r.bad = true
		return ""
	}
	v := string(r.b[:end])
	r.b = r.b[end+1:]
	return v
}

// lenientText is text for the last field of an answer, which some peers leave
// out or do not terminate.
func (r *reader) lenientText(size int) string {
	if !r.bad && len(r.b) < size && bytes.IndexByte(r.b, 0) < 0 {
		v := string(r.b)
		r.b = nil
		return v
	}
	return r.text(size)
}

func (r *reader) address(size int) Address {
	return Address{TON: r.u8(), NPI: r.u8(), Text: r.text(size)}
}

// tlvHead are the octets of a parameter's tag and length.
const tlvHead = 4

// tlvs reads optional parameters up to the end. Fewer octets than a parameter's
// head are dropped: some peers put a NUL behind short_message, and the receipt in
// front of it is worth having.
func (r *reader) tlvs() []TLV {
	var all []TLV
	for len(r.b) >= tlvHead && !r.bad {
		head := r.octets(tlvHead)
		tag := Tag(binary.BigEndian.Uint16(head))
		all = append(all, TLV{Tag: tag, Value: r.octets(int(binary.BigEndian.Uint16(head[2:])))})
	}
	return all
}

// writer appends fields to b; the first one that does not fit sets err.
type writer struct {
	b   []byte
	err error
}

func (w *writer) u8(values ...uint8) { w.b = append(w.b, values...) }

// text writes a C-octet string of at most size octets, its NUL included.
func (w *writer) text(field, v string, size int) {
	if w.err == nil && (len(v) >= size || strings.IndexByte(v, 0) >= 0) {
		w.err = fmt.Errorf("%s: %w", field, ErrTooLong)
	}
	w.b = append(append(w.b, v...), 0)
}

func (w *writer) address(field string, a Address, size int) {
	w.u8(a.TON, a.NPI)
	w.text(field, a.Text, size)
}

func (w *writer) tlvs(all []TLV) {
	for _, t := range all {
		if len(t.Value) > MaxLength {
			w.err = fmt.Errorf("parameter %s: %w", hex(uint32(t.Tag), 4), ErrTooLong)
			return
		}
		w.b = binary.BigEndian.AppendUint16(w.b, uint16(t.Tag))
		w.b = binary.BigEndian.AppendUint16(w.b, uint16(len(t.Value))) //nolint:gosec // Append refuses longer PDUs
		w.b = append(w.b, t.Value...)
	}
}

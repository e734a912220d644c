package pdu

import (
	"bytes"
	"encoding/binary"
)

// Tag names an optional parameter.
type Tag uint16

// The optional parameters that the server uses (SMPP 3.4 §5.3.2).
const (
	ReceiptedMessageID   Tag = 0x001E // C-octet string
	UserMessageReference Tag = 0x0204 // two octets
	SARMessageRef        Tag = 0x020C // two octets
	SARTotal             Tag = 0x020E // one octet
	SARPart              Tag = 0x020F // one octet
	InterfaceVersion     Tag = 0x0210 // one octet, in answers to binds
	NetworkErrorCode     Tag = 0x0423 // three octets: network, code
	MessagePayload       Tag = 0x0424
	MessageState         Tag = 0x0427 // one octet
)

// TLV is an optional parameter.
type TLV struct {
	Tag   Tag
	Value []byte
}

// U8 returns a parameter of one octet.
func U8(tag Tag, v uint8) TLV { return TLV{tag, []byte{v}} }

// U16 returns a parameter of two octets.
func U16(tag Tag, v uint16) TLV { return TLV{tag, binary.BigEndian.AppendUint16(nil, v)} }

// Text returns a parameter that is a C-octet string.
func Text(tag Tag, v string) TLV { return TLV{tag, append([]byte(v), 0)} }

// Find returns the value of the first parameter with the tag, and whether there
// is one.
func Find(all []TLV, tag Tag) ([]byte, bool) {
	for _, t := range all {
		if t.Tag == tag {
			return t.Value, true
		}
	}
	return nil, false
}

// FindText is Find for a C-octet string. A NUL that is missing is not missed.
func FindText(all []TLV, tag Tag) (string, bool) {
	v, ok := Find(all, tag)
	v, _, _ = bytes.Cut(v, []byte{0})
	return string(v), ok
}

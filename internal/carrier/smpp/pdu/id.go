package pdu

import "strconv"

// ID is a command_id.
type ID uint32

// The commands that the package knows (SMPP 3.4 §5.1.2.1). An answer's id is
// the command's with the highest bit set.
const (
	BindReceiver        ID = 0x00000001
	BindTransmitter     ID = 0x00000002
	QuerySM             ID = 0x00000003
	SubmitSM            ID = 0x00000004
	DeliverSM           ID = 0x00000005
	Unbind              ID = 0x00000006
	BindTransceiver     ID = 0x00000009
	EnquireLink         ID = 0x00000015
	DataSM              ID = 0x00000103
	GenericNack         ID = 0x80000000
	BindReceiverResp       = BindReceiver | response
	BindTransmitterResp    = BindTransmitter | response
	QuerySMResp            = QuerySM | response
	SubmitSMResp           = SubmitSM | response
	DeliverSMResp          = DeliverSM | response
	UnbindResp             = Unbind | response
	BindTransceiverResp    = BindTransceiver | response
	EnquireLinkResp        = EnquireLink | response
	DataSMResp             = DataSM | response
)

const response ID = 0x80000000

// Response reports whether id is an answer's, generic_nack included.
func (id ID) Response() bool { return id&response != 0 }

// Resp returns the id of the answer to id.
func (id ID) Resp() ID { return id | response }

// String returns the standard's name, or the number in hexadecimal.
func (id ID) String() string {
	name := ""
	switch id &^ response { //nolint:exhaustive // answers are named after their commands
	case 0:
		if id == GenericNack {
			return "generic_nack"
		}
	case BindReceiver:
		name = "bind_receiver"
	case BindTransmitter:
		name = "bind_transmitter"
	case QuerySM:
		name = "query_sm"
	case SubmitSM:
		name = "submit_sm"
	case DeliverSM:
		name = "deliver_sm"
	case Unbind:
		name = "unbind"
	case BindTransceiver:
		name = "bind_transceiver"
	case EnquireLink:
		name = "enquire_link"
	case DataSM:
		name = "data_sm"
	}
	switch {
	case name == "":
		return hex(uint32(id), 8)
	case id.Response():
		return name + "_resp"
	}
	return name
}

// hex returns v as "0x" and at least digits digits.
func hex(v uint32, digits int) string {
	s := strconv.FormatUint(uint64(v), 16)
	for len(s) < digits {
		s = "0" + s
	}
	return "0x" + s
}

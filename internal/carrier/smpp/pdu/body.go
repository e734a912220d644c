package pdu

import "fmt"

// Lengths of fields in octets, the NUL of C-octet strings included (SMPP 3.4 §5.2).
const (
	systemIDSize    = 16
	passwordSize    = 9
	systemTypeSize  = 13
	rangeSize       = 41
	serviceTypeSize = 6
	addressSize     = 21
	dataAddressSize = 65
	timeSize        = 17
	messageIDSize   = 65
	// MaxShortMessage is the longest short_message (SMPP 3.4 §5.2.22); longer
	// text goes into message_payload.
	MaxShortMessage = 254
)

// Address is a number or name with its type of number and numbering plan.
type Address struct {
	TON, NPI uint8
	Text     string // no NUL; 20 octets at most, 64 in data_sm
}

// Bind is the body of the three bind commands.
type Bind struct {
	SystemID   string // at most 15 octets
	Password   string // at most 8 octets
	SystemType string // at most 12 octets
	Version    uint8  // 0x34 for SMPP 3.4
	Range      Address
}

func (v *Bind) append(b []byte) ([]byte, error) {
	w := writer{b: b}
	w.text("system_id", v.SystemID, systemIDSize)
	w.text("password", v.Password, passwordSize)
	w.text("system_type", v.SystemType, systemTypeSize)
	w.u8(v.Version)
	w.address("address_range", v.Range, rangeSize)
	return w.b, w.err
}

func (r *reader) bind() *Bind {
	return &Bind{
		SystemID: r.text(systemIDSize), Password: r.text(passwordSize), SystemType: r.text(systemTypeSize),
		Version: r.u8(), Range: r.address(rangeSize),
	}
}

// BindResp is the body of the answers to binds.
type BindResp struct {
	SystemID string
	TLVs     []TLV
}

func (v *BindResp) append(b []byte) ([]byte, error) {
	w := writer{b: b}
	w.text("system_id", v.SystemID, systemIDSize)
	w.tlvs(v.TLVs)
	return w.b, w.err
}

func (r *reader) bindResp() *BindResp {
	return &BindResp{SystemID: r.lenientText(systemIDSize), TLVs: r.tlvs()}
}

// Message is the body of submit_sm and deliver_sm.
type Message struct {
	ServiceType  string // at most 5 octets
	Source, Dest Address
	ESMClass     uint8
	Protocol     uint8
	Priority     uint8
	Schedule     string // "" or 16 octets
	Validity     string // "" or 16 octets
	Registered   uint8
	Replace      uint8
	DataCoding   uint8
	DefaultID    uint8
	Short        []byte // at most MaxShortMessage
	TLVs         []TLV
}

func (v *Message) append(b []byte) ([]byte, error) {
	w := writer{b: b}
	w.text("service_type", v.ServiceType, serviceTypeSize)
	w.address("source_addr", v.Source, addressSize)
	w.address("destination_addr", v.Dest, addressSize)
	w.u8(v.ESMClass, v.Protocol, v.Priority)
	w.text("schedule_delivery_time", v.Schedule, timeSize)
	w.text("validity_period", v.Validity, timeSize)
	if len(v.Short) > MaxShortMessage {
		return b, fmt.Errorf("short_message: %w", ErrTooLong)
	}
	w.u8(v.Registered, v.Replace, v.DataCoding, v.DefaultID, uint8(len(v.Short))) //nolint:gosec // checked above
	w.u8(v.Short...)
	w.tlvs(v.TLVs)
	return w.b, w.err
}

func (r *reader) message() *Message {
	v := &Message{
		ServiceType: r.text(serviceTypeSize),
		Source:      r.address(dataAddressSize), Dest: r.address(dataAddressSize), // some SMSCs write long names
		ESMClass: r.u8(), Protocol: r.u8(), Priority: r.u8(),
		Schedule: r.text(timeSize), Validity: r.text(timeSize),
		Registered: r.u8(), Replace: r.u8(), DataCoding: r.u8(), DefaultID: r.u8(),
	}
	length := int(r.u8())
	if length > MaxShortMessage {
		r.bad = true
	}
	v.Short = r.octets(length)
	v.TLVs = r.tlvs()
	return v
}

// Payload returns the text's octets: message_payload if there is one, else
// short_message.
func (v *Message) Payload() []byte {
	if p, ok := Find(v.TLVs, MessagePayload); ok {
		return p
	}
	return v.Short
}

// Data is the body of data_sm.
type Data struct {
	ServiceType  string
	Source, Dest Address
	ESMClass     uint8
	Registered   uint8
	DataCoding   uint8
	TLVs         []TLV
}

func (v *Data) append(b []byte) ([]byte, error) {
	w := writer{b: b}
	w.text("service_type", v.ServiceType, serviceTypeSize)
	w.address("source_addr", v.Source, dataAddressSize)
	w.address("destination_addr", v.Dest, dataAddressSize)
	w.u8(v.ESMClass, v.Registered, v.DataCoding)
	w.tlvs(v.TLVs)
	return w.b, w.err
}

func (r *reader) data() *Data {
	return &Data{
		ServiceType: r.text(serviceTypeSize), Source: r.address(dataAddressSize), Dest: r.address(dataAddressSize),
		ESMClass: r.u8(), Registered: r.u8(), DataCoding: r.u8(), TLVs: r.tlvs(),
	}
}

// Answer is the body of the answers to submit_sm, deliver_sm and data_sm.
type Answer struct {
	MessageID string // at most 64 octets; "" in answers to deliver_sm
	TLVs      []TLV
}

func (v *Answer) append(b []byte) ([]byte, error) {
	w := writer{b: b}
	w.text("message_id", v.MessageID, messageIDSize)
	w.tlvs(v.TLVs)
	return w.b, w.err
}

func (r *reader) answer() *Answer {
	return &Answer{MessageID: r.lenientText(messageIDSize), TLVs: r.tlvs()}
}

// Query is the body of query_sm.
type Query struct {
	MessageID string
	Source    Address
}

func (v *Query) append(b []byte) ([]byte, error) {
	w := writer{b: b}
	w.text("message_id", v.MessageID, messageIDSize)
	w.address("source_addr", v.Source, addressSize)
	return w.b, w.err
}

func (r *reader) query() *Query {
	return &Query{MessageID: r.text(messageIDSize), Source: r.address(addressSize)}
}

// QueryResp is the body of the answer to query_sm.
type QueryResp struct {
	MessageID string
	FinalDate string // "" or 16 octets
	State     State
	ErrorCode uint8
}

func (v *QueryResp) append(b []byte) ([]byte, error) {
	w := writer{b: b}
	w.text("message_id", v.MessageID, messageIDSize)
	w.text("final_date", v.FinalDate, timeSize)
	w.u8(uint8(v.State), v.ErrorCode)
	return w.b, w.err
}

func (r *reader) queryResp() *QueryResp {
	return &QueryResp{MessageID: r.text(messageIDSize), FinalDate: r.text(timeSize), State: State(r.u8()), ErrorCode: r.u8()}
}

// Raw is the body of a command that the package does not know.
type Raw []byte

func (v Raw) append(b []byte) ([]byte, error) { return append(b, v...), nil }

package pdu_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
)

// samples are one PDU of each kind.
func samples() []pdu.PDU {
	number := pdu.Address{TON: 1, NPI: 1, Text: "491712345678"}
	name := pdu.Address{TON: 5, Text: "Acme"}
	bind := &pdu.Bind{SystemID: "esme", Password: "secret", SystemType: "OTP", Version: 0x34, Range: pdu.Address{Text: "^49"}}
	return []pdu.PDU{
		{ID: pdu.BindReceiver, Seq: 1, Body: bind},
		{ID: pdu.BindTransmitter, Seq: 2, Body: bind},
		{ID: pdu.BindTransceiver, Seq: 3, Body: bind},
		{ID: pdu.BindReceiverResp, Seq: 1, Body: &pdu.BindResp{SystemID: "smsc"}},
		{ID: pdu.BindTransmitterResp, Status: pdu.BindFailed, Seq: 2, Body: &pdu.BindResp{}},
		{ID: pdu.BindTransceiverResp, Seq: 3, Body: &pdu.BindResp{SystemID: "smsc", TLVs: []pdu.TLV{pdu.U8(pdu.InterfaceVersion, 0x34)}}},
		{ID: pdu.SubmitSM, Seq: 4, Body: &pdu.Message{
			ServiceType: "OTP", Source: name, Dest: number, ESMClass: 0x40, Validity: "000000000500000R", Registered: 1,
			DataCoding: 8, Short: []byte("\x05\x00\x03\x07\x02\x01\x00a"), TLVs: []pdu.TLV{pdu.U16(pdu.UserMessageReference, 0xBEEF)},
		}},
		{ID: pdu.SubmitSMResp, Seq: 4, Body: &pdu.Answer{MessageID: "17"}},
		{ID: pdu.DeliverSM, Seq: 5, Body: &pdu.Message{
			Source: number, Dest: name, ESMClass: 4, Short: []byte("id:17 stat:DELIVRD"),
			TLVs: []pdu.TLV{pdu.Text(pdu.ReceiptedMessageID, "17"), pdu.U8(pdu.MessageState, 2)},
		}},
		{ID: pdu.DeliverSMResp, Seq: 5, Body: &pdu.Answer{}},
		{ID: pdu.DataSM, Seq: 6, Body: &pdu.Data{Source: number, Dest: name, ESMClass: 4, TLVs: []pdu.TLV{{Tag: pdu.MessagePayload, Value: []byte("x")}}}},
		{ID: pdu.DataSMResp, Seq: 6, Body: &pdu.Answer{MessageID: "18"}},
		{ID: pdu.QuerySM, Seq: 7, Body: &pdu.Query{MessageID: "17", Source: name}},
		{ID: pdu.QuerySMResp, Seq: 7, Body: &pdu.QueryResp{MessageID: "17", FinalDate: "261122003404000+", State: pdu.Delivered}},
		{ID: pdu.EnquireLink, Seq: 8},
		{ID: pdu.EnquireLinkResp, Seq: 8},
		{ID: pdu.Unbind, Seq: 9},
		{ID: pdu.UnbindResp, Seq: 9},
		{ID: pdu.GenericNack, Status: pdu.InvalidCommand, Seq: 10},
		{ID: 0x10203, Seq: 11, Body: pdu.Raw("anything")},
	}
}

func TestEveryPDUIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	for _, want := range samples() {
		b, err := want.Append(nil)
		if err != nil {
			t.Fatalf("%s: %v", want.ID, err)
		}
		got, err := pdu.Read(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: %v", want.ID, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-written +read):\n%s", want.ID, diff)
		}
	}
}

func TestASubmitHasTheOctetsOfTheStandard(t *testing.T) {
	t.Parallel()
	b, err := pdu.PDU{ID: pdu.SubmitSM, Seq: 0x2A, Body: &pdu.Message{
		Source: pdu.Address{TON: 5, Text: "Acme"}, Dest: pdu.Address{TON: 1, NPI: 1, Text: "4917"},
		Validity: "000000000500000R", Registered: 1, Short: []byte("Hi"),
		TLVs: []pdu.TLV{pdu.U16(pdu.UserMessageReference, 0x0102)},
	}}.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"00000041", "00000004", "00000000", "0000002a", // header
		"00",                                 // service_type
		"0500",                               // source TON, NPI
		"41636d6500",                         // source_addr
		"0101",                               // dest TON, NPI
		"3439313700",                         // destination_addr
		"000000",                             // esm_class, protocol_id, priority_flag
		"00",                                 // schedule_delivery_time
		"3030303030303030303530303030305200", // validity_period
		"01000000",                           // registered_delivery, replace, data_coding, default message
		"02", "4869",
		"020400020102",
	}, "")
	if got := hex.EncodeToString(b); got != want {
		t.Errorf("submit_sm\n got %s\nwant %s", got, want)
	}
}

func TestALengthThatNoPDUHasEndsTheStream(t *testing.T) {
	t.Parallel()
	for _, length := range []string{"00000000", "0000000f", "00010001", "7fffffff", "ffffffff"} {
		b, _ := hex.DecodeString(length + "000000150000000000000001")
		if _, err := pdu.Read(bytes.NewReader(b)); !errors.Is(err, pdu.ErrFrame) {
			t.Errorf("Read with command_length 0x%s = %v; want ErrFrame", length, err)
		}
	}
}

func TestATruncatedStreamIsAnError(t *testing.T) {
	t.Parallel()
	for _, p := range samples() {
		b, err := p.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		for n := range b {
			_, err := pdu.Read(bytes.NewReader(b[:n]))
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%s cut after %d octets: %v; want an end of the stream", p.ID, n, err)
			}
		}
	}
}

// frame returns a PDU with any body.
func frame(t *testing.T, id pdu.ID, body []byte) []byte {
	t.Helper()
	b, err := pdu.PDU{ID: id, Seq: 7, Body: pdu.Raw(body)}.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestABodyThatDoesNotFitItsCommandIsMalformedAndTheNextPDUIsRead(t *testing.T) {
	t.Parallel()
	head := "\x00\x01\x01491712345678\x00\x05\x00Acme\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00"
	for name, body := range map[string]string{
		"nothing":                     "",
		"no end of service_type":      "aaaaaa",
		"an address without end":      "\x00\x01\x01" + strings.Repeat("4", 70),
		"sm_length beyond the end":    head + "\x05abc",
		"sm_length of 255":            head + "\xff" + strings.Repeat("a", 255),
		"a parameter beyond the end":  head + "\x00\x04\x27\x00\x02\x01",
		"a parameter of 65535 octets": head + "\x00\x04\x24\xff\xff\x01",
	} {
		b := append(frame(t, pdu.DeliverSM, []byte(body)), frame(t, pdu.EnquireLink, nil)...)
		r := bytes.NewReader(b)
		p, err := pdu.Read(r)
		if !errors.Is(err, pdu.ErrMalformed) || p.ID != pdu.DeliverSM || p.Seq != 7 {
			t.Errorf("%s: Read = %+v, %v; want ErrMalformed with the header", name, p, err)
		}
		if next, err := pdu.Read(r); err != nil || next.ID != pdu.EnquireLink {
			t.Errorf("%s: the next Read = %+v, %v; want enquire_link", name, next, err)
		}
	}
}

func TestTooFewOctetsForAParameterAreDropped(t *testing.T) {
	t.Parallel()
	want := pdu.PDU{ID: pdu.DeliverSM, Seq: 5, Body: &pdu.Message{ESMClass: 4, Short: []byte("id:17 stat:DELIVRD"), TLVs: []pdu.TLV{pdu.U8(pdu.MessageState, 2)}}}
	whole, err := want.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n < 4; n++ {
		got, err := pdu.Read(bytes.NewReader(frame(t, pdu.DeliverSM, append(whole[16:len(whole):len(whole)], make([]byte, n)...))))
		got.Seq = want.Seq
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%d octets too many: %v (-want +got):\n%s", n, err, diff)
		}
	}
}

func TestAnswersWithoutBodyOrEndAreRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ body, want string }{{"", ""}, {"17", "17"}, {"17\x00", "17"}} {
		p, err := pdu.Read(bytes.NewReader(frame(t, pdu.SubmitSMResp, []byte(c.body))))
		if err != nil {
			t.Fatalf("body %q: %v", c.body, err)
		}
		if got := p.Body.(*pdu.Answer).MessageID; got != c.want {
			t.Errorf("body %q: message_id %q; want %q", c.body, got, c.want)
		}
	}
}

func TestWhatAFieldCannotHoldIsNotWritten(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]pdu.Body{
		"password of 9":        &pdu.Bind{Password: "123456789"},
		"system_id of 16":      &pdu.Bind{SystemID: "1234567890123456"},
		"NUL in a password":    &pdu.Bind{Password: "a\x00b"},
		"address of 21":        &pdu.Message{Dest: pdu.Address{Text: strings.Repeat("1", 21)}},
		"short_message of 255": &pdu.Message{Short: make([]byte, 255)},
		"payload of 64 KiB":    &pdu.Message{TLVs: []pdu.TLV{{Tag: pdu.MessagePayload, Value: make([]byte, 64<<10)}}},
		"more than a PDU":      pdu.Raw(make([]byte, 64<<10)),
	} {
		if b, err := (pdu.PDU{ID: pdu.SubmitSM, Seq: 1, Body: body}).Append([]byte("x")); !errors.Is(err, pdu.ErrTooLong) || string(b) != "x" {
			t.Errorf("%s: Append = %d octets, %v; want ErrTooLong and nothing", name, len(b), err)
		}
	}
}

func TestNamesAreThoseOfTheStandard(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		pdu.SubmitSMResp.String(): "submit_sm_resp", pdu.GenericNack.String(): "generic_nack",
		pdu.BindTransceiver.String(): "bind_transceiver", pdu.ID(0x10203).String(): "0x00010203",
		pdu.Throttled.String(): "0x58", pdu.Throttled.Name(): "RTHROTTLED", pdu.Status(0x401).String(): "0x401",
		pdu.Delivered.String(): "DELIVRD", pdu.Rejected.String(): "REJECTD", pdu.State(9).String(): "",
	} {
		if got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
}

func TestTimesHaveTheStandardsForm(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		5 * time.Minute:                    "000000000500000R",
		90 * time.Second:                   "000000000130000R",
		25*time.Hour + 59*time.Second:      "000001010059000R",
		400 * 24 * time.Hour:               "000030000000000R",
		-time.Second:                       "000000000000000R",
		time.Minute + 999*time.Millisecond: "000000000100000R",
	} {
		if got := pdu.RelativeTime(d); got != want {
			t.Errorf("RelativeTime(%v) = %s; want %s", d, got, want)
		}
	}
	at := time.Date(2026, 11, 22, 1, 34, 4, 0, time.FixedZone("", 3600))
	if got, want := pdu.AbsoluteTime(at), "261122003404000+"; got != want {
		t.Errorf("AbsoluteTime = %s; want %s", got, want)
	}
}

package pdu_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
)

func TestReceiptTextIsReadAsMessageCentresWriteIt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]pdu.Receipt{
		"id:17 sub:001 dlvrd:001 submit date:2611220034 done date:2611220035 stat:DELIVRD err:000 text:Your": {ID: "17", Stat: "DELIVRD", Err: "000"},
		"STAT:undeliv ID:0a1b ERR:12":                     {ID: "0a1b", Stat: "undeliv", Err: "12"},
		"id: 17 stat: EXPIRED err: text:":                 {ID: "17", Stat: "EXPIRED"},
		"id:17 stat:DELIVRD text:id:18 stat:REJECTD":      {ID: "17", Stat: "DELIVRD"},
		"id:1 id:2 stat:DELIVRD":                          {ID: "1", Stat: "DELIVRD"},
		"id:17\r\nstat:DELIVRD\x00":                       {ID: "17", Stat: "DELIVRD"},
		"id:7a2b-44 Text: stat:DELIVRD":                   {ID: "7a2b-44"},
		"id:" + strings.Repeat("1", 65) + " stat:DELIVRD": {Stat: "DELIVRD"},
		"STOP": {},
		"":     {},
	} {
		if diff := cmp.Diff(want, pdu.ParseReceipt(text)); diff != "" {
			t.Errorf("ParseReceipt(%q) (-want +got):\n%s", text, diff)
		}
	}
}

func TestStatesAreReadInAnyLetterCase(t *testing.T) {
	t.Parallel()
	for s := pdu.Enroute; s <= pdu.Rejected; s++ {
		if got := pdu.ParseState(strings.ToLower(s.String())); got != s {
			t.Errorf("ParseState(%q) = %d; want %d", strings.ToLower(s.String()), got, s)
		}
	}
	for _, none := range []string{"", "BUFFERED", "DELIVR"} {
		if got := pdu.ParseState(none); got != 0 {
			t.Errorf("ParseState(%q) = %d; want none", none, got)
		}
	}
}

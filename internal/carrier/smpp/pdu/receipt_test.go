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
		"id:7a2b-44 Text: stat:DELIVRD":                   {ID: "7a2b-44", Stat: "DELIVRD"},
		"id:" + strings.Repeat("1", 65) + " stat:DELIVRD": {Stat: "DELIVRD"},
		"STOP": {},
		"":     {},
	} {
		if diff := cmp.Diff(want, pdu.ParseReceipt(text)); diff != "" {
			t.Errorf("ParseReceipt(%q) (-want +got):\n%s", text, diff)
		}
	}
}

// What the sender wrote may look like a receipt's keys.
func TestAReceiptsKeysMayStandBehindTheSendersText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]pdu.Receipt{
		"id:X text:hello stat:DELIVRD err:000":                                         {ID: "X", Stat: "DELIVRD", Err: "000"},
		"text:hello stat:DELIVRD id:X":                                                 {ID: "X", Stat: "DELIVRD"},
		"text: STAT: delivrd ID: X":                                                    {ID: "X", Stat: "delivrd"},
		"text:Your code is 482913 id:X stat:DELIVRD":                                   {ID: "X", Stat: "DELIVRD"},
		"id:X stat:DELIVRD text:hello err:008":                                         {ID: "X", Stat: "DELIVRD", Err: "008"},
		"text:a id:X sub:001 dlvrd:001 submit date:26112200 Done Date:26112200 err:12": {ID: "X", Err: "12"},
		"text:id:1 stat:REJECTD err:9 id:X stat:DELIVRD err:000":                       {ID: "X", Stat: "DELIVRD", Err: "000"},
		"text:id:1 stat:REJECTD text:err:9 id:X":                                       {ID: "X"},
		"text:hello stat:DELIVRD id:":                                                  {Stat: "DELIVRD"},

		"id:X stat:DELIVRD err:000 text:id:1 stat:REJECTD err:9": {ID: "X", Stat: "DELIVRD", Err: "000"},
		"id:X stat:DELIVRD text:see err:9 there":                 {ID: "X", Stat: "DELIVRD"},
		"id:X stat:DELIVRD text:your submit err:9 done":          {ID: "X", Stat: "DELIVRD"},
		"stat:DELIVRD text:my id:1 for stat:us":                  {Stat: "DELIVRD"},
		"id:X text:the new stat:us":                              {ID: "X"},
		"text:id:" + strings.Repeat("1", 65) + " stat:DELIVRD":   {Stat: "DELIVRD"},
		"text:a id:" + strings.Repeat("1", 65) + " stat:DELIVRD": {Stat: "DELIVRD"},
		"text:a id:X id:" + strings.Repeat("1", 65) + " err:1":   {ID: "X", Err: "1"},
		"text:a done d\u00e4te:1 id:X":                           {ID: "X"},
		"text:a id:X done":                                       {},
		"text:stat:DELIVRD":                                      {},
		"text:":                                                  {},
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

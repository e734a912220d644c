package smpp_test

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/smpp"
	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

// long is two parts in the default alphabet.
var long = strings.Repeat("0123456789", 16) + " {code}"

// sent returns the submits that a text leads to.
func sent(t *testing.T, change func(*smpp.Config), words string, alter func(*delivery.Message)) (all []*pdu.Message) {
	t.Helper()
	bubble(t, change, func(t *testing.T, r running) {
		m := text(t, words)
		if alter != nil {
			alter(&m)
		}
		if got := r.submit(t, m); got.Class != delivery.Accepted {
			t.Fatalf("Submit = %+v; want Accepted", got)
		}
		all = r.smsc.seen()
	})
	return all
}

func TestASubmitHoldsWhatAnOTPNeeds(t *testing.T) {
	t.Parallel()
	got := sent(t, func(c *smpp.Config) { c.ServiceType, c.TLVs = "OTP", map[string]string{"0x1400": "1101"} }, "Your code is {code}.",
		func(m *delivery.Message) { m.Dedupe = "00000000-0000-4000-8000-000000000001" })
	want := []*pdu.Message{{
		ServiceType: "OTP", Source: pdu.Address{TON: 5, Text: "Acme"}, Dest: pdu.Address{TON: 1, NPI: 1, Text: "491712345678"},
		Validity: "000000000500000R", Registered: 1, Short: []byte("Your code is 80427519."),
		TLVs: []pdu.TLV{{Tag: pdu.UserMessageReference, Value: []byte{0x11, 0xe5}}, {Tag: 0x1400, Value: []byte("1101")}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("submit_sm (-want +got):\n%s", diff)
	}
}

func TestSendersHaveTheirTypeOfNumber(t *testing.T) {
	t.Parallel()
	for sender, want := range map[string]pdu.Address{
		"Acme": {TON: 5, Text: "Acme"}, "+4930123456": {TON: 1, NPI: 1, Text: "4930123456"}, "4930123456": {TON: 1, NPI: 1, Text: "4930123456"},
		"80800": {TON: 3, Text: "80800"}, "": {TON: 5, Text: "Default"}, "A 1-b.c_&": {TON: 5, Text: "A 1-b.c_&"},
	} {
		got := sent(t, func(c *smpp.Config) { c.Sender = "Default" }, "{code}", func(m *delivery.Message) { m.Step.Sender = sender })
		if got[0].Source != want {
			t.Errorf("sender %q: %+v; want %+v", sender, got[0].Source, want)
		}
	}
	got := sent(t, func(c *smpp.Config) { c.ShortCode, c.Dest, c.KeepPlus = "0/1", "2/8", true }, "{code}",
		func(m *delivery.Message) { m.Step.Sender = "80800" })
	if want := (pdu.Address{NPI: 1, Text: "80800"}); got[0].Source != want {
		t.Errorf("short code as configured: %+v; want %+v", got[0].Source, want)
	}
	if want := (pdu.Address{TON: 2, NPI: 8, Text: "+491712345678"}); got[0].Dest != want {
		t.Errorf("recipient as configured: %+v; want %+v", got[0].Dest, want)
	}
}

func TestAlphabetsAreWrittenAsConfigured(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		alphabet, words string
		coding          uint8
		octets          string
	}{
		{"gsm", "@ä€", 0x00, "007b1b65"},
		{"latin1-default", "@ä", 0x00, "40e4"},
		{"latin1", "@ä", 0x03, "40e4"},
		{"latin1", "€", 0x08, "20ac"},
		{"latin1-default", "Ω", 0x08, "03a9"},
		{"gsm", "ж😀", 0x08, "0436d83dde00"},
	} {
		got := sent(t, func(cfg *smpp.Config) { cfg.Alphabet = c.alphabet }, c.words, nil)[0]
		if got.DataCoding != c.coding || hex.EncodeToString(got.Short) != c.octets {
			t.Errorf("%s %q: data_coding %d, %x; want %d, %s", c.alphabet, c.words, got.DataCoding, got.Short, c.coding, c.octets)
		}
	}
	for words, want := range map[string]uint8{"a": 0x10, "ж": 0x18} {
		if got := sent(t, func(c *smpp.Config) { c.Flash = true }, words, nil)[0].DataCoding; got != want {
			t.Errorf("flash %q: data_coding %#x; want %#x", words, got, want)
		}
	}
}

func TestLongMessagesTravelAsConfigured(t *testing.T) {
	t.Parallel()
	whole := strings.ReplaceAll(long, "{code}", "80427519")
	for mode, cut := range map[string]int{"udh": 153, "udh16": 152, "sar": 152} {
		got := sent(t, func(c *smpp.Config) { c.Long = mode }, long, nil)
		if len(got) != 2 {
			t.Fatalf("%s: %d parts; want 2", mode, len(got))
		}
		for i, m := range got {
			ref, _ := pdu.Find(m.TLVs, pdu.UserMessageReference)
			n := byte(i + 1)
			var head []byte
			switch mode {
			case "udh":
				head = []byte{5, 0, 3, ref[1], 2, n}
			case "udh16":
				head = []byte{6, 8, 4, ref[0], ref[1], 2, n}
			case "sar":
				sarRef, _ := pdu.Find(m.TLVs, pdu.SARMessageRef)
				total, _ := pdu.Find(m.TLVs, pdu.SARTotal)
				part, _ := pdu.Find(m.TLVs, pdu.SARPart)
				if !bytes.Equal(sarRef, ref) || !bytes.Equal(total, []byte{2}) || !bytes.Equal(part, []byte{n}) {
					t.Errorf("sar part %d: %x, %x, %x; want %x, 02, %02x", n, sarRef, total, part, ref, n)
				}
			}
			words := whole[:cut]
			if i == 1 {
				words = whole[cut:]
			}
			if want := slices.Concat(head, []byte(words)); !bytes.Equal(m.Short, want) {
				t.Errorf("%s part %d: %q; want %q", mode, n, m.Short, want)
			}
			if (m.ESMClass == 0x40) != (head != nil) {
				t.Errorf("%s: esm_class %#x", mode, m.ESMClass)
			}
		}
	}
	got := sent(t, func(c *smpp.Config) { c.Long = "payload" }, long, nil)
	if p, _ := pdu.Find(got[0].TLVs, pdu.MessagePayload); len(got) != 1 || string(p) != whole || len(got[0].Short) != 0 {
		t.Errorf("payload: %d submits, short_message %q, payload %q; want one with all in the payload", len(got), got[0].Short, p)
	}
	got = sent(t, func(c *smpp.Config) { c.Long = "payload" }, "{code}", nil)
	if _, there := pdu.Find(got[0].TLVs, pdu.MessagePayload); there || string(got[0].Short) != "80427519" {
		t.Errorf("payload of one part: %+v; want it in short_message", got[0])
	}
}

func TestPartsAreThoseThatSegmentsCount(t *testing.T) {
	t.Parallel()
	for _, words := range []string{
		strings.Repeat("a", 160), strings.Repeat("a", 161), strings.Repeat("a", 152) + "€" + strings.Repeat("a", 10),
		strings.Repeat("ж", 70), strings.Repeat("ж", 71), strings.Repeat("ж", 66) + "😀" + strings.Repeat("ж", 10),
		strings.Repeat("[", 400), strings.Repeat("😀", 200),
	} {
		got := sent(t, nil, words, nil)
		want := message.Parts(words)
		if len(got) != len(want) {
			t.Errorf("%.10q…: %d parts; want %d", words, len(got), len(want))
			continue
		}
		for i, m := range got {
			octets := m.Short
			if len(got) > 1 {
				octets = octets[6:]
			}
			if wantOctets := encoded(want[i], m.DataCoding); !bytes.Equal(octets, wantOctets) {
				t.Errorf("%.10q… part %d: %x; want %x", words, i+1, octets, wantOctets)
			}
		}
	}
}

func TestPartsAreCountedAsTheyAreSent(t *testing.T) {
	t.Parallel()
	x := strings.Repeat
	for name, c := range map[string]struct {
		change func(*smpp.Config)
		words  string
		want   int
	}{
		"udh":                    {func(c *smpp.Config) { c.Long = "udh" }, x("a", 306), 2},
		"udh16":                  {func(c *smpp.Config) { c.Long = "udh16" }, x("a", 306), 3},
		"sar":                    {func(c *smpp.Config) { c.Long = "sar" }, x("a", 306), 3},
		"sar, UCS-2":             {func(c *smpp.Config) { c.Long = "sar" }, x("ж", 133), 3},
		"udh, UCS-2":             {func(c *smpp.Config) { c.Long = "udh" }, x("ж", 133), 2},
		"a letter Latin-1 lacks": {func(c *smpp.Config) { c.Alphabet = "latin1" }, x("Ω", 100), 2},
	} {
		bubble(t, c.change, func(t *testing.T, r running) {
			r.submit(t, text(t, c.words))
			if got, sent := r.Segments(c.words), len(r.smsc.seen()); got != c.want || sent != c.want {
				t.Errorf("%s: Segments = %d, and %d parts were sent; want %d", name, got, sent, c.want)
			}
		})
	}
	bubble(t, func(c *smpp.Config) { c.Long = "payload" }, func(t *testing.T, r running) {
		if got := r.Segments(x("a", 306)); got != 2 {
			t.Errorf("payload: Segments = %d; want 2, which the message centre makes", got)
		}
	})
}

func encoded(words string, coding uint8) []byte {
	if coding == 0 {
		b, _ := message.EncodeGSM7(words)
		return b
	}
	var b []byte
	for _, u := range utf16.Encode([]rune(words)) {
		b = append(b, byte(u>>8), byte(u))
	}
	return b
}

func TestValidityIsTheCodesRemainingLife(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		validity string
		life     time.Duration
		want     string
	}{
		{"relative", 90 * time.Second, "000000000130000R"},
		{"relative", time.Second, "000000000100000R"},
		{"absolute", 90 * time.Second, "000101000130000+"}, // a bubble begins at midnight, 1 January 2000
		{"none", 90 * time.Second, ""},
	} {
		got := sent(t, func(cfg *smpp.Config) { cfg.Validity = c.validity }, "{code}",
			func(m *delivery.Message) { m.Expires = time.Now().Add(c.life) })
		if got[0].Validity != c.want {
			t.Errorf("%s, %v: %q; want %q", c.validity, c.life, got[0].Validity, c.want)
		}
	}
}

func TestReceiptsAreAskedForAsConfigured(t *testing.T) {
	t.Parallel()
	for receipts, want := range map[string]uint8{"final": 0x01, "intermediate": 0x11, "none": 0x00} {
		if got := sent(t, func(c *smpp.Config) { c.Receipts = receipts }, "{code}", nil)[0].Registered; got != want {
			t.Errorf("%s: registered_delivery %#x; want %#x", receipts, got, want)
		}
	}
	bubble(t, func(c *smpp.Config) { c.Receipts = "none" }, func(t *testing.T, r running) {
		if got := r.submit(t, text(t, "{code}")); !got.NoReceipt {
			t.Errorf("Submit = %+v; want NoReceipt", got)
		}
	})
}

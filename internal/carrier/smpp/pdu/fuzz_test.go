package pdu_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
)

// What is read can be written, and is then read as the same (D-12). Fields that
// are read more leniently than they are written are the exception.
func FuzzDecode(f *testing.F) {
	for _, p := range samples() {
		b, err := p.Append(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := pdu.Read(bytes.NewReader(b))
		if err != nil {
			if p.Body != nil {
				t.Fatalf("an error came with the body %T", p.Body)
			}
			return
		}
		again, err := p.Append(nil)
		if errors.Is(err, pdu.ErrTooLong) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		q, err := pdu.Read(bytes.NewReader(again))
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%x", err, again)
		}
		if diff := cmp.Diff(p, q); diff != "" {
			t.Fatalf("-first +second:\n%s", diff)
		}
	})
}

func FuzzReceiptText(f *testing.F) {
	f.Add("id:17 sub:001 dlvrd:001 submit date:2611220034 done date:2611220035 stat:DELIVRD err:000 text:Your")
	f.Add("id: 17 stat: EXPIRED err: text:")
	f.Add("::::")
	f.Fuzz(func(t *testing.T, text string) {
		r := pdu.ParseReceipt(text)
		for _, v := range []string{r.ID, r.Stat, r.Err} {
			if len(v) > 64 || bytes.ContainsAny([]byte(v), " \t\r\n\x00") {
				t.Errorf("ParseReceipt(%q) = %+v; want words of at most 64 octets", text, r)
			}
		}
	})
}

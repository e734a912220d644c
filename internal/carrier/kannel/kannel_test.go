package kannel_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/countersign/countersign/internal/carrier/carriertest"
	"github.com/countersign/countersign/internal/carrier/kannel"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/delivery"
)

// Debian's Kannel, bound to npm's smpp as message centre, with our carrier on
// the one side and our receipts on the other.
func TestDebiansKannelIsSpokenTo(t *testing.T) {
	t.Parallel()
	c := startCentre(t)
	at := startKannel(t, c)
	d := &carriertest.Desk{}
	var reports http.Handler
	var failing atomic.Int32 // reports to answer with 503
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("st") == "1" && failing.Add(-1) >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		reports.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	carrier := func(change func(*kannel.Config)) *kannel.Carrier {
		cfg := config(at)
		if change != nil {
			change(&cfg)
		}
		k, _ := start(t, cfg, kannel.Deps{Receive: d.Receive, ReceiptURL: s.URL + "/carriers/kannel/receipts/token"})
		return k
	}
	k := carrier(nil)
	reports = k.Receipts()

	n := 0 // submits that the message centre has read
	submit := func(by *kannel.Carrier, words, ref string) {
		t.Helper()
		m := text(t, words)
		m.Dedupe = ref
		if r := by.Submit(t.Context(), m); r.Class != delivery.Accepted || r.Ref != ref {
			t.Fatalf("%s: Submit = %+v; want Accepted", ref, r)
		}
	}
	heard := func(ref string) delivery.Receipt {
		t.Helper()
		var found delivery.Receipt
		eventually(t, "a receipt for "+ref, func() bool {
			for _, r := range d.All() {
				if r.Ref == ref {
					found = r
				}
			}
			return found.Ref == ref
		})
		return found
	}

	for _, method := range []string{"post", "get"} {
		by := carrier(func(c *kannel.Config) {
			c.Method, c.Metadata = method, map[string]string{"dlt_entity_id": "1101234567890123456"}
		})
		for words, coding := range map[string]int{
			"Your code is {code}: äö@€ [%41] &+": 0,
			"Код {code} 😀 %41 &+":                8,
			" {code} \n@example.com #{code}":     0,
		} {
			ref := fmt.Sprint(method, "-", n)
			submit(by, words, ref)
			n++
			got, want := c.nth(t, n), strings.ReplaceAll(words, "{code}", code)
			if got.Text != want || got.Coding != coding || fmt.Sprint(got.Source, got.Dest) != "[5 0 Acme] [1 1 491712345678]" ||
				got.Entity != "1101234567890123456" || got.Validity < 240 || got.Validity > 360 {
				t.Errorf("%s: the message centre read %+v; want %q, data_coding %d, from Acme, valid five minutes", ref, got, want, coding)
			}
			c.report(t, n, "DELIVRD")
			if r := heard(ref); r.State != delivery.ReceiptDelivered {
				t.Errorf("receipt = %+v; want delivered", r)
			}
		}

		for _, words := range []string{long, strings.Repeat("Код {code} 😀 ", 5)} {
			ref := fmt.Sprint(method, "-long-", n)
			submit(by, words, ref)
			n += 2
			c.nth(t, n)
			first, last := c.nth(t, n-1), c.nth(t, n)
			if first.Text+last.Text != strings.ReplaceAll(words, "{code}", code) || first.ESM != 0x43 || len(first.UDH) != 1 || len(last.UDH) != 1 ||
				!strings.HasSuffix(first.UDH[0], "0201") || !strings.HasSuffix(last.UDH[0], "0202") {
				t.Errorf("%s: the message centre read %+v and %+v; want parts 1 and 2 of 2", ref, first, last)
			}
			c.report(t, n-1, "DELIVRD")
			c.report(t, n, "DELIVRD")
			if r := heard(ref); r.State != delivery.ReceiptDelivered {
				t.Errorf("receipt = %+v; want delivered", r)
			}
		}
	}

	for stat, want := range map[string]delivery.Receipt{
		"UNDELIV": {State: delivery.ReceiptUndeliverable},
		"REJECTD": {State: delivery.ReceiptUndeliverable},
		"EXPIRED": {State: delivery.ReceiptTimedOut},
	} {
		submit(k, "{code}", stat)
		n++
		c.nth(t, n)
		c.report(t, n, stat)
		if r := heard(stat); r.State != want.State || r.State == delivery.ReceiptUndeliverable && r.Failure.Code != stat {
			t.Errorf("%s: receipt = %+v; want %v", stat, r, want.State)
		}
	}

	c.script(t, 0x0B) // the message centre refuses the number
	submit(k, "{code}", "refused")
	if r := heard("refused"); r.State != delivery.ReceiptUndeliverable || r.Failure.Code != "0x0b" {
		t.Errorf("receipt = %+v; want undeliverable, 0x0b", r)
	}

	failing.Store(1)
	submit(k, "{code}", "again")
	n++ // the one that was refused got no id
	c.nth(t, n+1)
	c.report(t, n, "DELIVRD")
	if r := heard("again"); r.State != delivery.ReceiptDelivered {
		t.Errorf("receipt = %+v; want delivered", r)
	}

	c.do(t, "drop", nil, &struct{}{}) // the gateway queues, and sends when it is bound again
	submit(k, "{code}", "queued")
	n++
	c.nth(t, n+1)
	c.report(t, n, "DELIVRD")
	if r := heard("queued"); r.State != delivery.ReceiptDelivered {
		t.Errorf("receipt = %+v; want delivered", r)
	}

	if err := k.Check(t.Context()); err != nil {
		t.Errorf("Check = %v; want nil", err)
	}
	stranger := carrier(func(c *kannel.Config) { c.Password = setting.NewSecret("wrong") })
	if err := stranger.Check(t.Context()); err == nil || err.Error() != "the gateway refuses username and password" {
		t.Errorf("Check = %v; want that the password is refused", err)
	}
	if r := stranger.Submit(t.Context(), text(t, "{code}")); r.Class != delivery.Config || r.Failure.Code != "403" {
		t.Errorf("Submit = %+v; want Config, 403", r)
	}
	// The guide's parameters in the body of a POST are not for this Kannel. Once
	// they are, "form" should be the default.
	formed := carrier(func(c *kannel.Config) { c.Method = "form" })
	if r := formed.Submit(t.Context(), text(t, "{code}")); r.Class != delivery.Config || r.Failure.Code != "400" {
		t.Errorf("Submit = %+v; want Config, 400", r)
	}
	if err := formed.Check(t.Context()); err == nil {
		t.Error("Check = nil; want an error, as Kannel takes no form")
	}
	lost := carrier(func(c *kannel.Config) { c.URL += "x" })
	if r := lost.Submit(t.Context(), text(t, "{code}")); r.Class != delivery.Config || r.Failure.Code != "404" {
		t.Errorf("Submit = %+v; want Config, 404", r)
	}
}

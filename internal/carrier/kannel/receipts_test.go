package kannel_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/carriertest"
	"github.com/countersign/countersign/internal/carrier/kannel"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
)

func TestReportsReachTheirDeliveries(t *testing.T) {
	t.Parallel()
	of := func(state delivery.ReceiptState) []delivery.Receipt {
		return []delivery.Receipt{{Carrier: "kannel", Ref: "d1", State: state}}
	}
	failed := func(code string) []delivery.Receipt {
		r := of(delivery.ReceiptUndeliverable)
		r[0].Failure = otp.Failure{Area: delivery.AreaCarrier, Code: code}
		return r
	}
	for text, c := range map[string]struct {
		status int
		want   []delivery.Receipt
	}{
		"d=d1&st=1&ans=id:1+sub:001+stat:DELIVRD+err:000": {200, of(delivery.ReceiptDelivered)},
		"d=d1&st=2&ans=id:1+stat:UNDELIV+err:027+text:x":  {200, failed("027")},
		"d=d1&st=2&ans=id:1+stat:REJECTD+err:000":         {200, failed("REJECTD")},
		"d=d1&st=2&ans=id:1+stat:EXPIRED+err:000":         {200, of(delivery.ReceiptTimedOut)},
		"d=d1&st=2":                        {200, failed("failed")},
		"d=d1&st=34":                       {200, of(delivery.ReceiptTimedOut)},
		"d=d1&st=16&ans=NACK/0x0000000b/x": {200, failed("0x0b")},
		"d=d1&st=16&ans=NACK/1025/Vendor":  {200, failed("0x401")},
		"d=d1&st=16&ans=NACK/what":         {200, failed("failed")},
		"d=d1&st=2&ans=err:a%22%3Cb":       {200, failed("failed")},
		"d=d1&st=4":                        {200, nil},
		"d=d1&st=8&ans=ACK/&ref=77":        {200, nil},
		"d=d1&st=66":                       {200, nil},
		"d=d1&st=3":                        {400, nil},
		"d=d1&st=":                         {400, nil},
		"d=d1":                             {400, nil},
		"st=1":                             {400, nil},
		"d=" + longText + "&st=1":          {400, nil},
	} {
		d := &carriertest.Desk{}
		c0, _ := start(t, config("http://127.0.0.1:1/"), kannel.Deps{Receive: d.Receive})
		if got := report(t, c0.Receipts(), query(t, text)); got != c.status {
			t.Errorf("%s: status %d; want %d", text, got, c.status)
		}
		got := d.All()
		for i := range got {
			if (got[i].Failure.Text == "") != (got[i].Failure.Code == "") {
				t.Errorf("%s: failure %+v; want code and text or neither", text, got[i].Failure)
			}
			got[i].Failure.Text = ""
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestAReportIsAGET(t *testing.T) {
	t.Parallel()
	d := &carriertest.Desk{}
	c, _ := start(t, config("http://127.0.0.1:1/"), kannel.Deps{Receive: d.Receive})
	w := httptest.NewRecorder()
	c.Receipts().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/?d=d1&st=1", nil))
	if w.Code != http.StatusMethodNotAllowed || len(d.All()) != 0 {
		t.Errorf("POST: status %d, receipts %v; want 405, none", w.Code, d.All())
	}
}

func FuzzReport(f *testing.F) {
	for _, s := range []string{"d=d1&st=1", "d=d1&st=2&ans=id:1 stat:EXPIRED err:", "d=%00&st=16&ans=NACK/0xffffffff/", "st=34&d=d"} {
		f.Add(s)
	}
	d := &carriertest.Desk{}
	c, err := kannel.New(config("https://kannel.example/"), kannel.Deps{Receive: d.Receive, Log: discard(), Now: time.Now})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		values, err := url.ParseQuery(text)
		if err != nil {
			return // net/http reads what it can; here the rest is of interest
		}
		before := len(d.All())
		if status := report(t, c.Receipts(), values); status != http.StatusOK && status != http.StatusBadRequest {
			t.Errorf("%q: status %d; want 200 or 400", text, status)
		}
		for _, r := range d.All()[before:] {
			if r.Ref == "" || r.State == 0 || len(r.Failure.Code) > 32 || (r.State == delivery.ReceiptUndeliverable) != (r.Failure.Code != "") {
				t.Errorf("%q: receipt %+v", text, r)
			}
		}
	})
}

// Nobody knows by which id a report's delivery is found while its submit waits
// for the answer.
func TestAReportWaitsForTheAnswer(t *testing.T) {
	t.Parallel()
	d := &carriertest.Desk{}
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	var c *kannel.Carrier
	reportIn := func(ctx context.Context) int {
		w := httptest.NewRecorder()
		c.Receipts().ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/?st=1&d="+dedupe, nil))
		return w.Code
	}
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if status := reportIn(gone); status != http.StatusServiceUnavailable {
			t.Errorf("a report before the answer that was hung up on got %d, want 503", status)
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, accepted)
	})
	c, _ = start(t, config(url), kannel.Deps{Receive: d.Receive, ReceiptURL: receiptURL})
	if r := c.Submit(t.Context(), text(t, "{code}")); r.Class != delivery.Accepted {
		t.Errorf("Submit = %+v; want Accepted", r)
	}
	if got := d.All(); len(got) != 0 {
		t.Errorf("receipts %+v before the answer; want none", got)
	}
	if status := reportIn(t.Context()); status != http.StatusOK || len(d.All()) != 1 {
		t.Errorf("a report after the answer got %d, %+v; want 200 and one", status, d.All())
	}
}

package request_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/carriertest"
	"github.com/countersign/countersign/internal/carrier/request"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
)

// reporting is a configuration with receipts by our id, or by the gateway's.
func reporting(byRef bool) request.Config {
	cfg := config("https://gateway.example/send")
	cfg.ReceiptStatus, cfg.ReceiptReason = "st", "why"
	cfg.Dispatched, cfg.Delivered, cfg.Undeliverable, cfg.TimedOut = []string{"SENT", "8"}, []string{"DELIVRD", "1", "true"}, []string{"UNDELIV"}, []string{"EXPIRED"}
	if byRef {
		cfg.RefPointer, cfg.ReceiptRef, cfg.ReceiptStatus, cfg.ReceiptReason = "/id", "/data/0/id", "/data/0/st", "/why"
		return cfg
	}
	cfg.Body, cfg.ReceiptID = `{"to":"{to}","text":"{text}","id":"{id}"}`, "d"
	return cfg
}

func reads(t testing.TB, cfg request.Config, d *carriertest.Desk) http.Handler {
	t.Helper()
	c, err := request.New(cfg, request.Deps{Receive: d.Receive, Log: discard(), Now: time.Now, ReceiptURL: receiptURL})
	if err != nil {
		t.Fatal(err)
	}
	return c.Receipts()
}

func TestTheLogNamesAnUnlistedStatusUnlessItMayBeACodeOrANumber(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	c, err := request.New(reporting(false), request.Deps{
		Receive: (&carriertest.Desk{}).Receive, Log: slog.New(slog.NewTextHandler(&log, nil)), Now: time.Now, ReceiptURL: receiptURL,
	})
	if err != nil {
		t.Fatal(err)
	}
	for status, want := range map[string]string{"SEEN-7": "status=SEEN-7", "80427519": `status=""`, "to_491712345678": `status=""`} {
		log.Reset()
		c.Receipts().ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?d=d1&st="+status, nil))
		if !strings.Contains(log.String(), want) || !strings.Contains(log.String(), "no list") {
			t.Errorf("a receipt with the status %s: logged %q; want %s", status, log.String(), want)
		}
	}
}

func TestReceiptsReachTheirDeliveries(t *testing.T) {
	t.Parallel()
	of := func(state delivery.ReceiptState) []delivery.Receipt {
		return []delivery.Receipt{{Carrier: "gateway", Ref: "d1", State: state}}
	}
	failed := func(code string) []delivery.Receipt {
		r := of(delivery.ReceiptUndeliverable)
		r[0].Failure = otp.Failure{Area: delivery.AreaCarrier, Code: code, Text: "The gateway reported that the message was not delivered"}
		return r
	}
	for _, c := range []struct {
		byRef               bool
		method, query, body string
		status              int
		want                []delivery.Receipt
	}{
		{false, "GET", "d=d1&st=DELIVRD", "", 200, of(delivery.ReceiptDelivered)},
		{false, "GET", "d=d1&st=delivrd", "", 200, of(delivery.ReceiptDelivered)},
		{false, "POST", "", "d=d1&st=1", 200, of(delivery.ReceiptDelivered)},
		{false, "POST", "d=d1", "st=EXPIRED", 200, of(delivery.ReceiptTimedOut)},
		{false, "POST", "d=d1&st=UNDELIV", "st=EXPIRED", 200, of(delivery.ReceiptTimedOut)},
		{false, "POST", "", `{"d":"d1","st":1}`, 200, of(delivery.ReceiptDelivered)},
		{false, "POST", "", ` [{"d":"d1","st":true}]`, 200, of(delivery.ReceiptDelivered)},
		{false, "POST", "d=d1", `{"st":"EXPIRED"}`, 200, of(delivery.ReceiptTimedOut)},
		{false, "GET", "d=d1&st=UNDELIV&why=27", "", 200, failed("27")},
		{false, "GET", "d=d1&st=UNDELIV&why=the+phone+is+off", "", 200, failed("UNDELIV")},
		{false, "GET", "d=d1&st=UNDELIV", "", 200, failed("UNDELIV")},
		{false, "GET", "d=d1&st=SENT", "", 200, nil},
		{false, "POST", "", `{"d":"d1","st":8}`, 200, nil},
		{false, "GET", "d=d1&st=SEEN", "", 400, nil},
		{false, "GET", "d=d1&st=", "", 400, nil},
		{false, "GET", "d=d1", "", 400, nil},
		{false, "GET", "st=1", "", 400, nil},
		{false, "GET", "d=&st=1", "", 400, nil},
		{false, "GET", "d=a%00b&st=1", "", 400, nil},
		{false, "GET", "d=" + strings.Repeat("x", 256) + "&st=1", "", 400, nil},
		{false, "POST", "", `{"d":"d1","st":"DELIVRD"`, 400, nil},
		{false, "POST", "", `[{"d":"d1","st":1},{"d":"d2","st":1}]`, 400, nil},
		{false, "POST", "", `{"d":{"a":1},"st":1}`, 400, nil},
		{false, "POST", "", "d=d1&st=%", 400, nil},
		{false, "POST", "", "d=d1&st=1&text=100%", 200, of(delivery.ReceiptDelivered)},
		{false, "POST", "", "d=d1&why=0;1&st=UNDELIV", 200, failed("UNDELIV")},
		{false, "POST", "", "d=d1&st=1&x=" + strings.Repeat("x", 256<<10), 400, nil},
		{false, "HEAD", "d=d1&st=1", "", 405, nil},
		{false, "PUT", "d=d1&st=1", "", 405, nil},
		{true, "POST", "", `{"data":[{"id":"d1","st":"DELIVRD"}]}`, 200, of(delivery.ReceiptDelivered)},
		{true, "POST", "", `{"data":[{"id":"d1","st":"UNDELIV"}],"why":"E-7"}`, 200, failed("E-7")},
		{true, "POST", "", `{"data":[],"/data/0/id":"d1"}`, 400, nil},
	} {
		d := &carriertest.Desk{}
		name := c.method + " " + c.query + " " + c.body
		if got := report(t, reads(t, reporting(c.byRef), d), c.method, c.query, c.body); got != c.status {
			t.Errorf("%.80s: status %d; want %d", name, got, c.status)
		}
		if diff := cmp.Diff(c.want, d.All()); diff != "" {
			t.Errorf("%.80s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAReceiptThatCannotBeRecordedIsAskedForAgain(t *testing.T) {
	t.Parallel()
	if got := report(t, reads(t, reporting(false), &carriertest.Desk{Broken: true}), "GET", "d=d1&st=1", ""); got != http.StatusServiceUnavailable {
		t.Errorf("status %d while the store is away; want 503", got)
	}
}

func TestWithoutReceiptsNothingTakesThem(t *testing.T) {
	t.Parallel()
	if h := made(t, config("https://gateway.example/send")).Receipts(); h != nil {
		t.Errorf("Receipts = %v; want nil", h)
	}
	for url, want := range map[string]bool{receiptURL: false, "": true} {
		g := open(t, answers(http.StatusOK, ""), func(c *request.Config, d *request.Deps) {
			at := c.URL
			*c = reporting(false)
			c.URL, d.ReceiptURL = at, url
		})
		if r := g.Submit(t.Context(), sms(t, "{code}")); r.Class != delivery.Accepted || r.NoReceipt != want {
			t.Errorf("Submit = %+v; want Accepted, NoReceipt %v", r, want)
		}
	}
}

func FuzzReceipt(f *testing.F) {
	for _, s := range []string{
		"d=d1&st=1", "d=%00&st=UNDELIV&why=a%20b", `{"d":"d1","st":"EXPIRED"}`, `[{"d":1e9,"st":true}]`, `{"data":[{"id":"r","st":"UNDELIV"}]}`, "[[", "st=1;d=1",
	} {
		f.Add("", s)
		f.Add(s, "")
	}
	desks := []*carriertest.Desk{{}, {}}
	handlers := []http.Handler{reads(f, reporting(false), desks[0]), reads(f, reporting(true), desks[1])}
	f.Fuzz(func(t *testing.T, query, body string) {
		for i, h := range handlers {
			d := desks[i]
			before := len(d.All())
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
			req.URL = &url.URL{Path: "/", RawQuery: query}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, req)
			if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
				t.Errorf("%q, %q: status %d; want 200 or 400", query, body, w.Code)
			}
			for _, r := range d.All()[before:] {
				if r.Ref == "" || len(r.Ref) > 255 || r.State == 0 || w.Code != http.StatusOK ||
					(r.State == delivery.ReceiptUndeliverable) != (r.Failure.Code != "") || len(r.Failure.Code) > 32 {
					t.Errorf("%q, %q: receipt %+v, status %d", query, body, r, w.Code)
				}
			}
		}
	})
}

// Nobody knows by which id a receipt's delivery is found while its submit waits
// for the answer.
func TestAReceiptThatNamesOurIDWaitsForTheAnswer(t *testing.T) {
	t.Parallel()
	d := &carriertest.Desk{}
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	var c *request.Carrier
	reportIn := func(ctx context.Context) int {
		w := httptest.NewRecorder()
		c.Receipts().ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/?st=1&d="+dedupe, nil))
		return w.Code
	}
	early := func(w http.ResponseWriter, _ *http.Request) {
		if status := reportIn(gone); status != http.StatusServiceUnavailable {
			t.Errorf("a receipt before the answer that was hung up on got %d, want 503", status)
		}
		w.WriteHeader(http.StatusOK)
	}
	c = open(t, early, func(cfg *request.Config, deps *request.Deps) {
		url := cfg.URL
		*cfg, deps.Receive = reporting(false), d.Receive
		cfg.URL = url
	})
	if r := c.Submit(t.Context(), sms(t, "{code}")); r.Class != delivery.Accepted {
		t.Errorf("Submit = %+v; want Accepted", r)
	}
	if got := d.All(); len(got) != 0 {
		t.Errorf("receipts %+v before the answer; want none", got)
	}
	if status := reportIn(t.Context()); status != http.StatusOK || len(d.All()) != 1 {
		t.Errorf("a receipt after the answer got %d, %+v; want 200 and one", status, d.All())
	}
}

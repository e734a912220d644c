package webhook_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/carriertest"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/carrier/webhook"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
)

func receipts(t testing.TB, d *carriertest.Desk, change func(*webhook.Config)) http.Handler {
	t.Helper()
	return open(t, answers(http.StatusOK, ""), func(c *webhook.Config, deps *webhook.Deps) {
		deps.Receive = d.Receive
		if change != nil {
			change(c)
		}
	}).Receipts()
}

func TestReceiptsReachTheirDeliveries(t *testing.T) {
	t.Parallel()
	failed := func(code string) delivery.Receipt {
		return delivery.Receipt{Carrier: "gateway", Ref: "r1", State: delivery.ReceiptUndeliverable, Failure: otp.Failure{
			Area: delivery.AreaCarrier, Code: code, Text: "The receiver reported that the message was not delivered",
		}}
	}
	of := func(id, ref string, state delivery.ReceiptState) []delivery.Receipt {
		return []delivery.Receipt{{Carrier: "gateway", ID: id, Ref: ref, State: state}}
	}
	unanswered := of("d1", "", delivery.ReceiptTimedOut)
	unanswered[0].Failure = otp.Failure{Area: delivery.AreaCarrier, Code: "no-answer", Text: "The receiver reported that the message was given up"}
	for body, c := range map[string]struct {
		status int
		want   []delivery.Receipt
	}{
		`{"id":"d1","status":"TIMED_OUT","reason":"no-answer"}`:                    {200, unanswered},
		`{"ref":"r1","status":"DELIVERED","timestamp":"2026-11-22T02:00:00Z"}`:     {200, of("", "r1", delivery.ReceiptDelivered)},
		`{"id":"d1","status":"TIMED_OUT"}`:                                         {200, of("d1", "", delivery.ReceiptTimedOut)},
		`{"ref":"r1","status":"UNDELIVERABLE","reason":"30005"}`:                   {200, []delivery.Receipt{failed("30005")}},
		`{"ref":"r1","status":"UNDELIVERABLE","reason":"the phone is off, sorry"}`: {200, []delivery.Receipt{failed("undeliverable")}},
		`{"ref":"r1","status":"UNDELIVERABLE","reason":17}`:                        {200, []delivery.Receipt{failed("17")}},
		`{"ref":"r1","status":"UNDELIVERABLE","reason":null}`:                      {200, []delivery.Receipt{failed("undeliverable")}},
		`{"ref":"r1","status":"DELIVERED","reason":{"code":0}}`:                    {200, of("", "r1", delivery.ReceiptDelivered)},
		`{"ref":"r1","status":["DELIVERED"]}`:                                      {400, nil},
		`{"ref":"r1","status":"DISPATCHED"}`:                                       {200, nil},
		`{"id":"d1","ref":"r1","status":"DELIVERED"}`:                              {200, of("d1", "r1", delivery.ReceiptDelivered)},
		`{"ref":7,"status":"DELIVERED"}`:                                           {200, of("", "7", delivery.ReceiptDelivered)},
		`{"ref":"r1","status":"SEEN"}`:                                             {400, nil},
		`{"status":"DELIVERED"}`:                                                   {400, nil},
		`{"ref":"r1"`:                                                              {400, nil},
		`[]`:                                                                       {400, nil},
		``:                                                                         {400, nil},
	} {
		d := &carriertest.Desk{}
		if got := report(t, receipts(t, d, nil), secretOf(1), body, time.Now()); got != c.status {
			t.Errorf("%s: status %d; want %d", body, got, c.status)
		}
		if diff := cmp.Diff(c.want, d.All()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
}

func TestReceiptsThatCannotBeBelievedChangeNothing(t *testing.T) {
	t.Parallel()
	const body = `{"ref":"r1","status":"DELIVERED"}`
	d := &carriertest.Desk{}
	h := receipts(t, d, nil)
	unsigned := httptest.NewRecorder()
	h.ServeHTTP(unsigned, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body)))
	read := httptest.NewRecorder()
	h.ServeHTTP(read, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	for name, c := range map[string]struct{ got, want int }{
		"unsigned":  {unsigned.Code, http.StatusUnauthorized},
		"a GET":     {read.Code, http.StatusMethodNotAllowed},
		"other key": {report(t, h, secretOf(2), body, time.Now()), http.StatusUnauthorized},
		"old":       {report(t, h, secretOf(1), body, time.Now().Add(-6*time.Minute)), http.StatusUnauthorized},
		"early":     {report(t, h, secretOf(1), body, time.Now().Add(6*time.Minute)), http.StatusUnauthorized},
		"too large": {report(t, h, secretOf(1), body+strings.Repeat(" ", 256<<10), time.Now()), http.StatusBadRequest},
	} {
		if c.got != c.want {
			t.Errorf("%s: status %d; want %d", name, c.got, c.want)
		}
	}
	if len(d.All()) != 0 {
		t.Errorf("receipts = %+v; want none", d.All())
	}
	d.Broken = true
	if got := report(t, h, secretOf(1), body, time.Now()); got != http.StatusServiceUnavailable {
		t.Errorf("status %d while the store is away; want 503", got)
	}
}

func TestBothSecretsSignReceiptsDuringARotation(t *testing.T) {
	t.Parallel()
	d := &carriertest.Desk{}
	h := receipts(t, d, func(c *webhook.Config) { c.PreviousSecret = setting.NewSecret(secretOf(2)) })
	for fill, want := range map[byte]int{1: 200, 2: 200, 3: 401} {
		if got := report(t, h, secretOf(fill), `{"ref":"r1","status":"DELIVERED"}`, time.Now()); got != want {
			t.Errorf("secret %d: status %d; want %d", fill, got, want)
		}
	}
}

func FuzzReceipt(f *testing.F) {
	f.Add(`{"id":"d1","ref":"r1","status":"DELIVERED"}`)
	f.Add(`{"ref":1e9,"status":"UNDELIVERABLE","reason":"a b"}`)
	f.Add(`{"id":null,"ref":"","status":"TIMED_OUT"}`)
	d := &carriertest.Desk{}
	c, err := webhook.New(config("https://receiver.example"), webhook.Deps{Receive: d.Receive, Log: discard(), Now: time.Now})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body string) {
		before := len(d.All())
		status := report(t, c.Receipts(), secretOf(1), body, time.Now())
		if status != http.StatusOK && status != http.StatusBadRequest {
			t.Errorf("%q: status %d; want 200 or 400", body, status)
		}
		for _, r := range d.All()[before:] {
			if r.ID == "" && r.Ref == "" || len(r.ID) > 255 || len(r.Ref) > 255 || r.State == 0 || status != http.StatusOK ||
				(r.State == delivery.ReceiptUndeliverable) != (r.Failure.Code != "") || len(r.Failure.Code) > 32 {
				t.Errorf("%q: receipt %+v, status %d", body, r, status)
			}
		}
	})
}

// Nobody knows by which id a receipt's delivery is found while its submit waits
// for the answer.
func TestAReceiptThatNamesTheIDWaitsForTheAnswer(t *testing.T) {
	t.Parallel()
	d := &carriertest.Desk{}
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	var c *webhook.Carrier
	early := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if status := reportIn(gone, t, c.Receipts(), secretOf(1), `{"id":"`+dedupe+`","status":"DELIVERED"}`, time.Now()); status != http.StatusServiceUnavailable {
			t.Errorf("a receipt before the answer that was hung up on got %d, want 503", status)
		}
		if status := reportIn(gone, t, c.Receipts(), secretOf(1), `{"id":"another","status":"DELIVERED"}`, time.Now()); status != http.StatusOK {
			t.Errorf("a receipt of another message got %d, want 200 at once", status)
		}
		w.WriteHeader(http.StatusAccepted)
	}
	c = open(t, early, func(_ *webhook.Config, deps *webhook.Deps) { deps.Receive = d.Receive })
	if r := c.Submit(t.Context(), text(t, message.SMS, "{code}")); r.Class != delivery.Accepted {
		t.Errorf("Submit = %+v; want Accepted", r)
	}
	if status := report(t, c.Receipts(), secretOf(1), `{"id":"`+dedupe+`","status":"DELIVERED"}`, time.Now()); status != http.StatusOK {
		t.Errorf("a receipt after the answer got %d, want 200", status)
	}
	if got := d.All(); len(got) != 2 || got[0].ID != "another" || got[1].ID != dedupe {
		t.Errorf("receipts %+v; want another message's, and this one's after its answer", got)
	}
}

package twilio_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/twilio"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

// ended is a status callback's form for a channel: of a call that was heard, of a
// message that arrived.
func ended(channel message.Channel) url.Values {
	if channel == message.Voice {
		return url.Values{"CallSid": {"CA1"}, "CallStatus": {"completed"}, "CallDuration": {"20"}}
	}
	return good()
}

func TestAMessageWhoseAnswerWasLostIsKnownByWhatItsCallbackNames(t *testing.T) {
	t.Parallel()
	for _, channel := range []message.Channel{message.SMS, message.WhatsApp, message.Voice} {
		names := map[string]int{}
		for _, try := range []int{1, 2, 3} { // a busy line is called again: another call
			for _, lost := range []answer{{status: http.StatusGatewayTimeout}, {status: http.StatusCreated, body: "<html>"}} {
				s := start(t, nil)
				s.script(lost)
				m := text(t, channel, "Code {code}")
				m.Try = try
				r := s.submit(t, m)
				target := withoutFragment(s.last(t).form.Get("StatusCallback"))
				form := ended(channel)
				w := post(t, s.Carrier, call{target: target, body: form.Encode(), signature: sign(token, target, form)})
				got := s.received()
				if r.Class != delivery.Uncertain || r.Ref == "" || w.Code != http.StatusOK || len(got) != 1 || got[0].ID != r.Ref || got[0].State != delivered {
					t.Errorf("%s, try %d: Submit = %+v, and the receipts are %+v; want Uncertain, and one that names it", channel, try, r, got)
				}
				if r.MayBeBusy != (channel == message.Voice) {
					t.Errorf("%s: Submit = %+v; want a call, and nothing else, to may be busy", channel, r)
				}
				if !strings.Contains(target, "?d="+dedupe) {
					t.Errorf("%s: the callback is %s; want it to have our reference", channel, target)
				}
				names[r.Ref]++
			}
		}
		if len(names) != 3 || names[dedupe] != 2 {
			t.Errorf("%s: three tries are known as %v; want a name each, the first's %s", channel, names, dedupe)
		}
	}
}

func TestAMessageThatTwilioTookIsKnownByItsSid(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	r := s.submit(t, text(t, message.SMS, "Code {code}"))
	if r.Class != delivery.Accepted || !strings.HasPrefix(r.Ref, "SM") || r.ByID {
		t.Errorf("Submit = %+v; want it known by its Sid only", r)
	}
}

func TestWithoutReceiptsALostMessageHasNoName(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *twilio.Config, d *twilio.Deps) { c.InlineVoice, d.ReceiptURL = true, "" })
	for _, channel := range []message.Channel{message.SMS, message.Voice} {
		s.script(answer{status: http.StatusGatewayTimeout})
		if r := s.submit(t, text(t, channel, "Code {code}")); r.Class != delivery.Uncertain || r.Ref != "" || r.MayBeBusy {
			t.Errorf("%s: Submit = %+v; want Uncertain, and nothing to wait for", channel, r)
		}
	}
}

func TestAQueryThatNamesNothingOfOursIsNoName(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"":                              "",
		"?d=":                           "",
		"?n=2":                          "",
		"?d=a%0Ab":                      "",
		"?d=" + strings.Repeat("x", 65): "",
		"?d=a":                          "a",
		"?d=a&n=1":                      "a",
		"?d=a&n=x":                      "a",
		"?d=a&n=12":                     "a.12",
	} {
		s := start(t, nil)
		target := publicURL + query
		w := post(t, s.Carrier, call{target: target, body: good().Encode(), signature: sign(token, target, good())})
		if got := s.received(); w.Code != http.StatusOK || len(got) != 1 || got[0].ID != want || got[0].Ref != "SM1" {
			t.Errorf("%q: answered with %d, receipts %+v; want one of SM1 and %q", query, w.Code, got, want)
		}
	}
}

// Nobody knows by which id a receipt's delivery is found while its submit waits
// for the answer.
func TestAReceiptWaitsForTheAnswerOfItsOwnSubmit(t *testing.T) {
	t.Parallel()
	submitting, lose := context.WithCancel(t.Context())
	defer lose()
	s := start(t, nil)
	s.script(answer{silent: true})
	lost := make(chan delivery.Result, 1)
	go func() { lost <- s.Submit(submitting, text(t, message.SMS, "Code {code}")) }()
	for deadline := time.Now().Add(2 * time.Minute); len(s.requests()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("Twilio read no request")
		}
	}
	target := publicURL + "?d=" + dedupe
	callback := func(ctx context.Context) int {
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(good().Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-Twilio-Signature", sign(token, target, good()))
		w := httptest.NewRecorder()
		s.Receipts().ServeHTTP(w, r)
		return w.Code
	}
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	if status := callback(gone); status != http.StatusServiceUnavailable || s.count() != 0 {
		t.Errorf("a callback that was hung up on got %d, and %d receipts; want 503 and none", status, s.count())
	}
	told := make(chan int, 1)
	go func() { told <- callback(t.Context()) }()
	lose()
	if status := <-told; status != http.StatusOK || s.count() != 1 {
		t.Errorf("the callback got %d, and %d receipts; want 200 and one", status, s.count())
	}
	if r := <-lost; r.Class != delivery.Uncertain || r.Ref != s.received()[0].ID {
		t.Errorf("Submit = %+v; want Uncertain, named as in %+v", r, s.received()[0])
	}
	if status := callback(gone); status != http.StatusOK {
		t.Errorf("a later callback got %d; want 200 at once", status)
	}
}

package fleet_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/fleet"
	"github.com/countersign/countersign/internal/message"
)

// serving makes a fleet and runs it until the test ends.
func serving(t *testing.T, d fleet.Deps, toml string) *fleet.Fleet {
	t.Helper()
	s, _ := settings(t, toml, "auto", environ()...)
	f, err := fleet.New(s, d)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	<-f.Begun()
	return f
}

// reload has the fleet take over other carriers.
func reload(t *testing.T, f *fleet.Fleet, toml string) {
	t.Helper()
	s, _ := settings(t, toml, "auto", environ()...)
	if _, err := f.Reload(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

// until waits for what happens soon.
func until(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !happened(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func TestAnOldRouteReachesNoCarrierThatWasReplacedOrRemoved(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]string{
		"replaced": "metadata = { a = \"b\" }\n", "removed": "",
	} {
		at, got, letGo := hanging(t)
		letGo()
		f := serving(t, deps(), webhookTOML(at)+smppTOML("a"))
		old := f.Router().Route(message.SMS, number(t), "")
		if after != "" {
			after = webhookTOML(at) + after
		}
		reload(t, f, after+smppTOML("a"))
		if r := old[0].Submit(t.Context(), text(t, "late")); r.Class != delivery.Deferred {
			t.Errorf("%s: Submit = %+v; want Deferred", name, r)
		}
		if n := len(got); n != 0 {
			t.Errorf("%s: it got %d messages; want none", name, n)
		}
	}
}

// gateway takes one request and answers it once it is let go.
func gateway(t *testing.T, answer string) (at string, got <-chan url.Values, letGo func()) {
	t.Helper()
	arrived, release := make(chan url.Values, 10), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		arrived <- r.Form
		<-release
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(s.Close)
	letGo = sync.OnceFunc(func() { close(release) })
	t.Cleanup(letGo)
	return s.URL, arrived, letGo
}

// signedReceipt is what a receiver of webhooks reports of the message "one".
func signedReceipt(t *testing.T, body string) *http.Request {
	t.Helper()
	secret, err := callback.ParseSecret(strings.TrimPrefix(environ()[1], "SECRET="))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signature, err := callback.Sign([]callback.Secret{secret}, "r", now, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/carriers/w/receipts/new-w", strings.NewReader(body))
	r.Header.Set("webhook-id", "r")
	r.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	r.Header.Set("webhook-signature", signature)
	return r
}

// twilioReceipt is what Twilio reports, to the URL that it was given.
func twilioReceipt(t *testing.T, to string) *http.Request {
	t.Helper()
	sid := "SM" + strings.Repeat("0", 32)
	form := url.Values{"MessageSid": {sid}, "MessageStatus": {"delivered"}}
	mac := hmac.New(sha1.New, []byte("secret"))
	mac.Write([]byte(to + "MessageSid" + sid + "MessageStatus" + "delivered"))
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, strings.TrimPrefix(u.RequestURI(), "/base"), strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Twilio-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return r
}

// post returns how a receipt is answered. An impatient sender is gone at once, so
// that the answer is 503 if the receipt has to wait.
func post(f *fleet.Fleet, r *http.Request, impatient bool) int {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if impatient {
		cancel()
	}
	mux := http.NewServeMux()
	mux.Handle(fleet.ReceiptPattern, f.Receipts())
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r.WithContext(ctx))
	return w.Code
}

func TestAReceiptAfterAReloadWaitsForTheAnswerThatTheOldCarrierHasInHand(t *testing.T) {
	t.Parallel()
	const common = "[[carrier]]\nname = \"w\"\nallow_plaintext = true\n"
	get := func(t *testing.T, query string) *http.Request {
		return httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/carriers/w/receipts/new-w?"+query, nil)
	}
	for name, c := range map[string]struct {
		toml, changed, answer string
		receipt               func(t *testing.T, asked url.Values) *http.Request
	}{
		"webhook": {
			"[[carrier]]\nname = \"w\"\ntype = \"webhook\"\nurl = \"%s\"\nsecret = \"env:SECRET\"\nallow_private = true\n", "metadata = { a = \"b\" }\n", "",
			func(t *testing.T, _ url.Values) *http.Request {
				return signedReceipt(t, `{"id":"one","status":"DELIVERED"}`)
			},
		},
		"kannel": {
			common + "type = \"kannel\"\nurl = \"%s\"\nusername = \"u\"\npassword = \"env:PASS\"\n", "priority = 1\n", "0: Accepted for delivery",
			func(t *testing.T, _ url.Values) *http.Request { return get(t, "d=one&st=1") },
		},
		"request": {
			common + "type = \"request\"\nallow_private = true\nurl = \"%s\"\nbody = '{\"to\":\"{to}\",\"text\":\"{text}\",\"id\":\"{id}\"}'\nreceipt_id = \"id\"\nreceipt_status = \"st\"\nreceipt_delivered = [\"ok\"]\n", "timeout = \"9s\"\n", "{}",
			func(t *testing.T, _ url.Values) *http.Request { return get(t, "id=one&st=ok") },
		},
		"twilio": {
			"[[carrier]]\nname = \"w\"\ntype = \"twilio\"\naccount_sid = \"AC" + strings.Repeat("0", 32) + "\"\nauth_token = \"env:PASS\"\nbase_url = \"%s\"\nfrom = \"+15005550006\"\n", "smart_encoded = true\n",
			`{"sid":"SM` + strings.Repeat("0", 32) + `","status":"queued"}`,
			func(t *testing.T, asked url.Values) *http.Request {
				return twilioReceipt(t, asked.Get("StatusCallback"))
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, got, letGo := gateway(t, c.answer)
			toml, d := fmt.Sprintf(c.toml, at), deps()
			news := make(chan delivery.Receipt, 10)
			d.Receive = func(_ context.Context, r delivery.Receipt) (bool, error) { news <- r; return true, nil }
			f := serving(t, d, toml)
			old := f.Router().Route(message.SMS, number(t), "")[0]
			result := make(chan delivery.Result, 1)
			go func() { result <- old.Submit(t.Context(), text(t, "one")) }()
			asked := <-got
			for range 2 { // and the one after that
				reload(t, f, toml+c.changed)
				c.changed = ""
				if code := post(f, c.receipt(t, asked), true); code != http.StatusServiceUnavailable {
					t.Errorf("while nothing is answered a receipt gets %d; want 503, as it waits", code)
				}
			}
			if n := len(news); n != 0 {
				t.Errorf("%d receipts went through before the answer; want none", n)
			}
			letGo()
			if r := <-result; r.Class != delivery.Accepted {
				t.Fatalf("Submit = %+v; want Accepted", r)
			}
			if code := post(f, c.receipt(t, asked), false); code != http.StatusOK {
				t.Errorf("after the answer a receipt gets %d; want 200", code)
			}
			if r := <-news; r.Carrier != "w" || r.State != delivery.ReceiptDelivered {
				t.Errorf("receipt = %+v; want delivered", r)
			}
		})
	}
}

// holding returns carriers of which the webhook, at an address, has the message
// "one" in hand until answer is called, which returns once the answer has come.
func holding(t *testing.T) (f *fleet.Fleet, at string, answer func()) {
	t.Helper()
	at, got, letGo := hanging(t)
	f = serving(t, deps(), webhookTOML(at)+smppTOML("a"))
	old := f.Router().Route(message.Voice, number(t), "")[0]
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		old.Submit(t.Context(), text(t, "one"))
	}()
	<-got
	return f, at, func() {
		letGo()
		<-ended
	}
}

func TestARemovedCarrierTakesReceiptsUntilItHasEnded(t *testing.T) {
	t.Parallel()
	f, _, answer := holding(t)
	defer answer()
	reload(t, f, smppTOML("a"))
	const another = `{"ref":"another","status":"DELIVERED"}`
	if code := post(f, signedReceipt(t, another), false); code != http.StatusOK {
		t.Errorf("while it has a message in hand a receipt gets %d; want 200", code)
	}
	if code := post(f, signedReceipt(t, `{"id":"one","status":"DELIVERED"}`), true); code != http.StatusServiceUnavailable {
		t.Errorf("a receipt of what it has in hand gets %d; want 503, as it waits", code)
	}
	answer()
	until(t, "receipts are refused once it has ended", func() bool {
		return post(f, signedReceipt(t, another), false) == http.StatusNotFound
	})
}

func TestLinksAreForgottenOnceNobodyKeepsThem(t *testing.T) {
	t.Parallel()
	d, told := deps(), &seen{}
	d.Observer = told
	f := serving(t, d, smppTOML("a", "binds = 3"))
	for _, c := range []struct {
		toml string
		want []string
	}{
		{smppTOML("a", "binds = 1"), []string{"2 bind_transceiver", "3 bind_transceiver"}},
		{smppTOML("a", `mode = "pair"`), []string{"1 bind_transceiver"}},
		{strings.Replace(webhookTOML("http://127.0.0.1:1/"), `"w"`, `"a"`, 1), []string{"1 bind_receiver", "1 bind_transmitter"}},
		{smppTOML("a"), nil},
		{"", []string{"1 bind_transceiver"}},
	} {
		reload(t, f, c.toml)
		until(t, "links are gone", func() bool { return told.count() >= len(c.want) })
		for i, link := range c.want {
			c.want[i] = "gone a " + link
		}
		if got := told.taken(); !slices.Equal(got, c.want) {
			t.Errorf("%s\ntells %q; want %q", c.toml, got, c.want)
		}
	}
}

func TestACarrierThatComesBackWhileTheOldOneStillEndsKnowsWhatThatHasInHand(t *testing.T) {
	t.Parallel()
	f, at, answer := holding(t)
	defer answer()
	reload(t, f, smppTOML("a"))
	reload(t, f, webhookTOML(at)+smppTOML("a"))
	const one = `{"id":"one","status":"DELIVERED"}`
	if code := post(f, signedReceipt(t, one), true); code != http.StatusServiceUnavailable {
		t.Errorf("a receipt of what the old one has in hand gets %d; want 503, as it waits", code)
	}
	answer()
	if code := post(f, signedReceipt(t, one), false); code != http.StatusOK {
		t.Errorf("after the answer a receipt gets %d; want 200", code)
	}
}

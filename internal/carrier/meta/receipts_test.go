package meta_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/meta"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
)

// letter is a webhook with its signature, "" for none.
type letter struct{ body, signature string }

func signed(secret, body string) letter {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return letter{body, "sha256=" + hex.EncodeToString(mac.Sum(nil))}
}

// post sends a webhook and returns the status of the answer.
func post(t testing.TB, url string, l letter) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(l.body))
	noError(t, err)
	if l.signature != "" {
		req.Header.Set("X-Hub-Signature-256", l.signature)
	}
	status, _, _ := do(t, req)
	return status
}

func do(t testing.TB, req *http.Request) (status int, header http.Header, body string) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(req)
	noError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	noError(t, err)
	return res.StatusCode, res.Header, string(text)
}

// ear is a carrier's webhook on a real socket.
func ear(t testing.TB, change ...func(*meta.Config, *meta.Deps)) (d *desk, url string) {
	t.Helper()
	d = newDesk()
	cfg, deps := config(newGraph(t)), d.deps()
	for _, f := range change {
		f(&cfg, &deps)
	}
	s := httptest.NewServer(open(t, cfg, deps).Receipts())
	t.Cleanup(s.Close)
	return d, s.URL
}

func TestStatusesOfMessagesBecomeReceipts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		word, errors string
		want         []delivery.Receipt
	}{
		{"sent", "", nil},
		{"deleted", "", nil},
		{"delivered", "", []delivery.Receipt{{Carrier: "whatsapp", Ref: "wamid.1", State: delivery.ReceiptDelivered}}},
		{"read", "", []delivery.Receipt{{Carrier: "whatsapp", Ref: "wamid.1", State: delivery.ReceiptDelivered}}},
		{"failed", "", []delivery.Receipt{{
			Carrier: "whatsapp", Ref: "wamid.1", State: delivery.ReceiptUndeliverable,
			Failure: otp.Failure{Area: "carrier", Code: "failed", Text: "WhatsApp reported a failure without a reason"},
		}}},
		{"failed", `,"errors":[{"code":131026}]`, []delivery.Receipt{{
			Carrier: "whatsapp", Ref: "wamid.1", State: delivery.ReceiptUndeliverable,
			Failure: otp.Failure{Area: "carrier", Code: "131026", Text: "The recipient is not on WhatsApp or cannot get this message"},
		}}},
		{"failed", `,"errors":[{"code":999999,"title":"new"}]`, []delivery.Receipt{{
			Carrier: "whatsapp", Ref: "wamid.1", State: delivery.ReceiptUndeliverable,
			Failure: otp.Failure{Area: "carrier", Code: "999999", Text: "WhatsApp refused the message with an error of its own"},
		}}},
	} {
		d, url := ear(t)
		body := hook("messages", `{"metadata":{"phone_number_id":"`+phoneID+`"},"statuses":[{"id":"wamid.1","status":"`+c.word+`"`+c.errors+`}]}`)
		if got := post(t, url, signed(appSecret, body)); got != http.StatusOK {
			t.Errorf("%s: status %d; want 200", c.word, got)
		}
		if diff := cmp.Diff(c.want, d.received()); diff != "" {
			t.Errorf("%s%s (-want +got):\n%s", c.word, c.errors, diff)
		}
	}
}

func TestABatchIsTakenAsAWholeOrAskedForAgain(t *testing.T) {
	t.Parallel()
	d, url := ear(t)
	batch := hook("messages", `{"metadata":{"phone_number_id":"`+phoneID+`"},"messages":[{"from":"491712345678","text":{"body":"stop"}}],"statuses":[
		{"id":"wamid.1","status":"delivered"},{"id":"wamid.unknown","status":"read"},{"id":"wamid.2","status":"failed"}]}`)
	d.mu.Lock()
	d.err = errors.New("the store is away")
	d.mu.Unlock()
	if got := post(t, url, signed(appSecret, batch)); got != http.StatusServiceUnavailable {
		t.Errorf("status %d; want 503 while the store is away", got)
	}
	d.mu.Lock()
	d.err = nil
	d.mu.Unlock()
	if got := post(t, url, signed(appSecret, batch)); got != http.StatusOK || len(d.received()) != 3 {
		t.Errorf("status %d with the receipts %v; want 200 with three", got, d.received())
	}
	for n, want := range map[meta.Notice]int{meta.ReceiptRefused: 1, meta.UnknownReceipt: 1, meta.Inbound: 2} {
		if got := d.noticed(n); got != want {
			t.Errorf("%s was noticed %d times; want %d", n, got, want)
		}
	}
}

func TestOnlyTheAppsSignatureOfTheVeryBytesOpensTheDoor(t *testing.T) {
	t.Parallel()
	d, url := ear(t)
	body := statusOf("wamid.1", "delivered")
	good := signed(appSecret, body)
	for name, c := range map[string]struct {
		letter
		want int
	}{
		"none":          {letter{body, ""}, 401},
		"another's":     {signed("another secret", body), 403},
		"no scheme":     {letter{body, strings.TrimPrefix(good.signature, "sha256=")}, 403},
		"SHA-1":         {letter{body, strings.Replace(good.signature, "sha256=", "sha1=", 1)}, 403},
		"cut":           {letter{body, good.signature[:60]}, 403},
		"no hex":        {letter{body, "sha256=" + strings.Repeat("x", 64)}, 403},
		"empty":         {letter{body, "sha256="}, 403},
		"one byte more": {letter{body + " ", good.signature}, 403},
		"too long":      {signed(appSecret, body+strings.Repeat(" ", 256<<10)), 413},
		"no JSON":       {signed(appSecret, "statuses"), 400},
		"wrong types":   {signed(appSecret, `{"object":"whatsapp_business_account","entry":[{"id":7}]}`), 400},
	} {
		if got := post(t, url, c.letter); got != c.want {
			t.Errorf("%s: status %d; want %d", name, got, c.want)
		}
	}
	c := open(t, config(newGraph(t)), d.deps())
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(good.body))
	w := httptest.NewRecorder()
	r.Body = http.MaxBytesReader(w, r.Body, 10)
	if c.Receipts().ServeHTTP(w, r); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("cut by who serves the URL: status %d; want 413", w.Code)
	}
	if got := d.received(); got != nil {
		t.Errorf("receipts %v; want none", got)
	}
	if got := d.noticed(meta.ForgedReceipt); got != 8 {
		t.Errorf("%d forgeries were noticed; want 8", got)
	}
	if got := post(t, url, good); got != http.StatusOK {
		t.Errorf("the right signature was answered with %d; want 200", got)
	}
}

// node signs with an implementation that is not ours.
func node(t testing.TB, secret string, body []byte) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "testdata/sign.cjs")
	cmd.Env = append(cmd.Environ(), "APP_SECRET="+secret)
	cmd.Stdin = bytes.NewReader(body)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run node (install Node.js 20 or later): %v", err)
	}
	return strings.TrimSpace(string(out))
}

func TestSignaturesOfAnotherImplementationAreUnderstood(t *testing.T) {
	t.Parallel()
	_, url := ear(t)
	const known = `{"object":"whatsapp_business_account"}`
	if got := node(t, appSecret, []byte(known)); got != "sha256=0bf7374433906636bed1653bc7c64affb42fa5da9a39e251ab95c2e3a9c06923" {
		t.Errorf("node signs %s with %s", known, got)
	}
	for _, body := range []string{known, statusOf("wamid.1", "read"), `{ "object" : "wh\u00e4tsapp é 👍" , "entry":[] }`} {
		if got := post(t, url, letter{body, node(t, appSecret, []byte(body))}); got != http.StatusOK {
			t.Errorf("%s: status %d; want 200", body, got)
		}
		if got := post(t, url, letter{body, node(t, "another secret", []byte(body))}); got != http.StatusForbidden {
			t.Errorf("%s, signed by a stranger: status %d; want 403", body, got)
		}
	}
}

func TestTheHandshakeEchoesTheChallengeToWhoKnowsTheWord(t *testing.T) {
	t.Parallel()
	d, base := ear(t)
	for name, c := range map[string]struct {
		query url.Values
		want  int
		body  string
	}{
		"right":        {url.Values{"hub.mode": {"subscribe"}, "hub.verify_token": {verify}, "hub.challenge": {"1158201444"}}, 200, "1158201444"},
		"markup":       {url.Values{"hub.mode": {"subscribe"}, "hub.verify_token": {verify}, "hub.challenge": {"<b>"}}, 200, "<b>"},
		"another word": {url.Values{"hub.mode": {"subscribe"}, "hub.verify_token": {"x"}, "hub.challenge": {"1"}}, 403, ""},
		"no word":      {url.Values{"hub.mode": {"subscribe"}, "hub.challenge": {"1"}}, 403, ""},
		"no mode":      {url.Values{"hub.verify_token": {verify}, "hub.challenge": {"1"}}, 403, ""},
		"too long":     {url.Values{"hub.mode": {"subscribe"}, "hub.verify_token": {verify}, "hub.challenge": {strings.Repeat("1", 300)}}, 403, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"?"+c.query.Encode(), http.NoBody)
		noError(t, err)
		status, header, body := do(t, req)
		if status != c.want || body != c.body {
			t.Errorf("%s: %d %q; want %d %q", name, status, body, c.want, c.body)
		}
		if status == 200 && (header.Get("Content-Type") != "text/plain; charset=utf-8" || header.Get("X-Content-Type-Options") != "nosniff") {
			t.Errorf("%s: header %v; want plain text", name, header)
		}
	}
	if got := d.noticed(meta.ForgedReceipt); got != 4 {
		t.Errorf("%d refusals were noticed; want 4", got)
	}
	_, closed := ear(t, func(c *meta.Config, _ *meta.Deps) { c.VerifyToken = setting.Secret{} })
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, closed+"?hub.mode=subscribe&hub.verify_token=&hub.challenge=1", http.NoBody)
	noError(t, err)
	if status, _, _ := do(t, req); status != http.StatusForbidden {
		t.Errorf("without a word of ours: status %d; want 403", status)
	}
	req, err = http.NewRequestWithContext(t.Context(), http.MethodPut, base, http.NoBody)
	noError(t, err)
	if status, header, _ := do(t, req); status != http.StatusMethodNotAllowed || header.Get("Allow") != "GET, POST" {
		t.Errorf("PUT: %d, Allow %q; want 405", status, header.Get("Allow"))
	}
}

func TestAnAppSpeaksOnlyForItsOwnAccounts(t *testing.T) {
	t.Parallel()
	const other, otherPhone = "555000111", "777000111"
	d, url := ear(t, func(c *meta.Config, _ *meta.Deps) {
		c.Accounts = append(c.Accounts, meta.Account{
			ID: other, Numbers: map[string]string{"4940123456": otherPhone}, AppSecret: setting.NewSecret("the other app"),
		})
	})
	ours := statusOf("wamid.1", "delivered")
	theirs := strings.NewReplacer(waba, other, phoneID, otherPhone, "wamid.1", "wamid.2").Replace(ours)
	crossed := strings.ReplaceAll(ours, phoneID, otherPhone)
	unknown := strings.ReplaceAll(ours, waba, "999")
	for name, l := range map[string]letter{
		"ours, signed by the other app": signed("the other app", ours),
		"theirs, signed by ours":        signed(appSecret, theirs),
		"a number of theirs":            signed(appSecret, crossed),
		"an account of nobody's":        signed(appSecret, unknown),
	} {
		if got := post(t, url, l); got != http.StatusOK {
			t.Errorf("%s: status %d; want 200", name, got)
		}
	}
	if got := d.received(); got != nil || d.noticed(meta.ForeignReceipt) != 4 {
		t.Errorf("receipts %v, %d foreign; want none and four", got, d.noticed(meta.ForeignReceipt))
	}
	post(t, url, signed("the other app", theirs))
	if got := d.received(); len(got) != 1 || got[0].Ref != "wamid.2" {
		t.Errorf("receipts %v; want that of the other app's message", got)
	}
}

func TestAReceiptThatPanicsIsAskedForAgain(t *testing.T) {
	t.Parallel()
	_, url := ear(t, func(_ *meta.Config, d *meta.Deps) {
		d.Receive = func(context.Context, delivery.Receipt) (bool, error) { panic("no such row") }
	})
	if got := post(t, url, signed(appSecret, statusOf("wamid.1", "delivered"))); got != http.StatusServiceUnavailable {
		t.Errorf("status %d; want 503", got)
	}
}

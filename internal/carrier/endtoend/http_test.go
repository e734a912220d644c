package endtoend_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
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
	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/freeport"
	"github.com/countersign/countersign/internal/server"
)

// asked is a request that an upstream read.
type asked struct {
	path   string
	header http.Header
	body   string
}

// upstream is a double of a provider's API on a real socket.
func upstream(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, body string)) (base string, got <-chan asked) {
	t.Helper()
	all := make(chan asked, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		all <- asked{r.Method + " " + r.URL.Path, r.Header.Clone(), string(body)}
		answer(w, r, string(body))
	}))
	t.Cleanup(s.Close)
	return s.URL, all
}

// next waits for a request whose method and path begin so.
func next(t *testing.T, got <-chan asked, path string) asked {
	t.Helper()
	for deadline := time.After(patience); ; {
		select {
		case a := <-got:
			if strings.HasPrefix(a.path, path) {
				return a
			}
		case <-deadline:
			t.Fatalf("the upstream was not asked for %s", path)
		}
	}
}

// public returns settings that let upstreams reach the server's receipts.
func public(t *testing.T) []string {
	t.Helper()
	at := freeport.Address(t)
	return []string{"COUNTERSIGN_LISTEN=" + at, "COUNTERSIGN_PUBLIC_URL=http://" + at}
}

// report sends a receipt as an upstream does and returns the status.
func (j *journey) report(method, to string, header http.Header, body string) int {
	j.t.Helper()
	req, err := http.NewRequestWithContext(j.t.Context(), method, to, strings.NewReader(body))
	if err != nil {
		j.t.Fatal(err)
	}
	req.Header = header
	resp, err := j.client.Do(req)
	if err != nil {
		j.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// settles sends a forged receipt, which is refused, and a good one, which is
// taken, and expects the callbacks that follow.
func (j *journey) settles(otp string, refused int, forged, good func() int) {
	j.t.Helper()
	j.told(otp, "DISPATCHED")
	if got := forged(); got != refused {
		j.t.Errorf("a forged receipt is answered with %d; want %d", got, refused)
	}
	if got := good(); got/100 != 2 {
		j.t.Errorf("a receipt is answered with %d; want 2xx", got)
	}
	j.told(otp, "DISPATCHED", "DELIVERED")
	if got := j.metric("countersign_carrier_receipts_refused_total"); !strings.HasSuffix(got, " 1") {
		j.t.Errorf("refused receipts: %q; want the forged one", got)
	}
}

// otherToken is a receipt URL with a token that is not ours.
func otherToken(t *testing.T, at string) string {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = u.Path[:strings.LastIndex(u.Path, "/")+1] + strings.Repeat("A", 43)
	return u.String()
}

func TestACodeTravelsOverAWebhook(t *testing.T) {
	t.Parallel()
	base, got := upstream(t, func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(http.StatusAccepted) })
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
	j := travel(t, "[[carrier]]\nname = \"gateway\"\ntype = \"webhook\"\nurl = \""+base+"\"\nsecret = \"env:GATEWAY_SECRET\"\nallow_private = true\n",
		append(public(t), "GATEWAY_SECRET="+secret)...)
	otp := j.send("voice") // a webhook carries every channel
	var m struct {
		ID         string `json:"id"`
		Channel    string `json:"channel"`
		ReceiptURL string `json:"receiptUrl"`
	}
	if err := json.Unmarshal([]byte(next(t, got, "POST /").body), &m); err != nil || m.Channel != "VOICE" || m.ReceiptURL == "" {
		t.Fatalf("the receiver read %+v, %v; want a call with a receipt URL", m, err)
	}
	body := fmt.Sprintf(`{"id":%q,"status":"DELIVERED"}`, m.ID)
	sign := func(secret string) http.Header {
		at := time.Now()
		s, err := callback.ParseSecret(secret)
		if err != nil {
			t.Fatal(err)
		}
		signature, err := callback.Sign([]callback.Secret{s}, "r1", at, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return http.Header{"Webhook-Id": {"r1"}, "Webhook-Timestamp": {strconv.FormatInt(at.Unix(), 10)}, "Webhook-Signature": {signature}}
	}
	j.settles(
		otp, http.StatusUnauthorized,
		func() int {
			return j.report("POST", m.ReceiptURL, sign("whsec_"+base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 32)))), body)
		},
		func() int { return j.report("POST", m.ReceiptURL, sign(secret), body) },
	)
}

func TestACodeTravelsOverTwilio(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef0123456789abcdef"
	sid := "SM" + strings.Repeat("1", 32)
	base, got := upstream(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprintf(w, `{"sid":%q,"status":"queued","error_code":null,"num_segments":"1"}`, sid)
	})
	account := "AC" + strings.Repeat("0", 32)
	j := travel(t, "[[carrier]]\nname = \"backup\"\ntype = \"twilio\"\naccount_sid = \""+account+"\"\nauth_token = \"env:TOKEN\"\nfrom = \"+15005550006\"\nbase_url = \""+base+"\"\n",
		append(public(t), "TOKEN="+token)...)
	otp := j.send("sms")
	sent, err := url.ParseQuery(next(t, got, "POST /2010-04-01/Accounts/"+account+"/Messages.json").body)
	if err != nil || !code.MatchString(sent.Get("Body")) || sent.Get("StatusCallback") == "" {
		t.Fatalf("Twilio read %v, %v; want a code and a status callback", sent, err)
	}
	form := url.Values{"MessageSid": {sid}, "MessageStatus": {"delivered"}, "AccountSid": {account}}
	sign := func(token string) http.Header {
		text := sent.Get("StatusCallback") + "AccountSid" + account + "MessageSid" + sid + "MessageStatusdelivered"
		mac := hmac.New(sha1.New, []byte(token))
		mac.Write([]byte(text))
		return http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "X-Twilio-Signature": {base64.StdEncoding.EncodeToString(mac.Sum(nil))}}
	}
	j.settles(
		otp, http.StatusForbidden,
		func() int { return j.report("POST", sent.Get("StatusCallback"), sign("another"), form.Encode()) },
		func() int { return j.report("POST", sent.Get("StatusCallback"), sign(token), form.Encode()) },
	)
}

func TestACodeTravelsOverKannel(t *testing.T) {
	t.Parallel()
	base, got := upstream(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "0: Accepted for delivery")
	})
	j := travel(t, "[[carrier]]\nname = \"kannel\"\ntype = \"kannel\"\nurl = \""+base+"/cgi-bin/sendsms\"\nusername = \"otp\"\npassword = \"env:SMSC_PASSWORD\"\n", public(t)...)
	otp := j.send("sms")
	a := next(t, got, "POST /cgi-bin/sendsms")
	report := a.header.Get("X-Kannel-DLR-URL")
	if report == "" || !code.MatchString(a.body) {
		t.Fatalf("Kannel read %+v; want a code and a receipt URL", a)
	}
	report = strings.NewReplacer("%d", "1", "%A", "", "%F", "", "%T", strconv.FormatInt(time.Now().Unix(), 10)).Replace(report)
	j.settles(
		otp, http.StatusNotFound, // Kannel signs nothing: the token is the only lock
		func() int { return j.report("GET", otherToken(t, report), http.Header{}, "") },
		func() int { return j.report("GET", report, http.Header{}, "") },
	)
}

func TestACodeTravelsOverWhatsAppWithATemplateThatWasSubmittedHere(t *testing.T) {
	t.Parallel()
	const waba, phoneID, appSecret = "102290129340398", "106540352242922", "app secret"
	var mu sync.Mutex
	var templates []map[string]any // guarded by mu
	base, got := upstream(t, func(w http.ResponseWriter, r *http.Request, body string) {
		mu.Lock()
		defer mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, waba+"/message_templates"):
			var made map[string]any
			if err := json.Unmarshal([]byte(body), &made); err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			templates = append(templates, map[string]any{
				"id": "1", "name": made["name"], "language": made["language"], "status": "APPROVED", "category": "AUTHENTICATION",
				"components": []any{
					map[string]any{"type": "BODY", "text": "*{{1}}* is your verification code."},
					map[string]any{"type": "FOOTER", "text": "This code expires in 3 minutes.", "code_expiration_minutes": 3},
					map[string]any{"type": "BUTTONS", "buttons": []any{map[string]any{
						"type": "URL", "text": "Copy code", "url": "https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp{{1}}",
					}}},
				},
			})
			_, _ = io.WriteString(w, `{"id":"1","status":"PENDING","category":"AUTHENTICATION"}`)
		case strings.HasSuffix(r.URL.Path, waba+"/message_templates"):
			text, err := json.Marshal(map[string]any{"data": slices.Concat([]map[string]any{}, templates)})
			if err == nil {
				_, _ = w.Write(text)
			}
		case strings.HasSuffix(r.URL.Path, phoneID+"/messages"):
			_, _ = io.WriteString(w, `{"messaging_product":"whatsapp","messages":[{"id":"wamid.1","message_status":"accepted"}]}`)
		default:
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	j := travel(t, "[[carrier]]\nname = \"wa\"\ntype = \"meta\"\nbase_url = \""+base+"\"\ntoken = \"env:TOKEN\"\napp_secret = \"env:APP_SECRET\"\n"+
		"[[carrier.accounts]]\nid = \""+waba+"\"\nnumbers = { \"4930123456\" = \""+phoneID+"\" }\n",
		append(public(t), "TOKEN=token", "APP_SECRET="+appSecret, "COUNTERSIGN_SENDER_WA=4930123456")...)
	j.must(201, "POST", "/2fa/v4/configurations/channels/whatsapp", `{"whatsAppAccountId":"`+waba+`"}`)
	j.must(201, "POST", "/2fa/v4/templates/whatsapp", `{"name":"login_wa","language":"en_US"}`)
	j.must(201, "POST", "/2fa/v4/profiles", `{"name":"wa","channels":[{"type":"WHATSAPP","templates":[{"name":"login_wa"}]}]}`)
	j.must(201, "POST", "/2fa/v4/priorities", `{"name":"wa","channelPriority":[{"channel":"WHATSAPP","priority":1}]}`)
	var created struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(j.must(202, "POST", "/2fa/v4/otp", `{"to":"`+numbers()+`","profileName":"wa","priorityName":"wa"}`)), &created); err != nil {
		t.Fatal(err)
	}
	if a := next(t, got, "POST /v23.0/"+phoneID+"/messages"); !code.MatchString(a.body) || !strings.Contains(a.body, "login_wa") {
		t.Errorf("WhatsApp read %s; want the template with a code", a.body)
	}
	at := j.receiptURL("wa")
	body := `{"object":"whatsapp_business_account","entry":[{"id":"` + waba + `","changes":[{"field":"messages","value":{"messaging_product":"whatsapp",` +
		`"metadata":{"display_phone_number":"4930123456","phone_number_id":"` + phoneID + `"},"statuses":[{"id":"wamid.1","status":"delivered","timestamp":"1763776800","recipient_id":"4915112300001"}]}}]}]}`
	sign := func(secret string) http.Header {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(body))
		return http.Header{"Content-Type": {"application/json"}, "X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac.Sum(nil))}}
	}
	j.settles(
		created.ID, http.StatusForbidden,
		func() int { return j.report("POST", at, sign("another"), body) },
		func() int { return j.report("POST", at, sign(appSecret), body) },
	)
	if list := j.must(200, "GET", "/2fa/v4/templates/whatsapp", ""); !strings.Contains(list, `"APPROVED"`) {
		t.Errorf("templates: %s; want the approved one", list)
	}
}

// receiptURL is where a carrier's provider is told to send receipts, as the
// command prints it.
func (j *journey) receiptURL(carrier string) string {
	j.t.Helper()
	c, err := config.Load(config.Sources{File: j.file, Environ: j.environ})
	if err != nil {
		j.t.Fatal(err)
	}
	d, err := server.Open(j.t.Context(), c, slog.New(slog.DiscardHandler), server.Options{})
	if err != nil {
		j.t.Fatal(err)
	}
	defer d.Close()
	f, err := d.Carriers()
	if err != nil {
		j.t.Fatal(err)
	}
	at, err := f.ReceiptURL(carrier)
	if err != nil {
		j.t.Fatal(err)
	}
	return at
}

package endtoend_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/callback"
)

func TestAReceiptOfAMessageWhoseAnswerWasLostCountsOverKannel(t *testing.T) {
	t.Parallel()
	base, got := upstream(t, func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(http.StatusGatewayTimeout) })
	j := travel(t, "[[carrier]]\nname = \"kannel\"\ntype = \"kannel\"\nurl = \""+base+"/cgi-bin/sendsms\"\nusername = \"otp\"\npassword = \"env:SMSC_PASSWORD\"\n", public(t)...)
	otp := j.send("sms")
	report := next(t, got, "POST /cgi-bin/sendsms").header.Get("X-Kannel-DLR-URL")
	report = strings.NewReplacer("%d", "1", "%A", "", "%F", "", "%T", strconv.FormatInt(time.Now().Unix(), 10)).Replace(report)
	j.told(otp, "DISPATCHED")
	if got := j.report(http.MethodGet, report, http.Header{}, ""); got != http.StatusOK {
		t.Errorf("the report is answered with %d; want 200", got)
	}
	j.told(otp, "DISPATCHED", "DELIVERED")
}

func TestAReceiptOfAMessageWhoseAnswerWasLostCountsOverTwilio(t *testing.T) {
	t.Parallel()
	j, got, n := twilio(t, func(int64) string { return "" })
	otp := j.send("sms")
	sent := posted(t, got, "/Messages.json")
	j.told(otp, "DISPATCHED")
	j.callback(sent, url.Values{"MessageSid": {"SM1"}, "MessageStatus": {"delivered"}})
	j.told(otp, "DISPATCHED", "DELIVERED")
	if n.Load() != 1 {
		t.Errorf("%d messages; want 1", n.Load())
	}
}

func TestAReceiptOfAMessageWhoseAnswerWasLostCountsOverAWebhook(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	base, got := upstream(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		if asked.Add(1) == 1 {
			w.WriteHeader(http.StatusBadGateway) // behind it the message was taken
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
	})
	other, second := upstream(t, func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(http.StatusAccepted) })
	j := travel(t, gateway("a", base)+gateway("b", other), append(public(t), "GATEWAY_SECRET="+gatewaySecret)...)
	otp := j.send("sms")
	m := handed(t, got)
	j.told(otp, "DISPATCHED")
	j.arrived(m)
	j.told(otp, "DISPATCHED", "DELIVERED")
	if n := asked.Load(); n != 2 || len(second) != 0 {
		t.Errorf("the first carrier was asked %d times and the second %d; want 2 and 0", n, len(second))
	}
}

// The kept connection of an earlier message breaks once the next one was read:
// what answers to a repetition says nothing of the first.
func TestAConnectionThatBreaksIsNoReasonForTheNextCarrier(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	base, got := upstream(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		switch asked.Add(1) {
		case 1:
			w.WriteHeader(http.StatusAccepted)
		case 2:
			panic(http.ErrAbortHandler) // it has the message, and breaks the connection
		default:
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	other, second := upstream(t, func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(http.StatusAccepted) })
	j := travel(t, gateway("a", base)+gateway("b", other), append(public(t), "GATEWAY_SECRET="+gatewaySecret)...)
	earlier := j.send("sms")
	handed(t, got)
	otp := j.send("sms")
	m := handed(t, got)
	j.told(otp, "DISPATCHED")
	j.arrived(m)
	j.told(otp, "DISPATCHED", "DELIVERED")
	j.told(earlier, "DISPATCHED")
	if len(second) != 0 {
		t.Errorf("the second carrier was asked %d times; want never", len(second))
	}
}

func TestAReceiptCountsBeforeALostAnswerIsAskedForAgainOverAWebhook(t *testing.T) {
	t.Parallel()
	base, got := upstream(t, func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(http.StatusBadGateway) })
	j := travel(t, gateway("a", base), append(public(t), "GATEWAY_SECRET="+gatewaySecret)...)
	otp := j.send("sms")
	m := handed(t, got)
	if again := handed(t, got); again != m { // what came of the first is recorded now
		t.Errorf("the repetition is %+v; want %+v", again, m)
	}
	j.arrived(m)
	j.told(otp, "DISPATCHED", "DELIVERED")
}

func TestAReceiptNamesOurIDThoughTheAnswerHadARefOverAWebhook(t *testing.T) {
	t.Parallel()
	base, got := upstream(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"ref":"a-91827"}`)
	})
	j := travel(t, gateway("a", base), append(public(t), "GATEWAY_SECRET="+gatewaySecret)...)
	otp := j.send("sms")
	m := handed(t, got)
	j.told(otp, "DISPATCHED")
	j.arrived(m)
	j.told(otp, "DISPATCHED", "DELIVERED")
}

// gatewaySecret is that of a gateway in its form for settings.
var gatewaySecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))

// gateway is a webhook carrier.
func gateway(name, at string) string {
	return "[[carrier]]\nname = \"" + name + "\"\ntype = \"webhook\"\nurl = \"" + at + "\"\nsecret = \"env:GATEWAY_SECRET\"\nallow_private = true\n"
}

// message is what a gateway needs of one to report on it.
type message struct {
	ID         string `json:"id"`
	ReceiptURL string `json:"receiptUrl"`
}

// handed waits for a message.
func handed(t *testing.T, got <-chan asked) (m message) {
	t.Helper()
	if err := json.Unmarshal([]byte(next(t, got, "POST /").body), &m); err != nil || m.ID == "" {
		t.Fatalf("the receiver read %+v, %v; want an id", m, err)
	}
	return m
}

// arrived reports by its id that a message was delivered.
func (j *journey) arrived(m message) {
	j.t.Helper()
	body := fmt.Sprintf(`{"id":%q,"status":"DELIVERED"}`, m.ID)
	secret, err := callback.ParseSecret(gatewaySecret)
	if err != nil {
		j.t.Fatal(err)
	}
	at := time.Now()
	signature, err := callback.Sign([]callback.Secret{secret}, "r1", at, []byte(body))
	if err != nil {
		j.t.Fatal(err)
	}
	header := http.Header{"Webhook-Id": {"r1"}, "Webhook-Timestamp": {strconv.FormatInt(at.Unix(), 10)}, "Webhook-Signature": {signature}}
	if got := j.report(http.MethodPost, m.ReceiptURL, header, body); got != http.StatusOK {
		j.t.Errorf("the receipt is answered with %d; want 200", got)
	}
}

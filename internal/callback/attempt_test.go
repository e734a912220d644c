package callback_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/storetest"
)

func verifies(t *testing.T, s callback.Secret, r request) error {
	t.Helper()
	w, err := standardwebhooks.NewWebhook(s.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	return w.VerifyIgnoringTimestamp([]byte(r.body), r.header) // the clock is the test's
}

func TestAnAddressKeepsItsEscapes(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/a%2Fb":           "/a%2Fb",
		"/a%2Fb|c":         "/a%2Fb%7Cc",
		"/a%2Fb/{x}/%7bé":  "/a%2Fb/%7Bx%7D/%7b%C3%A9",
		"/a;b%3Bc/%7E~!$'": "/a;b%3Bc/%7E~!$'",
		"/?q=%2f|é[]&%zz":  "/?q=%2f%7C%C3%A9[]&%zz",
	} {
		r := newRig(t)
		w1 := receive(t, statuses(200))
		r.Configure(storetest.Acme, catalog.Callback{URL: w1.URL + path})
		r.Send(storetest.Acme).Dispatch()
		step(t, r.pusher(), 1)
		if got := w1.requests()[0].uri; got != want {
			t.Errorf("%s was asked for as %s; want %s", path, got, want)
		}
	}
}

func TestAPostIsTheRequestOfTheContract(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w1 := receive(t, statuses(200))
	_, signing := r.Configure(storetest.Acme, catalog.Callback{URL: w1.URL + "/hook%2Fa//b/../c?x=1&x=a%20b+c&y"})
	sent := r.Send(storetest.Acme)
	r.wall.Add(310 * time.Millisecond)
	sent.Dispatch()
	r.wall.Add(2 * time.Second)
	step(t, r.pusher(), 1)
	got := w1.requests()[0]
	if got.method != "POST" || got.uri != "/hook%2Fa//b/../c?x=1&x=a%20b+c&y" {
		t.Errorf("%s %s", got.method, got.uri)
	}
	var body map[string]any
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"channel": "SMS", "otpId": sent.ID, "profileId": storetest.Profile, "status": "DISPATCHED", "timestamp": "2026-01-01T00:00:00.310Z",
	}
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	names := map[string]string{}
	for name, values := range got.header {
		names[name] = strings.Join(values, "|")
	}
	id := names["Webhook-Id"]
	if want := map[string]string{
		"Content-Type": "application/json", "Content-Length": strconv.Itoa(len(got.body)), "User-Agent": "Countersign/1.2.3",
		"Webhook-Id": id, "Webhook-Timestamp": strconv.FormatInt(r.wall.Now().Unix(), 10), "Webhook-Signature": names["Webhook-Signature"],
	}; cmp.Diff(want, names) != "" {
		t.Errorf("headers (-want +got):\n%s", cmp.Diff(want, names))
	}
	if len(id) != len("msg_")+36 || !strings.HasPrefix(id, "msg_") {
		t.Errorf("webhook-id %q", id)
	}
	if err := verifies(t, signing, got); err != nil {
		t.Errorf("signature: %v", err)
	}
	changed := got
	changed.body = strings.Replace(got.body, "SMS", "SMs", 1)
	if err := verifies(t, signing, changed); err == nil {
		t.Error("the signature holds for a changed body")
	}
}

func TestNeitherCodeNorNumberIsEverSent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w1 := receive(t, statuses(200))
	r.to(w1.URL)
	a, b := r.Send(storetest.Acme), r.Send(storetest.Acme)
	a.Dispatch()
	a.TimeOut()
	a.Deliver()
	b.Refuse(otp.Failure{Area: "carrier", Code: "3", Text: "Refused"})
	step(t, r.pusher(), 4)
	for _, got := range w1.requests() {
		all := fmt.Sprint(got.body, got.uri, got.header)
		for _, secret := range []string{storetest.Code, storetest.Recipient, strings.TrimPrefix(storetest.Recipient, "+")} {
			if strings.Contains(all, secret) {
				t.Errorf("%q is in %s", secret, all)
			}
		}
		if failed := strings.Contains(got.body, "UNDELIVERABLE"); failed != strings.Contains(got.body, `"error":{"code":"tyntec::sms::3","message":"Refused"}`) {
			t.Errorf("body %s", got.body)
		}
	}
}

func TestBothSecretsSignForADayAfterARotation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w1 := receive(t, statuses(200))
	id, before := r.Configure(storetest.Acme, catalog.Callback{URL: w1.URL})
	after := mustSecret(t, 5)
	err := r.UpdateCallback(t.Context(), storetest.Acme, id, func(c catalog.SealedCallback) (catalog.SealedCallback, error) {
		c.Previous, c.PreviousUntil = c.Secret, r.wall.Now().Add(callback.SecretOverlap).UnixMicro()
		c.Secret = r.Keys.Seal([]byte(after.Reveal()), callback.SecretContext(storetest.Acme, id)...)
		return c, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	p := r.pusher()
	for i, c := range []struct {
		wait       time.Duration
		beforeToo  bool
		signatures int
	}{{0, true, 2}, {24*time.Hour - time.Microsecond, true, 2}, {time.Microsecond, false, 1}} {
		r.wall.Add(c.wait)
		r.Send(storetest.Acme).Dispatch()
		step(t, p, 1)
		got := w1.requests()[i]
		if err := verifies(t, after, got); err != nil {
			t.Errorf("new secret after %s: %v", c.wait, err)
		}
		if err := verifies(t, before, got); (err == nil) != c.beforeToo {
			t.Errorf("old secret after %s: %v", c.wait, err)
		}
		if n := len(strings.Fields(got.header.Get("webhook-signature"))); n != c.signatures {
			t.Errorf("%d signatures after %s, want %d", n, c.wait, c.signatures)
		}
	}
}

// rawReceiver answers 200 and returns the head of each request as it was on
// the wire.
func rawReceiver(t *testing.T) (url string, heads <-chan string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan string, 8)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			var head strings.Builder
			for r := bufio.NewReader(c); ; {
				line, err := r.ReadString('\n')
				if err != nil || line == "\r\n" {
					break
				}
				head.WriteString(line)
			}
			out <- head.String()
			_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return "http://" + l.Addr().String(), out
}

func TestCustomHeadersAreSentAsGiven(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	url, heads := rawReceiver(t)
	r.Configure(storetest.Acme, catalog.Callback{
		URL: strings.Replace(url, "http://", "http://user:p%40ss@", 1) + "/x",
		Headers: []catalog.Header{
			{Name: "authorization", Value: "Bearer x"},
			{Name: "X-Team", Value: "7"},
			{Name: "x-lOWER-cASE", Value: "a b"},
			{Name: "user-AGENT", Value: "mine/1"},
			{Name: "ACCEPT", Value: "text/plain"},
			{Name: "X-Empty", Value: ""},
			{Name: "Webhook-Id", Value: "forged"},
			{Name: "host", Value: "forged"},
			{Name: "Proxy-X", Value: "forged"},
		},
	})
	r.Send(storetest.Acme).Dispatch()
	step(t, r.pusher(), 1)
	head := <-heads
	for _, want := range []string{
		"POST /x HTTP/1.1\r\n", "authorization: Bearer x\r\n", "X-Team: 7\r\n", "x-lOWER-cASE: a b\r\n",
		"user-AGENT: mine/1\r\n", "ACCEPT: text/plain\r\n", "X-Empty: \r\n", "Content-Type: application/json\r\n",
		"webhook-id: msg_", "webhook-timestamp: ", "webhook-signature: v1,",
	} {
		if strings.Count(head, want) != 1 {
			t.Errorf("%q is not once in\n%s", want, head)
		}
	}
	for _, name := range []string{"user-agent", "authorization", "webhook-id", "host", "accept"} {
		if n := strings.Count(strings.ToLower(head), "\r\n"+name+":"); n != 1 {
			t.Errorf("%s is %d times in\n%s", name, n, head)
		}
	}
	if strings.Contains(head, "forged") {
		t.Errorf("a reserved header was replaced:\n%s", head)
	}
}

func TestCredentialsInTheURLBecomeBasicAuthentication(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w1 := receive(t, statuses(200))
	r.to(strings.Replace(w1.URL, "http://", "http://user:p%40ss@", 1) + "/hook?a=1")
	r.Send(storetest.Acme).Dispatch()
	step(t, r.pusher(), 1)
	got := w1.requests()[0]
	user, password, ok := (&http.Request{Header: got.header}).BasicAuth()
	if user != "user" || password != "p@ss" || !ok || got.uri != "/hook?a=1" {
		t.Errorf("%s with %q, %q, %v", got.uri, user, password, ok)
	}
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w1 := receive(t, func(_ int, w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("thank you")) })
	r.to(w1.URL)
	p := r.pusher()
	for range 5 {
		r.Send(storetest.Acme).Dispatch()
		step(t, p, 1)
	}
	if n := w1.connections(); n != 1 {
		t.Errorf("%d connections for 5 posts one after the other, want 1", n)
	}
}

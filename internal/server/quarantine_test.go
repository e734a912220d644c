package server_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/delivery"
	text "github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/server"
	"github.com/countersign/countersign/internal/stolen"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/verify"
)

// still is for how long nothing may happen: longer than anything that polls
// waits.
const still = 1500 * time.Millisecond

// refusedInQuarantine makes the calls that a quarantine forbids.
func refusedInQuarantine(t *testing.T, r *running, otp string) {
	t.Helper()
	for path, body := range map[string]string{
		"/2fa/v4/otp":                      `{"to":"+4915112345679","profileName":"login","priorityName":"sms-then-voice"}`,
		"/2fa/v4/otp/" + otp + "/validate": `{"otpCode":"123456"}`,
		"/2fa/v1/otp?apiKey=" + r.key + "&number=%2B4915112345679": "",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("apiKey", r.key)
		resp, err := r.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("POST %s in quarantine = %d, Retry-After %q, %s; want 503", path, resp.StatusCode, resp.Header.Get("Retry-After"), text)
		}
	}
}

// callbackPage finds the link to a callback configuration.
var callbackPage = regexp.MustCompile(`href="(/console/callbacks/[0-9a-f-]{36})"`)

// hook counts what is posted to it and refuses it.
func hook(t *testing.T) (url string, posts *atomic.Int64) {
	t.Helper()
	posts = &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		posts.Add(1)
		w.WriteHeader(http.StatusInternalServerError)
	}))
	t.Cleanup(s.Close)
	return s.URL, posts
}

// queue sends an OTP that waits for a server to deliver it.
func queue(t *testing.T, d *server.Deployment, to string) (id string) {
	t.Helper()
	number, err := phone.Syntax(to)
	if err != nil {
		t.Fatal(err)
	}
	record, err := d.Verify(d.Store, d.Planner(), server.Elsewhere{}).Send(t.Context(), verify.SendRequest{
		Account: "default", Origin: "test", Recipient: number.Recipient(),
		Policy: otp.Policy{Length: 6, Alphabet: otp.Digits, Attempts: 3, Life: 10 * time.Minute},
		Plan: delivery.Plan{Steps: []delivery.Step{{
			Channel: text.SMS, Text: text.Parse("code #", []text.Placeholder{{Token: "#", Code: true}}),
			Sender: "VERIFY", Language: "en", Life: time.Minute, Wait: time.Minute,
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return record.ID
}

func TestInQuarantineNothingIsSentNoCallbackIsPostedAndNoCodeIsAcceptedUntilTheRelease(t *testing.T) {
	t.Parallel()
	dir := fresh(t)
	url, posts := hook(t)
	private := "COUNTERSIGN_CALLBACK_ALLOW_PRIVATE=true"
	before := start(t, dir, private)
	before.configure()
	before.must(201, "POST", "/2fa/v4/configurations/callbacks", `{"url":"`+url+`"}`)
	sent := before.send("+4915112345678")
	code := sixDigits.FindString(before.inbox(sent, 1)[0].Text)
	eventually(t, "a callback is posted", func() bool { return posts.Load() > 0 }, before.log.String)
	if err := before.stop(); err != nil {
		t.Fatal(err)
	}
	var queued string
	beside(t, dir, func(d *server.Deployment) { queued = queue(t, d, "+4915112345670") })
	beside(t, dir, func(d *server.Deployment) {
		if err := d.Store.BeginQuarantine(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	was := posts.Load()

	copied := start(t, dir, private)
	copied.key = before.key
	refusedInQuarantine(t, copied, sent)
	p := copied.enter()
	p.open("/console/callbacks")
	p.open(callbackPage.FindStringSubmatch(p.body)[1])
	p.submit("/test")
	if p.status != http.StatusConflict || !strings.Contains(p.body, "The database is quarantined: no callback is posted.") {
		t.Errorf("a test event in quarantine = %d\n%s", p.status, p.body)
	}
	time.Sleep(still)
	if n := posts.Load() - was; n != 0 {
		t.Errorf("%d callbacks were posted in quarantine", n)
	}
	if text := copied.must(200, "GET", "/sandbox/messages?otpId="+queued, ""); strings.TrimSpace(text) != "[]" {
		t.Errorf("in quarantine was sent %s", text)
	}
	copied.must(200, "GET", "/readyz", "")
	if got := copied.must(200, "GET", "/2fa/v4/otp/"+sent, ""); !strings.Contains(got, `"attemptCount":0`) {
		t.Errorf("a check that was refused was counted: %s", got)
	}

	beside(t, dir, func(d *server.Deployment) {
		if n, err := d.Store.EndQuarantine(t.Context()); n != 2 || err != nil {
			t.Errorf("EndQuarantine = %d, %v; want the two that were open", n, err)
		}
	})
	var id string
	eventually(t, "a send is accepted after the release", func() bool {
		status, text := copied.call("POST", "/2fa/v4/otp", `{"to":"+4915112345671","profileName":"login","priorityName":"sms-then-voice"}`)
		if status == 202 {
			id = idOf(t, text)
		}
		return status == 202
	}, copied.log.String)
	if status, text := copied.call("POST", "/2fa/v4/otp/"+sent+"/validate", `{"otpCode":"`+code+`"}`); strings.Contains(text, "VERIFIED") {
		t.Errorf("a code of before the quarantine was accepted: %d %s", status, text)
	}
	fresh := sixDigits.FindString(copied.inbox(id, 1)[0].Text)
	if got := copied.validate(id, fresh); !strings.Contains(got, "VERIFIED") {
		t.Errorf("a code of after the release: %s", got)
	}
	if text := copied.must(200, "GET", "/sandbox/messages?otpId="+queued, ""); strings.TrimSpace(text) != "[]" {
		t.Errorf("what was queued before the quarantine was sent after it: %s", text)
	}
	eventually(t, "callbacks go on", func() bool { return posts.Load() > was }, copied.log.String)
}

func TestAQuarantineStopsServersThatRunWithinASecond(t *testing.T) {
	t.Parallel()
	dir := fresh(t)
	r := start(t, dir)
	r.configure()
	otp := r.send("+4915112345678")
	beside(t, dir, func(d *server.Deployment) {
		if err := d.Store.BeginQuarantine(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	stolen.Within(t, time.Second, "a send is refused", func() bool {
		status, _ := r.call("POST", "/2fa/v4/otp", `{"to":"+4915112345671","profileName":"login","priorityName":"sms-then-voice"}`)
		return status == http.StatusServiceUnavailable
	})
	refusedInQuarantine(t, r, otp)
}

func TestInQuarantineNoWaitEndsAndNoDeliveryIsAdded(t *testing.T) {
	t.Parallel()
	wall := &storetest.Wall{}
	d, err := server.Open(t.Context(), settings(t, fresh(t)), slog.New(slog.DiscardHandler), server.Options{Wall: wall.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, _, err := d.Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	id := queue(t, d, "+4915112345670")
	jobs, _, err := d.Store.ClaimDeliveries(t.Context(), "n1", 10, time.Minute)
	if err != nil || len(jobs) != 1 {
		t.Fatalf("claimed %d deliveries, %v; want one", len(jobs), err)
	}
	taken := delivery.SubmitOutcome{Key: jobs[0].Key, Carrier: "sandbox", Result: delivery.Result{Class: delivery.Accepted, Ref: "r1"}}
	if _, err := d.Store.RecordSubmits(t.Context(), []delivery.SubmitOutcome{taken}); err != nil {
		t.Fatal(err)
	}
	if err := d.Store.BeginQuarantine(t.Context()); err != nil {
		t.Fatal(err)
	}
	ref := verify.Ref{Account: "default", Origin: "test", ID: id}
	if _, err := d.Store.AddDelivery(t.Context(), verify.NewDelivery{Ref: ref, Channel: text.SMS, Sender: "VERIFY", Dedupe: uuid.NewString()}); !errors.Is(err, verify.ErrUnavailable) {
		t.Errorf("AddDelivery in quarantine = %v; want ErrUnavailable", err)
	}
	wall.Add(time.Hour)
	if n, started, err := d.Store.EndWaits(t.Context(), 10); n != 0 || started || err != nil {
		t.Errorf("EndWaits in quarantine = %d, %v, %v; want none", n, started, err)
	}
	if _, err := d.Store.EndQuarantine(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, _, err := d.Store.EndWaits(t.Context(), 10); n != 1 || err != nil {
		t.Errorf("EndWaits after the release = %d, %v; want the one", n, err)
	}
}

package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/client"
)

const key = "canary-key-0123456789"

// answer is a server that gives one answer and remembers the request.
type answer struct {
	status int
	header map[string]string
	body   string

	got string // method, URI, body
	hdr http.Header
}

func (a *answer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.got, a.hdr = r.Method+" "+r.RequestURI+" "+string(body), r.Header
	for k, v := range a.header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

func serve(t *testing.T, a *answer) *client.Client {
	t.Helper()
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	c, err := client.New(s.URL, key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEachCallMakesTheContractsRequest(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 5, 4, 9, 30, 0, 125_000_000, time.UTC)
	const record = `{"otpId":"o1","to":"+4915112345678","otpStatus":"WRONG_CODE","allowedAttempts":3,"attemptCount":1,
		"otpCreated":"2026-05-04T09:30:00.125Z","otpExpire":"2026-05-04T09:33:00.125Z","later":"member"}`
	otp := client.OTP{ID: "o1", To: "+4915112345678", Status: client.WrongCode, Allowed: 3, Attempts: 1, Created: created, Expires: created.Add(3 * time.Minute)}
	for _, c := range []struct {
		name string
		call func(context.Context, *client.Client) (any, error)
		body string
		sent string
		want any
	}{
		{
			"Send", func(ctx context.Context, c *client.Client) (any, error) {
				return c.Send(ctx, client.Message{To: "+4915112345678", Profile: "login", Priority: "sms-only"})
			}, `{"id":"o1"}`,
			`POST /2fa/v4/otp {"to":"+4915112345678","profileName":"login","priorityName":"sms-only"}`, "o1",
		},
		{
			"Send with everything", func(ctx context.Context, c *client.Client) (any, error) {
				return c.Send(ctx, client.Message{
					To: "1", Profile: "2", Priority: "3", Language: "de", Code: "4", Sender: "5", Caller: "6", SenderViber: "7", SenderWhatsApp: "8",
				})
			}, `{"id":"o1"}`,
			`POST /2fa/v4/otp {"to":"1","profileName":"2","priorityName":"3","languageCode":"de","otpCode":"4","sender":"5","caller":"6","senderViber":"7","senderWA":"8"}`, "o1",
		},
		{
			"Validate", func(ctx context.Context, c *client.Client) (any, error) { return c.Validate(ctx, "o1", "483920") },
			`{"otpStatus":"VERIFIED"}`, `POST /2fa/v4/otp/o1/validate {"otpCode":"483920"}`, client.Verified,
		},
		{
			"Read", func(ctx context.Context, c *client.Client) (any, error) { return c.Read(ctx, "o/1") },
			record, `GET /2fa/v4/otp/o%2F1 `, otp,
		},
		{
			"Delete", func(ctx context.Context, c *client.Client) (any, error) { return nil, c.Delete(ctx, "o1") },
			"", `DELETE /2fa/v4/otp/o1 `, nil,
		},
		{
			"List", func(ctx context.Context, c *client.Client) (any, error) { return c.List(ctx, client.Filter{}) },
			"[" + record + "]", `GET /2fa/v4/otp `,
			client.Listing{OTPs: []client.OTP{otp}},
		},
		{
			"List with filters", func(ctx context.Context, c *client.Client) (any, error) {
				return c.List(ctx, client.Filter{To: "+49151", Status: client.Verified})
			}, "[]", `GET /2fa/v4/otp?otpStatus=VERIFIED&to=%2B49151 `, client.Listing{OTPs: []client.OTP{}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := &answer{status: http.StatusOK, body: c.body}
			got, err := c.call(t.Context(), serve(t, a))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("result (-want +got):\n%s", d)
			}
			if a.got != c.sent {
				t.Errorf("request %q; want %q", a.got, c.sent)
			}
			if a.hdr.Get("apiKey") != key {
				t.Error("the key was not sent")
			}
		})
	}
}

func TestARefusalTellsWhatTheServerSaid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		header map[string]string
		body   string
		is     error
		want   client.Error
	}{
		{
			400, nil, `{"title":"Constraint Violation","status":400,"violations":[{"field":"to","message":"must not be blank"}]}`, client.ErrInvalid,
			client.Error{Status: 400, Title: "Constraint Violation", Violations: []client.Violation{{Field: "to", Message: "must not be blank"}}},
		},
		{401, nil, `{"title":"Unauthorized","status":401,"detail":"no key"}`, client.ErrUnauthorized, client.Error{Status: 401, Title: "Unauthorized", Detail: "no key"}},
		{403, nil, `{"title":"Forbidden","status":403,"detail":"no"}`, client.ErrUnauthorized, client.Error{Status: 403, Title: "Forbidden", Detail: "no"}},
		{404, nil, `{"title":"No Resource Found","status":404,"detail":"none","resourceId":"o1"}`, client.ErrNotFound, client.Error{Status: 404, Title: "No Resource Found", Detail: "none"}},
		{404, nil, `<html>`, nil, client.Error{Status: 404, Title: "Not Found"}},
		{404, nil, `{"title":"Not Found","status":404,"detail":"no such path"}`, nil, client.Error{Status: 404, Title: "Not Found", Detail: "no such path"}},
		{409, nil, `{"title":"Conflict","status":409}`, client.ErrIdempotency, client.Error{Status: 409, Title: "Conflict"}},
		{422, nil, `{"title":"Unprocessable Content","status":422}`, client.ErrIdempotency, client.Error{Status: 422, Title: "Unprocessable Content"}},
		{429, map[string]string{"Retry-After": "30"}, `{"title":"Too Many Requests","status":429}`, client.ErrThrottled, client.Error{Status: 429, Title: "Too Many Requests", RetryAfter: 30 * time.Second}},
		{503, map[string]string{"Retry-After": "5"}, `oops`, client.ErrUnavailable, client.Error{Status: 503, Title: "Service Unavailable", RetryAfter: 5 * time.Second}},
		{502, nil, `<html>`, client.ErrServer, client.Error{Status: 502, Title: "Bad Gateway"}},
	} {
		t.Run(strconv.Itoa(c.status), func(t *testing.T) {
			t.Parallel()
			_, err := serve(t, &answer{status: c.status, header: c.header, body: c.body}).Send(t.Context(), client.Message{})
			got, ok := errors.AsType[*client.Error](err)
			if !ok {
				t.Fatalf("error %v; want a *client.Error", err)
			}
			if d := cmp.Diff(c.want, *got); d != "" {
				t.Errorf("error (-want +got):\n%s", d)
			}
			for _, sentinel := range []error{
				client.ErrInvalid, client.ErrUnauthorized, client.ErrNotFound, client.ErrThrottled, client.ErrUnavailable, client.ErrIdempotency, client.ErrServer,
			} {
				if errors.Is(err, sentinel) != errors.Is(c.is, sentinel) {
					t.Errorf("errors.Is(err, %q) = %v", sentinel, errors.Is(err, sentinel))
				}
			}
		})
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := serve(t, &answer{status: 200, body: "{}"}).Read(ctx, "o1")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v; want that of the context", err)
	}
}

func TestTheKeyGoesToNobodyElse(t *testing.T) {
	t.Parallel()
	other := &answer{status: http.StatusOK, body: "{}"}
	elsewhere := httptest.NewServer(other)
	t.Cleanup(elsewhere.Close)
	for status, options := range map[int][]client.Option{
		http.StatusTemporaryRedirect: nil,
		http.StatusMovedPermanently:  {client.WithHTTPClient(&http.Client{})},
	} {
		s := httptest.NewServer(&answer{status: status, header: map[string]string{"Location": elsewhere.URL}})
		t.Cleanup(s.Close)
		c, err := client.New(s.URL, key, options...)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Read(t.Context(), "o1")
		if refused, ok := errors.AsType[*client.Error](err); !ok || refused.Status != status {
			t.Errorf("a redirect with %d: %v, want the error of that status", status, err)
		}
	}
	if other.hdr != nil {
		t.Errorf("the server that redirects lead to got %v", other.hdr)
	}
}

func TestErrorsAndClientsDoNotShowKeysOrNumbers(t *testing.T) {
	t.Parallel()
	c, err := client.New("http://127.0.0.1:1", key) // nobody listens there
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.List(t.Context(), client.Filter{To: "+4915112345678"})
	if err == nil {
		t.Fatal("somebody answers on port 1")
	}
	for _, text := range []string{err.Error(), fmt.Sprintf("%v", c), fmt.Sprintf("%#v", c), fmt.Sprintf("%+v", c), fmt.Sprintf("%+v", *c)} {
		if strings.Contains(text, "4915112345678") || strings.Contains(text, key) {
			t.Errorf("%q shows a number or the key", text)
		}
	}
}

func TestBaseURLs(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"https://otp.example.com":         "client of https://otp.example.com/2fa/v4",
		"https://otp.example.com/":        "client of https://otp.example.com/2fa/v4",
		"https://otp.example.com/2fa/v4/": "client of https://otp.example.com/2fa/v4",
		"http://localhost:8080/under":     "client of http://localhost:8080/under/2fa/v4",
	} {
		c, err := client.New(base, key)
		if err != nil || c.String() != want {
			t.Errorf("New(%s) = %v, %v; want %s", base, c, err, want)
		}
	}
	for _, base := range []string{"", "otp.example.com", "ftp://otp.example.com", "https://", "https://user@h", "https://user:s3cret@h", "https://@h", "https://h/?q=1", "https://h/?", "https://h/#f", "http://:8080", "://"} {
		if _, err := client.New(base, key); !errors.Is(err, client.ErrURL) {
			t.Errorf("New(%q): %v; want ErrURL", base, err)
		}
	}
}

package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/api/sandbox"
	inbox "github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/verify"
)

// keys knows one key of acme; every other text is the error that it names.
type keys struct{}

func (keys) Authenticate(_ context.Context, key string) (account.Identity, error) {
	switch key {
	case "key-a":
		return account.Identity{Account: account.Account{Name: "acme"}}, nil
	case "":
		return account.Identity{}, account.ErrNoKey
	case "revoked":
		return account.Identity{}, account.ErrKeyDisabled
	case "suspended":
		return account.Identity{}, account.ErrSuspended
	case "down":
		return account.Identity{}, fmt.Errorf("look up key: %w", verify.ErrUnavailable)
	case "broken":
		return account.Identity{}, errors.New("look up key: secret detail")
	}
	if name, ok := strings.CutPrefix(key, "key-of-"); ok {
		return account.Identity{Account: account.Account{Name: name}}, nil
	}
	return account.Identity{}, account.ErrUnknownKey
}

// box remembers what it was asked and answers with list.
type box struct {
	asked []inbox.Query
	list  []inbox.Message
	err   error
}

func (b *box) Read(_ context.Context, q inbox.Query) (inbox.Batch, error) {
	b.asked = append(b.asked, q)
	return inbox.Batch{Messages: b.list}, b.err
}

// Watch tells of nothing.
func (b *box) Watch(string) (<-chan string, func()) { return make(chan string), func() {} }

func serve(t *testing.T, b *box, method, target, key string) *httptest.ResponseRecorder {
	cfg := sandbox.Config{Keys: keys{}, Log: slog.New(slog.DiscardHandler)}
	if b != nil {
		cfg.Messages = b
	}
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	if key != "" {
		r.Header.Set("APIKEY", key)
	}
	w := httptest.NewRecorder()
	sandbox.New(cfg).ServeHTTP(w, r)
	return w
}

func recipient(t *testing.T, s string) phone.Recipient {
	t.Helper()
	r, err := phone.ParseRecipient(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMessagesAreListedAsTheyAre(t *testing.T) {
	t.Parallel()
	b := &box{list: []inbox.Message{
		{
			Seq: 7, Account: "acme", ID: "m2", OTPID: "o1", Channel: message.Voice, To: recipient(t, "+4915112345678"),
			Text: inbox.NewText("Your <b>code</b> is 4, 8"), Created: time.Date(2026, 5, 4, 9, 30, 0, 125_999_999, time.UTC),
		},
		{
			Seq: 5, Account: "acme", ID: "m1", OTPID: "o1", Channel: message.Email, To: recipient(t, "jo@example.com"), From: "ACME",
			Text: inbox.NewText("48"), Created: time.Date(2026, 5, 4, 11, 29, 59, 0, time.FixedZone("", 7200)),
		},
	}}
	w := serve(t, b, http.MethodGet, "/sandbox/messages", "key-a")
	want := `[{"id":"m2","otpId":"o1","channel":"VOICE","to":"+4915112345678","from":"","text":"Your <b>code</b> is 4, 8","createdAt":"2026-05-04T09:30:00.125Z"},` +
		`{"id":"m1","otpId":"o1","channel":"EMAIL","to":"jo@example.com","from":"ACME","text":"48","createdAt":"2026-05-04T09:29:59.000Z"}]` + "\n"
	if diff := cmp.Diff(want, w.Body.String()); diff != "" || w.Code != http.StatusOK {
		t.Errorf("status %d, body (-want +got):\n%s", w.Code, diff)
	}
	if ct, cc := w.Header().Get("Content-Type"), w.Header().Get("Cache-Control"); ct != "application/json" || cc != "no-store" {
		t.Errorf("Content-Type %q, Cache-Control %q", ct, cc)
	}
	if w := serve(t, &box{}, http.MethodGet, "/sandbox/messages", "key-a"); w.Body.String() != "[]\n" {
		t.Errorf("an empty inbox is %q, want []", w.Body.String())
	}
}

func TestFiltersReachTheInbox(t *testing.T) {
	t.Parallel()
	number, address := recipient(t, "+4915112345678"), recipient(t, "jo+a@example.com")
	for _, c := range []struct {
		query string
		want  inbox.Query
	}{
		{"", inbox.Query{Account: "acme", Limit: 50}},
		{"?to=&otpId=&limit=", inbox.Query{Account: "acme", Limit: 50}},
		{"?to=%2B4915112345678", inbox.Query{Account: "acme", Limit: 50, To: number}},
		{"?to=+4915112345678", inbox.Query{Account: "acme", Limit: 50, To: number}},
		{"?to=4915112345678", inbox.Query{Account: "acme", Limit: 50, To: number}},
		{"?to=0049%20151%20123-456-78", inbox.Query{Account: "acme", Limit: 50, To: number}},
		{"?to=Jo%2Ba@Example.com", inbox.Query{Account: "acme", Limit: 50, To: address}},
		{"?to=jo+a@example.com", inbox.Query{Account: "acme", Limit: 50, To: address}},
		{"?otpId=O-1&limit=200&account=other", inbox.Query{Account: "acme", Limit: 200, OTPID: "O-1"}},
		{"?limit=1", inbox.Query{Account: "acme", Limit: 1}},
	} {
		b := &box{}
		if w := serve(t, b, http.MethodGet, "/sandbox/messages"+c.query, "key-a"); w.Code != http.StatusOK {
			t.Errorf("%s: status %d %s", c.query, w.Code, w.Body)
			continue
		}
		if b.asked[0] != c.want {
			t.Errorf("%s: asked for %+v, want %+v", c.query, b.asked[0], c.want)
		}
	}
}

func TestWrongRequestsAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method, target, key string
		status              int
		title               string
		header              string
	}{
		{"GET", "/sandbox/messages", "", 401, "Unauthorized", ""},
		{"GET", "/sandbox/messages?apiKey=key-a", "", 401, "Unauthorized", ""},
		{"GET", "/sandbox/messages", "nope", 403, "Forbidden", ""},
		{"GET", "/sandbox/messages", "revoked", 403, "Forbidden", ""},
		{"GET", "/sandbox/messages", "suspended", 403, "Forbidden", ""},
		{"GET", "/sandbox/messages", "down", 503, "Service Unavailable", "Retry-After: 5"},
		{"GET", "/sandbox/messages", "broken", 500, "Internal Server Error", ""},
		{"GET", "/sandbox/", "nope", 403, "Forbidden", ""},
		{"GET", "/sandbox/", "key-a", 404, "Not Found", ""},
		{"GET", "/sandbox/messages/m1", "key-a", 404, "Not Found", ""},
		{"POST", "/sandbox/messages", "key-a", 405, "Method Not Allowed", "Allow: GET"},
		{"DELETE", "/sandbox/messages", "key-a", 405, "Method Not Allowed", "Allow: GET"},
		{"GET", "/sandbox/messages?limit=0", "key-a", 400, "Bad Request", ""},
		{"GET", "/sandbox/messages?limit=201", "key-a", 400, "Bad Request", ""},
		{"GET", "/sandbox/messages?limit=-1", "key-a", 400, "Bad Request", ""},
		{"GET", "/sandbox/messages?limit=ten", "key-a", 400, "Bad Request", ""},
		{"GET", "/sandbox/messages?limit=99999999999999999999", "key-a", 400, "Bad Request", ""},
		{"GET", "/sandbox/messages?limit=1&limit=1", "key-a", 400, "Bad Request", ""},
		{"GET", "/sandbox/messages?to=1&to=2", "key-a", 400, "Bad Request", ""},
		{"GET", "/sandbox/messages?to=somebody", "key-a", 400, "Bad Request", ""},
		{"GET", "/sandbox/messages?to=@", "key-a", 400, "Bad Request", ""},
		{"GET", "/sandbox/messages?to=%zz", "key-a", 400, "Bad Request", ""},
		{"GET", "/sandbox/messages?otpId=" + strings.Repeat("x", 129), "key-a", 400, "Bad Request", ""},
	} {
		b := &box{}
		w := serve(t, b, c.method, c.target, c.key)
		var body struct {
			Title  string `json:"title"`
			Detail string `json:"detail"`
			Status int    `json:"status"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Errorf("%s %s: body %q: %v", c.method, c.target, w.Body, err)
		}
		if w.Code != c.status || body.Status != c.status || body.Title != c.title || body.Detail == "" {
			t.Errorf("%s %s with key %q = %d %s, want %d %q", c.method, c.target, c.key, w.Code, w.Body, c.status, c.title)
		}
		if name, value, ok := strings.Cut(c.header, ": "); ok && w.Header().Get(name) != value {
			t.Errorf("%s %s: %s %q, want %q", c.method, c.target, name, w.Header().Get(name), value)
		}
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s %s: the answer tells of the cause: %s", c.method, c.target, w.Body)
		}
		if len(b.asked) != 0 {
			t.Errorf("%s %s: the inbox was read", c.method, c.target)
		}
	}
}

func TestTwoKeysAreNone(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/sandbox/messages", "/sandbox/messages/wait?timeout=0"} {
		for _, given := range [][]string{{"key-a", "nope"}, {"nope", "key-a"}, {"key-a", "key-a"}, {"key-a", "key-of-other"}, {"key-a", ""}} {
			b := &box{}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
			for _, key := range given {
				r.Header.Add("apiKey", key)
			}
			w := httptest.NewRecorder()
			sandbox.New(sandbox.Config{Keys: keys{}, Messages: b, Log: slog.New(slog.DiscardHandler)}).ServeHTTP(w, r)
			if w.Code != http.StatusForbidden || len(b.asked) != 0 {
				t.Errorf("%s with the keys %q = %d, the inbox was asked %d times; want 403 and never", target, given, w.Code, len(b.asked))
			}
		}
	}
}

func TestAnInboxThatCannotAnswerIsUnavailableAndWakesNobody(t *testing.T) {
	t.Parallel()
	for _, why := range []error{verify.ErrUnavailable, verify.ErrOverloaded, context.Canceled, context.DeadlineExceeded} {
		var log strings.Builder
		h := sandbox.New(sandbox.Config{
			Keys: keys{}, Messages: &box{err: fmt.Errorf("list: %w", why)}, Log: slog.New(slog.NewTextHandler(&log, nil)),
		})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/sandbox/messages", nil)
		r.Header.Set("APIKEY", "key-a")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || log.String() != "" {
			t.Errorf("%v: status %d, Retry-After %q, logged %q; want 503 with one, and nothing", why, w.Code, w.Header().Get("Retry-After"), log.String())
		}
	}
}

func TestWithoutASandboxNothingIsHere(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/sandbox/messages", "/sandbox/", "/sandbox/messages?limit=x"} {
		for _, key := range []string{"", "nope", "key-a"} {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				if w := serve(t, nil, method, target, key); w.Code != http.StatusNotFound {
					t.Errorf("%s %s with key %q = %d, want 404", method, target, key, w.Code)
				}
			}
		}
	}
}

package server_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/testdb"
)

// holdWrites has the database of dir's server wait with what is written of OTPs
// until release is called.
func holdWrites(t *testing.T, dir string) (release func()) {
	t.Helper()
	if testdb.Postgres() {
		url, _ := databases.Load(dir)
		return pgtest.Hold(t, url.(func() string)(), "LOCK TABLE otps IN EXCLUSIVE MODE")
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "countersign.db")+"?_pragma=busy_timeout(60000)")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err == nil {
		_, err = conn.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	}
	if err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() {
		_, err := conn.ExecContext(context.WithoutCancel(t.Context()), "ROLLBACK")
		if err = errors.Join(err, conn.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(release)
	return release
}

// V-08: of two equal requests with one key that are under way at once the second is
// refused, and gets the first one's answer when it comes again.
func TestARequestIsRefusedWhileTheOneThatItRepeatsIsRunning(t *testing.T) {
	t.Parallel()
	dir := fresh(t)
	r := start(t, dir, "COUNTERSIGN_BOOTSTRAP_API_LOGIN=ops@example.com")
	r.configure()
	r.must(200, "GET", "/2fa/v1/application", "") // whose first call makes it
	id := r.send("+4915112345671")
	for _, c := range []struct {
		method, path, body, other string
		running                   string // what the refusal says
		status                    int    // of the first
	}{
		{
			"POST", "/2fa/v4/otp", `{"to":"+4915112345672","profileName":"login","priorityName":"sms-then-voice"}`,
			`{"to":"+4915112345673","profileName":"login","priorityName":"sms-then-voice"}`,
			`"detail":"The first request with this Idempotency-Key is still running"`, 202,
		},
		{"POST", "/2fa/v4/otp/" + id + "/validate", `{"otpCode":"000000"}`, `{"otpCode":"111111"}`, `"title":"Conflict","status":409`, 200},
		{"DELETE", "/2fa/v4/otp/" + id, "", "", `"title":"Conflict","status":409`, 200},
		{"POST", "/2fa/v1/otp", `{"number":"+4915112345674"}`, `{"number":"+4915112345675"}`, `"code":"1901"`, 200},
		{"POST", "/v1/public/service/otp/generate", `{"phone_number":"+33612345678"}`, `{"phone_number":"+33612345679"}`, `"code":100`, 200},
	} {
		key := "once " + c.method + c.path
		key = strings.ReplaceAll(key, " ", "-")
		release := holdWrites(t, dir)
		answers := make(chan reply, 2)
		for range cap(answers) {
			go func() { answers <- r.repeatable(key, c.method, c.path, c.body) }()
		}
		if second := <-answers; second.status != http.StatusConflict || !strings.Contains(second.body, c.running) {
			t.Errorf("%s %s while the first runs: %s; want 409 with %s", c.method, c.path, second, c.running)
		}
		if c.other != "" {
			if other := r.repeatable(key, c.method, c.path, c.other); other.status != http.StatusUnprocessableEntity {
				t.Errorf("%s %s with another body while the first runs: %s; want 422", c.method, c.path, other)
			}
		}
		release()
		first := <-answers
		if again := r.repeatable(key, c.method, c.path, c.body); first.status != c.status || again != first {
			t.Errorf("%s %s: first %s, again %s; want %d and the same", c.method, c.path, first, again, c.status)
		}
	}
}

// reply is an answer.
type reply struct {
	status int
	body   string
	err    error
}

func (a reply) String() string {
	if a.err != nil {
		return a.err.Error()
	}
	return http.StatusText(a.status) + " " + a.body
}

// repeatable is call with an idempotency key, through any facade.
func (r *running) repeatable(key, method, path, body string) reply {
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		return reply{err: err}
	}
	for name, value := range map[string]string{
		"apiKey": r.key, "api-key": r.key, "api-login": "ops@example.com", "Content-Type": "application/json", "Idempotency-Key": key,
	} {
		req.Header.Set(name, value)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, string(text), err}
}

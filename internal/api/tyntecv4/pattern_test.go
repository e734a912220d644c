package tyntecv4_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/api/tyntecv4"
	"github.com/countersign/countersign/internal/verify"
)

// doors opens to every key, but for those that it has an error for.
type doors map[string]error

func (d doors) Authenticate(_ context.Context, key string) (account.Identity, error) {
	return account.Identity{Key: account.Key{ID: key}}, d[key]
}

func TestCallsThatTheKeyStopsLeaveThePatternOfTheirRoute(t *testing.T) {
	t.Parallel()
	api := tyntecv4.New(tyntecv4.Config{
		Accounts: doors{"": account.ErrNoKey, "nope": account.ErrUnknownKey, "down": verify.ErrUnavailable},
		Admit: func(k account.Key) time.Duration {
			if k.ID == "often" {
				return time.Second
			}
			return 0
		},
	})
	const get, path = "GET /2fa/v4/otp/{otp-id}", "/2fa/v4/otp/2c1b0a99-8877-4665-9544-332211000fff"
	for _, c := range []struct {
		method, path, key string
		status            int
		pattern           string
	}{
		{http.MethodGet, path, "", http.StatusUnauthorized, get},
		{http.MethodGet, path, "nope", http.StatusForbidden, get},
		{http.MethodGet, path, "often", http.StatusTooManyRequests, get},
		{http.MethodGet, path, "down", http.StatusServiceUnavailable, get},
		{http.MethodPut, path, "", http.StatusUnauthorized, ""},
		{http.MethodPut, path, "good", http.StatusMethodNotAllowed, ""},
		{http.MethodGet, "/2fa/v4/nothing", "", http.StatusUnauthorized, ""},
		{http.MethodGet, "/2fa/v4/nothing", "good", http.StatusNotFound, ""},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, c.path, nil)
		r.Header.Set("apiKey", c.key)
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		if w.Code != c.status || r.Pattern != c.pattern {
			t.Errorf("%s %s with key %q: %d, pattern %q; want %d, %q", c.method, c.path, c.key, w.Code, r.Pattern, c.status, c.pattern)
		}
	}
}

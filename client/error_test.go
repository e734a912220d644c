package client_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/countersign/countersign/client"
)

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	t.Parallel()
	const date = "Mon, 04 May 2026 09:30:00 GMT"
	for value, want := range map[string]time.Duration{
		"":                               0,
		"0":                              0,
		"-5":                             0,
		"soon":                           0,
		"30":                             30 * time.Second,
		"86401":                          24 * time.Hour,
		"9300000000":                     24 * time.Hour,
		"99999999999999999999999":        24 * time.Hour,
		"Mon, 04 May 2026 09:31:00 GMT":  time.Minute,
		"Monday, 04-May-26 09:31:00 GMT": time.Minute,
		"Mon, 04 May 2026 09:29:00 GMT":  0,
		"Sun, 04 May 2036 09:30:00 GMT":  24 * time.Hour,
	} {
		a := &answer{status: http.StatusTooManyRequests, header: map[string]string{"Retry-After": value, "Date": date}}
		_, err := serve(t, a).Send(t.Context(), client.Message{})
		if e, ok := errors.AsType[*client.Error](err); !ok || e.RetryAfter != want {
			t.Errorf("Retry-After %q: %#v; want %v", value, err, want)
		}
	}
}

func TestARetryAfterDateOfAnAnswerWithoutDateCountsFromNow(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"Mon, 04 May 2020 09:30:00 GMT": 0,
		"Fri, 04 May 2395 09:30:00 GMT": 24 * time.Hour,
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Date"] = nil
			w.Header().Set("Retry-After", value)
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		t.Cleanup(s.Close)
		c, err := client.New(s.URL, key)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Read(t.Context(), "o1")
		if e, ok := errors.AsType[*client.Error](err); !ok || e.RetryAfter != want {
			t.Errorf("Retry-After %q: %#v; want %v", value, err, want)
		}
	}
}

func TestARefusalThatBreaksOffKeepsItsStatus(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Length", "100")
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"title":"x"`)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(s.Close)
	c, err := client.New(s.URL, key)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Send(t.Context(), client.Message{})
	e, ok := errors.AsType[*client.Error](err)
	if !ok || !errors.Is(err, client.ErrUnavailable) || e.RetryAfter != 5*time.Second {
		t.Errorf("%v; want ErrUnavailable with 5 s to wait", err)
	}
}

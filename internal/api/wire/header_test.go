package wire_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/countersign/countersign/internal/api/wire"
)

func TestIdempotencyKeyIsVisibleASCIIGivenOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		values []string
		want   string
		ok     bool
	}{
		{"none", nil, "", true},
		{"one", []string{"8e03978e-40d5"}, "8e03978e-40d5", true},
		{"the longest", []string{strings.Repeat("k", 255)}, strings.Repeat("k", 255), true},
		{"empty", []string{""}, "", false},
		{"too long", []string{strings.Repeat("k", 256)}, "", false},
		{"a blank", []string{"a b"}, "", false},
		{"not ASCII", []string{"ä"}, "", false},
		{"two", []string{"a", "a"}, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := wire.IdempotencyKey(http.Header{"Idempotency-Key": c.values})
			if got != c.want || (err == nil) != c.ok || err != nil && !errors.Is(err, wire.ErrIdempotencyKey) {
				t.Errorf("IdempotencyKey(%q) = %q, %v; want %q, ok %v", c.values, got, err, c.want, c.ok)
			}
		})
	}
}

func TestRetryAfterIsRoundedUpAndNeverZero(t *testing.T) {
	t.Parallel()
	for wait, want := range map[time.Duration]string{
		0: "1", -time.Second: "1", time.Nanosecond: "1", time.Second: "1", time.Second + 1: "2", 10 * time.Minute: "600",
	} {
		if got := wire.RetryAfter(wait); got != want {
			t.Errorf("RetryAfter(%s) = %s, want %s", wait, got, want)
		}
	}
}

func TestTakeQueryLeavesNoTraceOfTheKey(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ target, want, left string }{
		{"/x", "", "/x"},
		{"/x?name=a%2Fb&to=+49", "", "/x?name=a%2Fb&to=+49"},
		{"/x?apiKey=secret", "secret", "/x"},
		{"/x?a=1&apiKey=se%63ret&b=2", "secret", "/x?a=1&b=2"},
		{"/x?apiKey=secret&api%4Bey=other", "secret, other", "/x"},
		{"/x?apiKey=secret&a=1&apiKey=", "secret, ", "/x?a=1"},
		{"/x?apiKey=%zz&apiKey=secret", ", secret", "/x"},
		{"/x?apiKey=%zz", "", "/x"},
		{"/x?apiKey", "", "/x"},
		{"/x?apikey=secret", "", "/x?apikey=secret"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, c.target, nil)
		if got := wire.TakeQuery(r, "apiKey"); got != c.want {
			t.Errorf("%s: key %q, want %q", c.target, got, c.want)
		}
		if r.URL.String() != c.left || r.RequestURI != c.left {
			t.Errorf("%s: left %s and %s, want %s", c.target, r.URL, r.RequestURI, c.left)
		}
	}
}

func TestABodyShorterThanAnnouncedIsAnError(t *testing.T) {
	t.Parallel()
	for _, announced := range []int64{4, wire.MaxBody} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", iotest.ErrReader(io.ErrUnexpectedEOF))
		r.ContentLength = announced
		if got, err := wire.ReadBody(httptest.NewRecorder(), r, wire.MaxBody); !errors.Is(err, io.ErrUnexpectedEOF) || got != nil {
			t.Errorf("of %d octets announced: %q, %v; want an error", announced, got, err)
		}
	}
}

func TestReadBodyBoundsTheBody(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		most    int
		size    int
		unknown bool // no Content-Length
		err     error
	}{
		{"empty", wire.MaxBody, 0, false, nil},
		{"small", wire.MaxBody, 100, false, nil},
		{"small, length unknown", wire.MaxBody, 100, true, nil},
		{"the largest", wire.MaxBody, wire.MaxBody, false, nil},
		{"the largest, length unknown", wire.MaxBody, wire.MaxBody, true, nil},
		{"too large", wire.MaxBody, wire.MaxBody + 1, false, wire.ErrTooLarge},
		{"too large, length unknown", wire.MaxBody, wire.MaxBody + 1, true, wire.ErrTooLarge},
		{"the largest where less is allowed", 1024, 1024, false, nil},
		{"too large where less is allowed", 1024, 1025, false, wire.ErrTooLarge},
		{"too large where less is allowed, length unknown", 1024, 1025, true, wire.ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(strings.Repeat("x", c.size)))
			if c.unknown {
				r.ContentLength = -1
			}
			got, err := wire.ReadBody(httptest.NewRecorder(), r, c.most)
			if !errors.Is(err, c.err) || err == nil && len(got) != c.size {
				t.Errorf("%d octets, %v; want %d, %v", len(got), err, c.size, c.err)
			}
		})
	}
}

package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds what a server may ask for: who sleeps so long must wake.
const maxRetryAfter = 24 * time.Hour

// notFound is the title that tells an absent OTP from a path that no API has.
const notFound = "No Resource Found"

// Error is a request that the server refused.
type Error struct {
	Status     int           // of HTTP
	Title      string        // stable, such as "Constraint Violation"
	Detail     string        // for people
	Violations []Violation   // with status 400: every rule that was broken
	RetryAfter time.Duration // with status 429 or 503: how long to wait, at most 24 h; 0 if not told
}

// Violation is a rule of a request that was broken.
type Violation struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

func (e *Error) Error() string {
	text := fmt.Sprintf("server answered %d %s", e.Status, e.Title)
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	broken := make([]string, len(e.Violations))
	for i, v := range e.Violations {
		broken[i] = v.Field + " " + v.Message
	}
	if len(broken) > 0 {
		text += ": " + strings.Join(broken, "; ")
	}
	return text
}

// Sentinels to tell refusals apart with errors.Is. After ErrUnavailable and
// ErrServer, as after an error that is no *Error, the request may have been
// carried out; the answer does not tell.
var (
	ErrInvalid      = errors.New("request refused as invalid")         // 400, 413, 415
	ErrUnauthorized = errors.New("API key missing or refused")         // 401, 403
	ErrNotFound     = errors.New("no such OTP")                        // 404 with its title; that of a proxy or a wrong base URL is none of these
	ErrThrottled    = errors.New("too many requests")                  // 429
	ErrUnavailable  = errors.New("server cannot do it now")            // 503
	ErrIdempotency  = errors.New("idempotency key is taken")           // 409: its first request still runs; 422: it was used for another request
	ErrServer       = errors.New("server failed to do what it should") // other 5xx
)

// Is reports whether target is the sentinel of the error's status.
func (e *Error) Is(target error) bool {
	switch e.Status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return target == ErrInvalid
	case http.StatusUnauthorized, http.StatusForbidden:
		return target == ErrUnauthorized
	case http.StatusNotFound:
		return target == ErrNotFound && e.Title == notFound
	case http.StatusConflict, http.StatusUnprocessableEntity:
		return target == ErrIdempotency
	case http.StatusTooManyRequests:
		return target == ErrThrottled
	case http.StatusServiceUnavailable:
		return target == ErrUnavailable
	}
	return e.Status >= http.StatusInternalServerError && target == ErrServer
}

// refusal reads an error body. One that is none still gives the status.
func refusal(resp *http.Response, body []byte) error {
	e := &Error{Status: resp.StatusCode, Title: http.StatusText(resp.StatusCode)}
	var problem struct {
		Title      string      `json:"title"`
		Detail     string      `json:"detail"`
		Violations []Violation `json:"violations"`
	}
	if json.Unmarshal(body, &problem) == nil && problem.Title != "" {
		e.Title, e.Detail, e.Violations = problem.Title, problem.Detail, problem.Violations
	}
	e.RetryAfter = retryAfter(resp.Header)
	return e
}

// retryAfter reads seconds or a date. A date counts from that of the answer: the
// two clocks may differ.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if s, err := strconv.ParseUint(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(s, uint64(maxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	wait := time.Until(at)
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		wait = at.Sub(date)
	}
	return min(max(wait, 0), maxRetryAfter)
}

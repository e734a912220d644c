package verify

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Sentinels that stores return and the service passes on.
var (
	// ErrNotFound: no such OTP for this account and origin.
	ErrNotFound = errors.New("not found")
	// ErrOverloaded: the store's queue is full; nothing was done.
	ErrOverloaded = errors.New("overloaded")
	// ErrUnavailable: the database does not answer or cannot write; nothing was
	// done.
	ErrUnavailable = errors.New("storage unavailable")
	// ErrKeyUnknown: the OTP was sent under a root key that this node does not
	// have, so that nothing can be said of a code; nothing was done.
	ErrKeyUnknown = fmt.Errorf("the OTP's root key is not among this node's: %w", ErrUnavailable)
	// ErrOutcomeUnknown: the work was handed to the database, but the answer
	// did not come in time; it may or may not be done (V-07).
	ErrOutcomeUnknown = errors.New("outcome unknown")
	// ErrIdempotencyMismatch: the idempotency key was used for another request.
	ErrIdempotencyMismatch = errors.New("idempotency key used for another request")
	// ErrIdempotencyRunning: the first request with the idempotency key is still
	// under way; nothing was done for this one.
	ErrIdempotencyRunning = errors.New("the idempotency key's first request is still running")
	// ErrEnded: the OTP is final, so it cannot be sent again.
	ErrEnded = errors.New("the OTP is no longer active")
	// ErrIDTaken: an OTP of the account has this id.
	ErrIDTaken = errors.New("OTP id taken")
)

// Kind is what a facade decides the wire form by. Its zero value is Internal:
// an unclassified error can only become an answer that says nothing.
type Kind uint8

// The kinds of failure.
const (
	Internal       Kind = iota // this server is at fault
	Invalid                    // the request is; nothing was done
	NotFound                   // what it names is not there, or not the account's
	Ended                      // the OTP is final
	Throttled                  // a limit stands against it for RetryAfter
	Mismatch                   // its idempotency key belongs to another request
	Running                    // the first request with its idempotency key is still under way
	Unavailable                // nothing was done; try again after RetryAfter
	OutcomeUnknown             // it may have been done (V-07)
)

// Error is a failure that a facade translates into its own dialect.
type Error struct {
	Kind       Kind
	Code       string        // stable and ours, such as "otp.ended"; facades map it, never its text
	Field      string        // the offending input, when Kind is Invalid
	RetryAfter time.Duration // how long to wait, when Kind is Throttled or Unavailable
	Err        error         // the cause; never sent, reached by Unwrap
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Code, e.Err)
	}
	return e.Code
}

func (e *Error) Unwrap() error { return e.Err }

// LimitError is what a store returns when a limit refuses.
type LimitError struct {
	Limit      string
	RetryAfter time.Duration
}

func (t *LimitError) Error() string { return "limit " + t.Limit + " reached" }

// How long callers are told to wait where the cause says nothing: the service's
// own errors carry these, and facades use them for stores they ask themselves.
const (
	OverloadedRetry  = time.Second     // a full queue empties within moments
	UnavailableRetry = 5 * time.Second // a disk or database needs longer
)

// classify gives a store's error the kind that facades act on.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if t, ok := errors.AsType[*LimitError](err); ok {
		return &Error{Kind: Throttled, Code: "limit." + t.Limit, RetryAfter: t.RetryAfter, Err: err}
	}
	for _, c := range []Error{
		{Kind: NotFound, Code: "otp.not_found", Err: ErrNotFound},
		{Kind: Ended, Code: "otp.ended", Err: ErrEnded},
		{Kind: Mismatch, Code: "idempotency.mismatch", Err: ErrIdempotencyMismatch},
		{Kind: Running, Code: "idempotency.running", Err: ErrIdempotencyRunning},
		{Kind: Unavailable, Code: "overloaded", RetryAfter: OverloadedRetry, Err: ErrOverloaded},
		{Kind: Unavailable, Code: "unavailable", RetryAfter: UnavailableRetry, Err: ErrUnavailable},
		{Kind: OutcomeUnknown, Code: "outcome_unknown", RetryAfter: OverloadedRetry, Err: ErrOutcomeUnknown},
		// The caller left, or its time was up, before anything was begun.
		{Kind: Unavailable, Code: "unavailable", RetryAfter: UnavailableRetry, Err: context.Canceled},
		{Kind: Unavailable, Code: "unavailable", RetryAfter: UnavailableRetry, Err: context.DeadlineExceeded},
	} {
		if errors.Is(err, c.Err) {
			c.Err = err
			return &c
		}
	}
	return &Error{Kind: Internal, Code: "internal", Err: err}
}

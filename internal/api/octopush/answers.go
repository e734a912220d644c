package octopush

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/verify"
)

// answer is every body of this API. Clients look at Code, not at the status.
type answer struct {
	Code      int    `json:"code"`
	Message   string `json:"message"`
	Ticket    string `json:"ticket_number,omitempty"`
	Token     string `json:"otp_request_token,omitempty"`
	Remaining *int   `json:"remaining_number_of_attempts,omitempty"`
}

// success is compared by clients to the letter, as is the message of errWrongCode.
const success = "success"

// replyError is an error as clients get it.
type replyError struct {
	answer

	status int
	retry  time.Duration // Retry-After, if more than 0
	allow  string        // Allow, if not ""
}

// Error returns the message, which holds nothing of the request.
func (f replyError) Error() string { return f.Message }

// after returns f with a wait.
func (f replyError) after(wait time.Duration) replyError {
	f.retry = max(wait, 1)
	return f
}

func refusal(status, code int, message string) replyError {
	return replyError{answer: answer{Code: code, Message: message}, status: status}
}

// Every failure there is (Octopush OTP §7). Those of 100 to 150 borrow the
// numbers of the vendor's older API. Never changed.
var (
	errNoRequest      = refusal(http.StatusBadRequest, 100, "No usable JSON object or form.")
	errIdempotencyKey = refusal(http.StatusBadRequest, 100, "Idempotency-Key must be 1 to 255 visible ASCII characters.")
	errNoPath         = refusal(http.StatusNotFound, 100, "No such path.")
	errWrongMethod    = refusal(http.StatusMethodNotAllowed, 100, "No such method on this path.")
	errTooLarge       = refusal(http.StatusRequestEntityTooLarge, 100, "The body is larger than 64 KiB.")
	errStillRunning   = refusal(http.StatusConflict, 100, "The first request with this Idempotency-Key is still running.")
	errOtherRequest   = refusal(http.StatusUnprocessableEntity, 100, "The Idempotency-Key was used for another request.")

	errWrongCredentials = refusal(http.StatusUnauthorized, 101, "Wrong login or key.")
	errNoLogin          = refusal(http.StatusUnauthorized, 108, "The header api-login is missing.")
	errNoKey            = refusal(http.StatusUnauthorized, 109, "The header api-key is missing.")
	errSuspended        = refusal(http.StatusForbidden, 114, "The account is suspended.")

	errNoNumber       = refusal(http.StatusBadRequest, 110, "phone_number is missing.")
	errUnusableNumber = refusal(http.StatusBadRequest, 117, "phone_number is not usable.")
	errUnknownCalling = refusal(http.StatusBadRequest, 150, "phone_number has an unknown country code.")

	errUnexpected  = refusal(http.StatusInternalServerError, 125, "Unexpected failure.")
	errUnavailable = refusal(http.StatusServiceUnavailable, 125, "The request could not be carried out now.")
	errInDoubt     = refusal(http.StatusServiceUnavailable, 125, "Whether the request was carried out is not known.")
	errTooMany     = refusal(http.StatusTooManyRequests, 128, "Too many requests.")

	errNoIdentity = refusal(http.StatusBadRequest, 194, "Neither phone_number nor otp_request_token is usable.")
	errNoCode     = refusal(http.StatusBadRequest, 195, "code is missing.")
	errLocked     = refusal(http.StatusBadRequest, 196, "The allowed number of wrong codes is used up.")
	errExpired    = refusal(http.StatusBadRequest, 197, "The OTP has expired.")
	errUnknownOTP = refusal(http.StatusBadRequest, 198, "No such OTP.")
	errWrongCode  = refusal(http.StatusBadRequest, 199, "Wrong OTP code.")
)

// ended is the answer to a check of an OTP that is final. That it was used up
// is told to nobody: it is gone (Octopush OTP §6 B10).
func ended(s otp.State) replyError {
	switch s {
	case otp.TooManyAttempts:
		return errLocked
	case otp.Expired:
		return errExpired
	case otp.Verified, otp.Active:
	}
	return errUnknownOTP
}

// verdictOf is the answer to a check; nil for the right code.
func verdictOf(c verify.Checked) error {
	switch c.Verdict {
	case otp.Right:
		return nil
	case otp.Wrong, otp.Spent:
		e := errWrongCode
		remaining := max(c.Record.Allowed-c.Record.Attempts, 0)
		e.Remaining = &remaining
		return e
	case otp.Late, otp.Closed:
	}
	return ended(c.Record.State)
}

// sentinels are the errors that mean the same wherever they come from. Never
// changed.
var sentinels = []struct {
	err   error
	reply replyError
}{
	{account.ErrUnknownKey, errWrongCredentials},
	{account.ErrKeyDisabled, errWrongCredentials},
	{account.ErrSuspended, errSuspended},
	{verify.ErrOverloaded, errUnavailable.after(verify.OverloadedRetry)},
	{verify.ErrUnavailable, errUnavailable.after(verify.UnavailableRetry)},
	{verify.ErrOutcomeUnknown, errInDoubt.after(verify.OverloadedRetry)},
	{context.Canceled, errUnavailable.after(verify.OverloadedRetry)},
	{context.DeadlineExceeded, errUnavailable.after(verify.OverloadedRetry)},
}

// translate is the one place where errors become answers. What it does not know
// says nothing.
func translate(err error) replyError {
	if f, ok := errors.AsType[replyError](err); ok {
		return f
	}
	if e, ok := errors.AsType[*verify.Error](err); ok {
		switch e.Kind {
		case verify.NotFound:
			return errUnknownOTP
		case verify.Throttled:
			return errTooMany.after(e.RetryAfter)
		case verify.Mismatch:
			return errOtherRequest
		case verify.Running:
			return errStillRunning
		case verify.Unavailable:
			return errUnavailable.after(e.RetryAfter)
		case verify.OutcomeUnknown:
			return errInDoubt.after(e.RetryAfter)
		case verify.Internal, verify.Invalid, verify.Ended: // left to the cause
		}
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return s.reply
		}
	}
	return errUnexpected
}

// write sends an answer. That the client has gone is no error of ours.
func write(w http.ResponseWriter, status int, a answer) {
	body, err := json.Marshal(a)
	if err != nil { // strings and integers
		status, body = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

package tyntecv1

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/verify"
)

// apiError is an error as clients get it (contract v1 §2.1).
type apiError struct {
	status  int
	code    string
	message string

	retry time.Duration // Retry-After, if more than 0
	allow string        // Allow, if not ""
}

// Error returns the message, which holds nothing of the request.
func (e apiError) Error() string { return e.message }

// The errors of contract v1 §2.2. Codes 1006, 1008 and 1017 are the vendor's.
var (
	errPINLength = apiError{status: http.StatusBadRequest, code: "1006", message: "pinLength must be between 4 and 10."}
	errExpire    = apiError{status: http.StatusBadRequest, code: "1008", message: "expire must be between 30 and 7200 seconds."}
	errReserved  = apiError{status: http.StatusBadRequest, code: "1017", message: "The name default is reserved."}

	errBody        = apiError{status: http.StatusBadRequest, code: "1901", message: "The body is not a readable JSON object."}
	errIdempotency = apiError{status: http.StatusBadRequest, code: "1901", message: "Idempotency-Key must be 1 to 255 visible ASCII characters."}
	errReused      = apiError{status: http.StatusUnprocessableEntity, code: "1901", message: "The Idempotency-Key was used for another request."}
	errRunning     = apiError{status: http.StatusConflict, code: "1901", message: "The first request with this Idempotency-Key is still running."}
	errTooLarge    = apiError{status: http.StatusRequestEntityTooLarge, code: "1901", message: "The body is larger than 64 KiB."}
	errReference   = apiError{status: http.StatusBadRequest, code: "1901", message: "referenceId must be 1 to 255 characters."}
	errPath        = apiError{status: http.StatusNotFound, code: "1901", message: "No such path."}

	errNumber       = apiError{status: http.StatusBadRequest, code: "1902", message: "number is not a phone number."}
	errCountry      = apiError{status: http.StatusBadRequest, code: "1903", message: "number and country do not match, or country is not a country's two-letter code."}
	errVia          = apiError{status: http.StatusBadRequest, code: "1904", message: "via must be AUTO, SMS or VOICE."}
	errChannel      = apiError{status: http.StatusBadRequest, code: "1904", message: "channel must be SMS or VOICE."}
	errText         = apiError{status: http.StatusBadRequest, code: "1905", message: "text must be 1 to 1600 characters and contain {{OTP}}."}
	errCode         = apiError{status: http.StatusBadRequest, code: "1906", message: "otpCode must be 4 to 20 visible ASCII characters."}
	errAttempts     = apiError{status: http.StatusBadRequest, code: "1907", message: "attempts must be between 1 and 10."}
	errSender       = apiError{status: http.StatusBadRequest, code: "1908", message: "sender must be 1 to 11 characters or 3 to 15 digits."}
	errCaller       = apiError{status: http.StatusBadRequest, code: "1908", message: "caller must be 1 to 16 letters, digits or +."}
	errName         = apiError{status: http.StatusBadRequest, code: "1909", message: "name must be 1 to 100 characters."}
	errNameTaken    = apiError{status: http.StatusBadRequest, code: "1909", message: "Another application has this name."}
	errLanguage     = apiError{status: http.StatusBadRequest, code: "1910", message: "language must be a two-letter ISO 639-1 code."}
	errBaseLanguage = apiError{status: http.StatusBadRequest, code: "1910", message: "The template en cannot be deleted."}
	errRename       = apiError{status: http.StatusBadRequest, code: "1911", message: "The default application cannot be renamed."}
	errKeepDefault  = apiError{status: http.StatusForbidden, code: "1911", message: "The default application cannot be deleted."}
	errBoolean      = apiError{status: http.StatusBadRequest, code: "1912", message: "A boolean must be true or false."}

	errApplication     = apiError{status: http.StatusNotFound, code: "1920", message: "Application not found."}
	errOTP             = apiError{status: http.StatusNotFound, code: "1921", message: "OTP not found."}
	errApplicationGone = apiError{status: http.StatusNotFound, code: "1922", message: "The application of this OTP was deleted."}
	errTemplate        = apiError{status: http.StatusNotFound, code: "1923", message: "Template not found."}
	errEnded           = apiError{status: http.StatusUnauthorized, code: "1930", message: "The OTP is no longer active."}
	errKey             = apiError{status: http.StatusUnauthorized, code: codeKey, message: "The API key is missing or unknown."}
	errDisabled        = apiError{status: http.StatusForbidden, code: "1941", message: "The API key or the account is disabled."}
	errUnexpected      = apiError{status: http.StatusInternalServerError, code: codeUnexpected, message: "The request could not be completed."}
)

const (
	codeMissing    = "1901"
	codeKey        = "1940"
	codeThrottled  = "1950"
	codeUnexpected = "1999"
)

// missing says that a required parameter is not there.
func missing(name string) error {
	return apiError{status: http.StatusBadRequest, code: codeMissing, message: name + " is missing."}
}

func throttled(wait time.Duration) apiError {
	return apiError{status: http.StatusTooManyRequests, code: codeThrottled, message: "Too many requests.", retry: max(wait, 1)}
}

// unavailable is for work that was not, or may not have been, done. The
// vendor's documents know no such answer; clients repeat the request later.
func unavailable(message string, wait time.Duration) apiError {
	return apiError{status: http.StatusServiceUnavailable, code: codeUnexpected, message: message, retry: max(wait, 1)}
}

const outcomeUnknown = "Whether the request was carried out is not known."

// sentinels are the answers to errors that need no more than their identity.
var sentinels = []struct {
	err    error
	answer apiError
}{
	{account.ErrNoKey, errKey},
	{account.ErrUnknownKey, errKey},
	{account.ErrKeyDisabled, errDisabled},
	{account.ErrSuspended, errDisabled},
	{catalog.ErrNotFound, errApplication},
	{catalog.ErrNameTaken, errNameTaken},
	{verify.ErrOverloaded, unavailable("The server is overloaded.", verify.OverloadedRetry)},
	{verify.ErrUnavailable, unavailable("The storage is not available.", verify.UnavailableRetry)},
	{verify.ErrOutcomeUnknown, unavailable(outcomeUnknown, verify.OverloadedRetry)},
	{context.Canceled, unavailable("The request was cancelled.", verify.OverloadedRetry)},
	{context.DeadlineExceeded, unavailable("The request took too long.", verify.OverloadedRetry)},
}

// translate is the one place where errors become answers. What it does not know
// is 1999, which says nothing.
func translate(err error) apiError {
	if e, ok := errors.AsType[apiError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*verify.Error](err); ok {
		switch e.Kind {
		case verify.NotFound:
			return errOTP
		case verify.Ended:
			return errEnded
		case verify.Throttled:
			return throttled(e.RetryAfter)
		case verify.Mismatch:
			return errReused
		case verify.Running:
			return errRunning
		case verify.Unavailable:
			return unavailable("The request could not be carried out now.", e.RetryAfter)
		case verify.OutcomeUnknown:
			return unavailable(outcomeUnknown, e.RetryAfter)
		case verify.Internal, verify.Invalid: // the facade asks for neither
		}
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return s.answer
		}
	}
	return errUnexpected
}

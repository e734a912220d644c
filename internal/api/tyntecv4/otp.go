package tyntecv4

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/verify"
)

// States and verdicts as this API writes them (contract v4 §4.3).
const (
	statusActive          = "ACTIVE"
	statusWrongCode       = "WRONG_CODE"
	statusVerified        = "VERIFIED"
	statusExpired         = "EXPIRED"
	statusTooManyAttempts = "TOO_MANY_ATTEMPTS"
	statusAlreadyReported = "ALREADY_REPORTED"
)

// timeForm is how times are written: UTC, milliseconds.
const timeForm = "2006-01-02T15:04:05.000Z"

func formatTime(t time.Time) string { return t.UTC().Format(timeForm) }

// otpRecord is an OTP in answers.
type otpRecord struct {
	ID              string `json:"otpId"`
	To              string `json:"to"`
	Status          string `json:"otpStatus"`
	AllowedAttempts int    `json:"allowedAttempts"`
	AttemptCount    int    `json:"attemptCount"`
	Created         string `json:"otpCreated"`
	Expire          string `json:"otpExpire"`
}

func recordOf(r verify.Record) otpRecord {
	return otpRecord{
		ID: r.ID, To: r.Recipient.Reveal(), Status: stateOf(r.OTP),
		AllowedAttempts: r.Allowed, AttemptCount: r.Attempts,
		Created: formatTime(r.Created), Expire: formatTime(r.Expires),
	}
}

// stateOf names an OTP's state. An open OTP that saw a wrong code is
// WRONG_CODE (contract v4 §7).
func stateOf(o otp.OTP) string {
	switch {
	case o.State == otp.Verified:
		return statusVerified
	case o.State == otp.Expired:
		return statusExpired
	case o.State == otp.TooManyAttempts:
		return statusTooManyAttempts
	case o.Attempts > 0:
		return statusWrongCode
	}
	return statusActive
}

// verdictOf names the outcome of a check (contract v4 §7).
func verdictOf(c verify.Checked) string {
	switch c.Verdict {
	case otp.Right:
		return statusVerified
	case otp.Wrong:
		return statusWrongCode
	case otp.Spent:
		return statusTooManyAttempts
	case otp.Late, otp.Closed:
	}
	if c.Record.State == otp.Verified {
		return statusAlreadyReported
	}
	return stateOf(c.Record.OTP)
}

// unescapedPlus puts back the plus that a number in a query began with and that
// arrived as a blank.
func unescapedPlus(to string) string {
	if rest, ok := strings.CutPrefix(to, " "); ok && !strings.HasPrefix(strings.TrimLeft(rest, " "), "+") {
		return "+" + rest
	}
	return to
}

// listOTPs is contract v4 §6.1.1.
func (f *facade) listOTPs(ctx context.Context, c *call) (reply, error) {
	var v violations
	values, err := c.query(&v, "to", "otpStatus")
	if err != nil {
		return reply{}, err
	}
	to, status := values[0], values[1]
	q := verify.ListQuery{Account: c.account.Name, Origin: origin, Limit: f.Limits.ListLimit + 1}
	if to != "" {
		n, err := phone.Syntax(unescapedPlus(to))
		if err != nil {
			v.optional("to", &to, number)
		}
		q.RecipientKey = f.Verify.RecipientKey(c.account.Name, n.Recipient())
	}
	switch status {
	case "":
	case statusVerified:
		q.States = []otp.State{otp.Verified}
	case statusTooManyAttempts:
		q.States = []otp.State{otp.TooManyAttempts}
	default:
		v.add("otpStatus", mustBeOneOf(statusVerified, statusTooManyAttempts))
	}
	if err := v.err(); err != nil {
		return reply{}, err
	}
	records, err := f.Verify.List(ctx, q)
	if err != nil {
		return reply{}, err //nolint:wrapcheck // a *verify.Error says all there is
	}
	truncated := len(records) > f.Limits.ListLimit
	if truncated {
		records = records[:f.Limits.ListLimit]
	}
	list := make([]otpRecord, len(records))
	for i, r := range records {
		list[i] = recordOf(r)
	}
	return reply{status: http.StatusOK, body: list, truncated: truncated}, nil
}

// ref names the path's OTP. An id that is no UUID names none.
func (c *call) ref() (verify.Ref, error) {
	id, ok := c.id()
	if !ok {
		return verify.Ref{}, c.absent()
	}
	return verify.Ref{Account: c.account.Name, Origin: origin, ID: id}, nil
}

// readOTP is contract v4 §6.1.3.
func (f *facade) readOTP(ctx context.Context, c *call) (reply, error) {
	ref, err := c.ref()
	if err != nil {
		return reply{}, err
	}
	r, err := f.Verify.Get(ctx, ref)
	if err != nil {
		return reply{}, err //nolint:wrapcheck // a *verify.Error says all there is
	}
	return reply{status: http.StatusOK, body: recordOf(r)}, nil
}

// deleteOTP is contract v4 §6.1.4. What is not there is deleted; that keeps no
// idempotency key, but one that was used for another request is refused.
func (f *facade) deleteOTP(ctx context.Context, c *call) (reply, error) {
	id, ok := c.id()
	if !ok {
		id = c.params[0]
	}
	once, err := f.idempotency(c, "delete", nil, id)
	if err != nil {
		return reply{}, err
	}
	if ok {
		_, err = f.Verify.Delete(ctx, verify.Ref{Account: c.account.Name, Origin: origin, ID: id}, once)
	} else {
		_, err = f.Verify.Repeated(ctx, c.account.Name, once, c.absent())
	}
	if err != nil && c.translate(err).Status != http.StatusNotFound {
		return reply{}, err //nolint:wrapcheck // a *verify.Error says all there is
	}
	return reply{status: http.StatusOK}, nil
}

// verdict is the body of a check's answer.
type verdict struct {
	Status string `json:"otpStatus"`
}

// appendJSON implements literal.
func (v verdict) appendJSON(b []byte) []byte {
	return append(append(append(b, `{"otpStatus":"`...), v.Status...), `"}`...)
}

// validate is contract v4 §6.1.5.
func (f *facade) validate(ctx context.Context, c *call) (reply, error) {
	o, raw, err := c.read()
	if err != nil {
		return reply{}, err
	}
	typed := o.text("otpCode")
	if err := o.fits(); err != nil {
		return reply{}, err
	}
	id, _ := c.id()
	once, err := f.idempotency(c, "validate", raw, id)
	if err != nil {
		return reply{}, err
	}
	var v violations
	code := v.required("otpCode", typed, size(minCode, maxCode))
	if err := v.err(); err != nil {
		return reply{}, err
	}
	ref, err := c.ref()
	if err != nil {
		return reply{}, err
	}
	checked, err := f.Verify.Check(ctx, verify.CheckRequest{Ref: ref, Code: otp.NewCode(code), Idempotency: once})
	if err != nil {
		return reply{}, err //nolint:wrapcheck // a *verify.Error says all there is
	}
	return reply{status: http.StatusOK, body: verdict{verdictOf(checked)}}, nil
}

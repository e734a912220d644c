package tyntecv1

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/verify"
)

// listLimit bounds one list answer. The contract names no bound; the newest
// are told, and that there are more is told in a header.
const listLimit = 1000

// list is contract v1 §3.2.
func (f *facade) list(ctx context.Context, c *call) (reply, error) {
	to, err := readNumber(c.params["number"], "")
	if err != nil {
		return reply{}, err
	}
	records, err := f.Verify.List(ctx, verify.ListQuery{
		Account: c.account.Name, Origin: origin, Limit: listLimit + 1,
		RecipientKey: f.Verify.RecipientKey(c.account.Name, to.Recipient()),
	})
	if err != nil {
		return reply{}, err //nolint:wrapcheck // a *verify.Error says all there is
	}
	if len(records) == 0 {
		return reply{status: http.StatusNoContent}, nil
	}
	truncated := len(records) > listLimit
	if truncated {
		records = records[:listLimit]
	}
	list := make([]otpEntity, len(records))
	for i, r := range records {
		list[i] = otpEntityOf(r)
	}
	return reply{status: http.StatusOK, body: list, truncated: truncated}, nil
}

// status is contract v1 §3.3.
func (f *facade) status(ctx context.Context, c *call) (reply, error) {
	ref, err := c.ref()
	if err != nil {
		return reply{}, err
	}
	r, err := f.Verify.Get(ctx, ref)
	if err != nil {
		return reply{}, err //nolint:wrapcheck // a *verify.Error says all there is
	}
	return reply{status: http.StatusOK, body: otpEntityOf(r)}, nil
}

// known reads the path's OTP. One that is gone is left to the service, which
// counts that and may have an answer to repeat. One whose application is gone is
// errApplicationGone: the service would carry the request out, so that the caller
// has to ask for an answer to repeat itself.
func (f *facade) known(ctx context.Context, c *call) (verify.Record, error) {
	ref, err := c.ref()
	if err != nil {
		return verify.Record{}, err
	}
	record, err := f.Verify.Get(ctx, ref)
	if errors.Is(err, verify.ErrNotFound) {
		return verify.Record{Ref: ref}, nil
	}
	if err != nil {
		return verify.Record{}, err //nolint:wrapcheck // a *verify.Error says all there is
	}
	_, err = f.applicationOf(ctx, c.account.Name, record.ApplicationID)
	if errors.Is(err, errApplication) {
		return verify.Record{}, errApplicationGone
	}
	return record, err
}

// resend is contract v1 §3.4.
func (f *facade) resend(ctx context.Context, c *call) (reply, error) {
	once, err := f.once(c)
	if err != nil {
		return reply{}, err
	}
	channel, err := c.params.via()
	if err != nil {
		return reply{}, err
	}
	sender, err := c.params.matching("sender", "", senderForm, errSender)
	if err != nil {
		return reply{}, err
	}
	caller, err := c.params.matching("caller", "", callerForm, errCaller)
	if err != nil {
		return reply{}, err
	}
	record, err := f.known(ctx, c)
	if errors.Is(err, errApplicationGone) {
		return sent(f.Verify.Repeated(ctx, c.account.Name, once, err))
	}
	if err != nil {
		return reply{}, err
	}
	if channel == "" {
		to, _ := record.Recipient.Number()
		channel = channelFor(to.Info().Line)
	}
	if channel == message.Voice {
		sender = caller
		if callerID(caller) != caller {
			sender = delivery.Withheld
		}
	}
	return sent(f.Verify.Resend(ctx, verify.ResendRequest{Ref: record.Ref, Channel: channel, Sender: sender, Idempotency: once}))
}

// deleteOTP is contract v1 §3.5.
func (f *facade) deleteOTP(ctx context.Context, c *call) (reply, error) {
	once, err := f.once(c)
	if err != nil {
		return reply{}, err
	}
	ref, err := c.ref()
	if err != nil {
		return reply{}, err
	}
	record, err := f.Verify.Delete(ctx, ref, once)
	if err != nil {
		return reply{}, err //nolint:wrapcheck // a *verify.Error says all there is
	}
	return reply{status: http.StatusOK, body: otpEntityOf(record)}, nil
}

// verdictStatus is how each verdict is answered (contract v1 §3.6).
var verdictStatus = map[otp.Verdict]int{
	otp.Right:  http.StatusAccepted,
	otp.Wrong:  http.StatusUnauthorized,
	otp.Spent:  http.StatusForbidden,
	otp.Late:   http.StatusForbidden,
	otp.Closed: http.StatusGone,
}

// check is contract v1 §3.6.
func (f *facade) check(ctx context.Context, c *call) (reply, error) {
	once, err := f.once(c)
	if err != nil {
		return reply{}, err
	}
	typed := strings.TrimSpace(c.params["otpCode"])
	if typed == "" || strings.Contains(typed, unreadable) {
		return reply{}, missing("otpCode")
	}
	record, err := f.known(ctx, c)
	if errors.Is(err, errApplicationGone) {
		return checked(f.Verify.RepeatedCheck(ctx, c.account.Name, once, err))
	}
	if err != nil {
		return reply{}, err
	}
	return checked(f.Verify.Check(ctx, verify.CheckRequest{Ref: record.Ref, Code: otp.NewCode(typed), Idempotency: once}))
}

func checked(c verify.Checked, err error) (reply, error) {
	if err != nil {
		return reply{}, err
	}
	return reply{status: verdictStatus[c.Verdict], body: otpEntityOf(c.Record)}, nil
}

// events is contract v1 §3.13.
func (f *facade) events(ctx context.Context, c *call) (reply, error) {
	ref, err := c.ref()
	if err != nil {
		return reply{}, err
	}
	all, err := f.Verify.Events(ctx, ref)
	if err != nil {
		return reply{}, err //nolint:wrapcheck // a *verify.Error says all there is
	}
	return reply{status: http.StatusOK, body: statusEventsOf(all)}, nil
}

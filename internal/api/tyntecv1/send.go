package tyntecv1

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/verify"
)

// order is a Send whose parameters are acceptable.
type order struct {
	to        phone.Number
	via       message.Channel // "" for AUTO
	wording   wording         // but for the language
	reference string
	code      otp.Code // zero to generate one
	length    int      // of a generated one; 0 for the application's
}

// readOrder reads the parameters of contract v1 §3.1; the first that is not
// acceptable, in the order of its table, is the error.
func readOrder(p params) (o order, err error) {
	if o.to, err = readNumber(p["number"], p["country"]); err != nil {
		return o, err
	}
	if o.via, err = p.via(); err != nil {
		return o, err
	}
	if o.wording.text, err = p.line("text", maxText, errText); err != nil {
		return o, err
	}
	if o.wording.text != "" && p["otpCode"] == "" && !strings.Contains(o.wording.text, codePlaceholder) {
		return o, errText
	}
	if o.reference, err = p.line("referenceId", maxReference, errReference); err != nil {
		return o, err
	}
	code, err := p.matching("otpCode", "", codeForm, errCode)
	if err != nil {
		return o, err
	}
	if code != "" {
		o.code = otp.NewCode(code)
	}
	if o.length, err = p.integer("pinLength", 0, minPIN, maxPIN, errPINLength); err != nil {
		return o, err
	}
	if o.wording.sender, err = p.matching("sender", "", senderForm, errSender); err != nil {
		return o, err
	}
	o.wording.caller, err = p.matching("caller", "", callerForm, errCaller)
	return o, err
}

// readNumber reads a destination (contract v1 §2.6).
func readNumber(text, country string) (phone.Number, error) {
	if text == "" {
		return phone.Number{}, missing("number")
	}
	to, err := phone.Resolve(text, country)
	switch {
	case errors.Is(err, phone.ErrUnknownCountry), errors.Is(err, phone.ErrCountryMismatch):
		return phone.Number{}, errCountry
	case err != nil:
		return phone.Number{}, errNumber
	}
	return to, nil
}

// send is contract v1 §3.1.
func (f *facade) send(ctx context.Context, c *call) (reply, error) {
	once, err := f.once(c)
	if err != nil {
		return reply{}, err
	}
	o, err := readOrder(c.params)
	if err != nil {
		return reply{}, err
	}
	a, err := f.applicationOf(ctx, c.account.Name, c.params["applicationId"])
	if err != nil {
		return sent(f.Verify.Repeated(ctx, c.account.Name, once, err))
	}
	info := sync.OnceValue(o.to.Info) // it is not cheap
	if o.via == "" {
		o.via = channelFor(info().Line)
	}
	o.wording.language = languageFor(c.params["language"], info)

	policy := policyOf(a)
	if o.length > 0 {
		policy.Length = o.length
	}
	form := otp.Exact // of a code that the client chose: PaddedDigits if it can be
	if o.code.IsZero() {
		if o.code, err = policy.Generate(f.Random); err != nil {
			return reply{}, fmt.Errorf("generate code: %w", err)
		}
		form = otp.Folded
	}
	if otp.AllDigits(o.code.Reveal()) {
		form = otp.PaddedDigits
	}
	return sent(f.Verify.Send(ctx, verify.SendRequest{
		Account: c.account.Name, Origin: origin, Recipient: o.to.Recipient(),
		Policy: policy, Code: o.code, Form: form, Plan: f.plan(a, o.wording, o.via),
		Resendable: true, Reference: o.reference, ApplicationID: a.ID, Idempotency: once,
	}))
}

func sent(record verify.Record, err error) (reply, error) {
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: otpEntityOf(record)}, nil
}

// policyOf returns how the application's codes are made (contract v1 §4).
func policyOf(a catalog.Application) otp.Policy {
	p := otp.Policy{Length: a.CodeLength, Alphabet: otp.Digits, Attempts: a.Attempts, Life: a.Life}
	if a.Alphanumeric {
		p.Alphabet = otp.LowerCase + otp.Digits
	}
	return p
}

package octopush

import (
	"context"
	"errors"
	"regexp"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/verify"
)

var tokenForm = regexp.MustCompile(`^otp_[0-9a-f]{24}$`)

// validate is Octopush OTP §4.
func (f *facade) validate(ctx context.Context, c *call) (answer, error) {
	token, number := c.in["otp_request_token"], numberOf(c)
	code := c.in["code"]
	var refused error
	switch {
	case token.given != usable && number.given != usable:
		refused = errNoIdentity
	case code.given != usable:
		return answer{}, errNoCode
	case token.given == unusable || number.given == unusable:
		// What was given to say which OTP is meant fits none.
		refused = errUnknownOTP
	}
	switch {
	case refused != nil && c.in["phone_number"].given == usable:
		// It may have been a number in the country that the account had before.
		return judged(f.OTPs.RepeatedCheck(ctx, c.account.Name, c.once, refused))
	case refused != nil:
		return answer{}, refused
	}
	id, binding, err := f.locate(ctx, c, token, number)
	if err != nil {
		return answer{}, err
	}
	return judged(f.OTPs.Check(ctx, verify.CheckRequest{
		Ref:  verify.Ref{Account: c.account.Name, Origin: origin, ID: id},
		Code: otp.NewCode(code.text), Binding: binding, Idempotency: c.once,
	}))
}

// judged is the answer to a check.
func judged(checked verify.Checked, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	return answer{Message: success}, verdictOf(checked)
}

// numberField is the number of a validate, which need not be there.
type numberField struct {
	given presence
	to    phone.Recipient
}

func numberOf(c *call) numberField {
	f := c.in["phone_number"]
	if f.given != usable {
		return numberField{given: f.given}
	}
	n, err := phone.ResolveWithDefault(f.text, c.account.Setting(account.SettingCountry))
	if err != nil {
		return numberField{given: unusable}
	}
	return numberField{usable, n.Recipient()}
}

// nowhere is the id of no OTP. Checking it finds none, so that a check of a
// number without an OTP is counted as one of a token without.
const nowhere = ""

// locate finds the OTP that is meant: the token's, which must have gone to the
// number if both are given, or the last one of the number, whatever its state.
// Where there is none, that is nowhere. It also returns the binding to check
// with.
func (f *facade) locate(ctx context.Context, c *call, token field, number numberField) (id, binding string, err error) {
	address := c.in["recipient_ip"]
	binding = address.text
	lenient := address.given == absent && settings.Of(c.account, settingRecipientIP) == ifPresent
	var record verify.Record
	switch {
	case token.given != usable:
		last, err := f.OTPs.List(ctx, verify.ListQuery{
			Account: c.account.Name, Origin: origin, Limit: 1,
			RecipientKey: f.OTPs.RecipientKey(c.account.Name, number.to),
		})
		if err != nil {
			return "", "", err //nolint:wrapcheck // a *verify.Error says all there is
		}
		if len(last) == 0 {
			return nowhere, "", nil
		}
		record = last[0]
	case !tokenForm.MatchString(token.text):
		return "", "", errUnknownOTP
	case number.given != usable && !lenient:
		return token.text, binding, nil // nothing to compare it with
	default:
		record, err = f.OTPs.Get(ctx, verify.Ref{Account: c.account.Name, Origin: origin, ID: token.text})
		switch e, _ := errors.AsType[*verify.Error](err); {
		case e != nil && e.Kind == verify.NotFound:
			return nowhere, "", nil
		case err != nil:
			return "", "", err //nolint:wrapcheck // as above
		case number.given == usable && record.Recipient != number.to:
			return nowhere, "", nil
		}
	}
	if lenient {
		binding = parseReference(record.Reference).address
	}
	return record.ID, binding, nil
}

package octopush

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/verify"
)

// Alphabet of allow_special_chars, and what remove_confusing_characters takes
// away (Octopush OTP §3).
const (
	specialChars   otp.Alphabet = "!#$%&?@"
	confusingChars string       = "0Oo1Il"
)

// Account settings beside those that are defaults of parameters.
const (
	settingMaxValidity  = "octopush.max_validity_period" // seconds, the operator's ceiling
	settingChooseSender = "octopush.choose_sender"       // whether requests may
)

// errSimulated says that no answer is kept for the idempotency key of a
// simulation.
var errSimulated = errors.New("nothing is sent")

// generate is Octopush OTP §3.
func (f *facade) generate(ctx context.Context, c *call) (answer, error) {
	to, err := recipient(c)
	switch {
	case err != nil && c.in["phone_number"].given == usable:
		// It may have been a number in the country that the account had before.
		return f.repeated(ctx, c, err)
	case err != nil:
		return answer{}, err
	}
	step := f.step(c)
	ticket, token, err := f.names(step.Channel)
	if err != nil {
		return answer{}, err
	}
	if c.in.yes("simulation_mode") {
		// Nothing is kept of it, not even its key; but that may have been another
		// request's.
		if a, err := f.repeated(ctx, c, errSimulated); !errors.Is(err, errSimulated) {
			return a, err
		}
		return answer{Message: success, Ticket: ticket, Token: token}, nil
	}
	policy := policyOf(c)
	step.Text = compose(c, step.Channel, policy.Length, f.Now().Add(policy.Life))
	binding, remembered := bind(c)
	record, err := f.OTPs.Send(ctx, verify.SendRequest{
		Account: c.account.Name, Origin: origin, ID: token, Recipient: to.Recipient(),
		Policy: policy, Form: otp.PaddedDigits, Binding: binding,
		Plan:      delivery.Plan{Steps: []delivery.Step{step}},
		Reference: reference{ticket, remembered}.String(), Idempotency: c.once,
	})
	if err != nil {
		return answer{}, err //nolint:wrapcheck // a *verify.Error says all there is
	}
	return generated(record), nil
}

// repeated answers as the first request with the key was answered, or refuses.
func (f *facade) repeated(ctx context.Context, c *call, refused error) (answer, error) {
	record, err := f.OTPs.Repeated(ctx, c.account.Name, c.once, refused)
	if err != nil {
		return answer{}, err //nolint:wrapcheck // a *verify.Error says all there is, and refused is the caller's
	}
	return generated(record), nil
}

// generated answers with the names that the OTP has: those of a repeated request
// are the first one's.
func generated(record verify.Record) answer {
	return answer{Message: success, Ticket: parseReference(record.Reference).ticket, Token: record.ID}
}

// recipient reads the required number (Octopush OTP §2.2).
func recipient(c *call) (phone.Number, error) {
	given := c.in["phone_number"]
	switch {
	case given.given == usable:
	case given.number: // too long to be written out
		return phone.Number{}, errUnusableNumber
	default:
		return phone.Number{}, errNoNumber
	}
	to, err := phone.ResolveWithDefault(given.text, c.account.Setting(account.SettingCountry))
	switch {
	case errors.Is(err, phone.ErrUnknownCallingCode):
		return phone.Number{}, errUnknownCalling
	case err != nil:
		return phone.Number{}, errUnusableNumber
	}
	return to, nil
}

// step is how the code is to travel, the text still missing.
func (f *facade) step(c *call) delivery.Step {
	s := delivery.Step{Channel: message.SMS, Sender: c.in.text("sender")}
	if settings.Of(c.account, settingChooseSender) == no {
		s.Sender = settings.Of(c.account, "octopush.sender")
	}
	if c.in.text("channel") == channelVoice {
		s = delivery.Step{
			Channel: message.Voice, Sender: c.account.Setting(account.SettingCaller),
			Language: c.in.text("voice_language"), Voice: c.in.text("voice_gender"),
		}
		if s.Sender == "" {
			s.Sender = f.Caller
		}
	}
	s.Wait = f.Wait(s.Channel)
	return s
}

// names draws the ticket's number, which is no secret, and the token, which is.
func (f *facade) names(channel message.Channel) (ticket, token string, err error) {
	var random [7 + 12]byte
	if _, err := io.ReadFull(f.Random, random[:]); err != nil {
		return "", "", fmt.Errorf("draw token: %w", err)
	}
	prefix := "sms_"
	if channel == message.Voice {
		prefix = "voc_"
	}
	return prefix + hex.EncodeToString(random[:7])[:13], "otp_" + hex.EncodeToString(random[7:]), nil
}

// policyOf says how the code is made.
func policyOf(c *call) otp.Policy {
	life := c.in.number("validity_period")
	if most, err := strconv.Atoi(settings.Of(c.account, settingMaxValidity)); err == nil {
		life = min(life, most)
	}
	return otp.Policy{
		Length: c.in.number("code_length"), Alphabet: alphabet(c.in),
		Attempts: c.in.number("max_wrong_attempts"), Life: time.Duration(life) * time.Second,
	}
}

// alphabet is the union of the allowed characters: digits, if none are.
func alphabet(in input) otp.Alphabet {
	var all otp.Alphabet
	kinds := 0
	for _, k := range []struct {
		name       string
		characters otp.Alphabet
	}{
		{"allow_digits", otp.Digits},
		{"allow_upper_case", otp.UpperCase},
		{"allow_lower_case", otp.LowerCase},
	} {
		if in.yes(k.name) {
			all += k.characters
			kinds++
		}
	}
	// One kind alone confuses nobody.
	if kinds > 1 && in.yes("remove_confusing_characters") {
		all = all.Without(confusingChars)
	}
	if in.yes("allow_special_chars") {
		all += specialChars
	}
	if all == "" {
		return otp.Digits
	}
	return all
}

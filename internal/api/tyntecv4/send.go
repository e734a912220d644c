package tyntecv4

import (
	"context"
	"net/http"
	"regexp"
	"strings"

	"github.com/countersign/countersign/internal/api/wire"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/verify"
)

// Characters of a code, whoever made it.
const minCode, maxCode = 4, 11

var (
	viberSender    = regexp.MustCompile(`^\d{4,8}$`)
	whatsAppSender = regexp.MustCompile(`^\+?\d{6,15}$`)
)

// sendBody is the body of a send (contract v4 §6.1.2).
type sendBody struct {
	to, profileName, priorityName, languageCode, otpCode *string
	sender, caller, senderViber, senderWA                *string
}

func readSend(o *object) sendBody {
	return sendBody{
		to:           o.text("to"),
		profileName:  o.text("profileName"),
		priorityName: o.text("priorityName"),
		languageCode: o.text("languageCode"),
		otpCode:      o.text("otpCode"),
		sender:       o.text("sender"),
		caller:       o.text("caller"),
		senderViber:  o.text("senderViber"),
		senderWA:     o.text("senderWA"),
	}
}

// check returns the number that to says, if it breaks no rule.
func (b sendBody) check(v *violations) (to phone.Number) {
	v.required("to", b.to, func(s string) (broken string) {
		to, broken = readNumber(s)
		return broken
	})
	v.required("profileName", b.profileName)
	v.required("priorityName", b.priorityName)
	v.optional("languageCode", b.languageCode, language)
	v.optional("otpCode", b.otpCode, notBlank, size(minCode, maxCode), noCapitals, noControl)
	v.optional("sender", b.sender, size(1, 16), noControl)
	v.optional("caller", b.caller, size(1, 32), noControl)
	v.optional("senderViber", b.senderViber, matches(viberSender))
	v.optional("senderWA", b.senderWA, matches(whatsAppSender))
	return to
}

// send accepts an OTP (contract v4 §6.1.2).
func (f *facade) send(ctx context.Context, c *call) (reply, error) {
	o, raw, err := c.read()
	if err != nil {
		return reply{}, err
	}
	body := readSend(o)
	if err := o.fits(); err != nil {
		return reply{}, err
	}
	once, err := f.idempotency(c, "send", raw)
	if err != nil {
		return reply{}, err
	}
	var v violations
	to := body.check(&v)
	if err := v.err(); err != nil {
		return reply{}, err
	}
	p, err := f.plan(ctx, c.account, body, to)
	if err != nil {
		return sent(f.Verify.Repeated(ctx, c.account.Name, once, err))
	}
	request := verify.SendRequest{
		Account: c.account.Name, Origin: origin, Recipient: to.Recipient(),
		Policy: p.policy, Form: otp.Folded, Plan: p.steps, ProfileID: p.profileID, Idempotency: once,
	}
	if body.otpCode != nil {
		request.Code = otp.NewCode(*body.otpCode)
	}
	return sent(f.Verify.Send(ctx, request))
}

func sent(record verify.Record, err error) (reply, error) {
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusAccepted, body: created{record.ID}}, nil
}

// idempotency makes what the service needs to recognise a repetition of this
// request (V-08), its body and what its path names; nothing if the client asks
// for none. body is nil where none is read.
func (f *facade) idempotency(c *call, operation string, body []byte, parts ...string) (verify.Idempotency, error) {
	key, err := wire.IdempotencyKey(c.r.Header)
	if err != nil {
		return verify.Idempotency{}, badRequest("Idempotency-Key must be 1 to 255 visible ASCII characters")
	}
	if key == "" {
		return verify.Idempotency{}, nil
	}
	if body != nil {
		parts = append(parts, string(body))
	}
	return f.Verify.Fingerprint(c.account.Name, origin+" "+operation, key, parts...), nil
}

// orElse returns what was given, or otherwise where that is nothing or empty.
func orElse(given *string, otherwise string) string {
	if given != nil && *given != "" {
		return *given
	}
	return otherwise
}

// withoutPlus drops the plus sign that WhatsApp numbers may be written with.
func withoutPlus(s string) string { return strings.TrimPrefix(s, "+") }

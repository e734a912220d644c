package tyntecv4

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
)

// Placeholders of texts (contract v4 §9). whatsAppCode is WhatsApp's own.
const (
	codePlaceholder    = "{{otp_code}}"
	minutesPlaceholder = "{{expiration_time}}"
	whatsAppCode       = "{{1}}"
)

// codeLetters are the characters of generated alphanumeric codes: without i, l,
// o, 0 and 1, which people mistake for others (contract v4 §10).
const codeLetters otp.Alphabet = "abcdefghjkmnpqrstuvwxyz23456789"

// planned is how an accepted OTP is made and delivered.
type planned struct {
	policy    otp.Policy
	steps     delivery.Plan
	profileID string
}

// usable is a link whose template can be sent: a step without its sender.
type usable struct {
	language string
	minutes  int
	step     func() delivery.Step
}

// plan selects channels, languages and senders (contract v4 §8.1). What the
// account lacks for it is CV.
func (f *facade) plan(ctx context.Context, a account.Account, b sendBody, to phone.Number) (planned, error) {
	s, err := f.Catalog.Sources(ctx, a.Name, *b.profileName, *b.priorityName)
	if err != nil {
		return planned{}, fmt.Errorf("read profile and priority: %w", err)
	}
	var v violations
	if s.Profile == nil {
		v.add("profileName", doesNotExist)
	}
	if s.Priority == nil {
		v.add("priorityName", doesNotExist)
	}
	if err := v.err(); err != nil {
		return planned{}, err
	}
	p := planned{profileID: s.Profile.ID, policy: otp.Policy{
		Length: s.Profile.CodeLength, Alphabet: otp.Digits, Attempts: s.Profile.Attempts,
	}}
	if s.Profile.Alphanumeric {
		p.policy.Alphabet = codeLetters
	}
	var whatsApp error // why WhatsApp could not be asked
	for _, rank := range s.Priority.Channels {
		links, err := f.usableLinks(ctx, a, s, rank.Channel)
		if err != nil {
			whatsApp = err
		}
		languages := make([]string, len(links))
		for i, l := range links {
			languages[i] = l.language
		}
		at := message.ChooseLanguage(orElse(b.languageCode, ""), languages)
		if at < 0 {
			continue
		}
		step := links[at].step()
		step.Channel, step.Language = rank.Channel, links[at].language
		step.Life = time.Duration(links[at].minutes) * time.Minute
		step.Wait = f.Wait(rank.Channel)
		step.Sender = f.sender(a, b, rank.Channel, &v)
		step.Unroutable = !to.CanExist()
		p.steps.Steps = append(p.steps.Steps, step)
	}
	if len(p.steps.Steps) == 0 {
		if whatsApp != nil {
			return planned{}, whatsApp
		}
		v.add("priorityName", "has no channel with a usable template of the profile")
	}
	if err := v.err(); err != nil {
		return planned{}, err
	}
	p.policy.Life = p.steps.Steps[0].Life
	return p, nil
}

// usableLinks returns the profile's links on a channel that can be sent, in the
// profile's order. With an error there are none.
func (f *facade) usableLinks(ctx context.Context, a account.Account, s catalog.Sources, c message.Channel) ([]usable, error) {
	var links []catalog.Link
	for _, l := range s.Profile.Links {
		if l.Channel == c {
			links = append(links, l)
		}
	}
	if c == message.WhatsApp && len(links) > 0 {
		return f.approvedLinks(ctx, a.Name, s.WhatsAppAccount, links)
	}
	var out []usable
	for _, l := range links {
		for _, t := range s.Templates {
			if t.Channel == c && t.Name == l.Template && t.Language == l.Language {
				out = append(out, usable{t.Language, t.Minutes, textStep(t)})
			}
		}
	}
	return out, nil
}

// textStep makes the step of a template that this server holds.
func textStep(t catalog.Template) func() delivery.Step {
	return func() delivery.Step { return delivery.Step{Name: t.Name, Text: Text(t)} }
}

// approvedLinks are the usable links on WhatsApp. If it cannot be asked, that
// is logged: the plan's other channel may still do.
func (f *facade) approvedLinks(ctx context.Context, account, ref string, links []catalog.Link) ([]usable, error) {
	if ref == "" {
		return nil, nil
	}
	approved, err := f.Catalog.ApprovedWhatsApp(ctx, f.WhatsApp, account, ref, links...)
	if errors.Is(err, catalog.ErrWhatsAppAccount) {
		return nil, nil
	}
	if err != nil {
		f.Log.WarnContext(ctx, "channel left out, WhatsApp templates not known", slog.Any("err", err))
		return nil, &whatsAppError{ref, links[0].Template, err}
	}
	var out []usable
	for _, l := range links {
		if t, ok := approved[l]; ok {
			out = append(out, usable{t.Language, t.Minutes, heldStep(t, ref)})
		}
	}
	return out, nil
}

// heldStep makes the step of a template that WhatsApp holds.
func heldStep(t catalog.WhatsAppTemplate, ref string) func() delivery.Step {
	return func() delivery.Step {
		return delivery.Step{
			Text:     message.Parse(t.Body, []message.Placeholder{{Token: whatsAppCode, Code: true}}),
			Template: t.Name, AccountRef: ref,
		}
	}
}

// sender resolves the sender of a planned channel: request, account, server
// (contract v4 S40). WhatsApp and Viber insist on one.
func (f *facade) sender(a account.Account, b sendBody, c message.Channel, v *violations) string {
	otherwise := f.Senders.For(a, c)
	switch c {
	case message.SMS:
		return orElse(b.sender, otherwise)
	case message.Voice:
		return orElse(b.caller, otherwise)
	case message.Viber:
		s := orElse(b.senderViber, otherwise)
		v.required("senderViber", &s)
		return s
	case message.WhatsApp:
		s := orElse(b.senderWA, otherwise)
		v.required("senderWA", &s)
		return withoutPlus(s)
	case message.Email: // no channel of this API
	}
	return ""
}

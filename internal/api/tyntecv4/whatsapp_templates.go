package tyntecv4

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/countersign/countersign/internal/catalog"
)

// Values of WhatsApp templates (contract v4 §4.3).
const (
	typeOTP      = "OTP"
	otpCopyCode  = "COPY_CODE"
	otpOneTap    = "ONE_TAP"
	zonelessForm = "2006-01-02T15:04:05" // times here have no zone (contract v4 §6.9.1)
)

// whatsAppTemplate is a template that WhatsApp holds, in answers.
type whatsAppTemplate struct {
	ID                     string `json:"templateId"`
	AccountID              string `json:"accountId"`
	Name                   string `json:"name"`
	Language               string `json:"language"`
	Status                 string `json:"status"`
	Type                   string `json:"type"`
	OTPType                string `json:"otpType"`
	Message                string `json:"message"`
	SecurityRecommendation bool   `json:"isAddSecurityRecommendation"`
	Minutes                int    `json:"codeExpirationTime"`
	Footer                 string `json:"codeExpirationText"`
	CopyButtonText         string `json:"copyButtonText,omitempty"`
	AutofillButtonText     string `json:"autofillButtonText,omitempty"`
	ButtonURL              string `json:"buttonUrl,omitempty"`
	PackageName            string `json:"packageName,omitempty"`
	SignatureHash          string `json:"signatureHash,omitempty"`
	Created                string `json:"createdAt"`
	Updated                string `json:"updatedAt"`
}

func whatsAppTemplateOf(t catalog.WhatsAppTemplate, accountID string) whatsAppTemplate {
	out := whatsAppTemplate{
		ID: t.Name, AccountID: accountID, Name: t.Name, Language: t.Language, Status: t.Status,
		Type: typeOTP, OTPType: otpCopyCode, Message: t.Body, SecurityRecommendation: t.SecurityRecommendation,
		Minutes: t.Minutes, Footer: t.Footer, CopyButtonText: t.CopyButtonText, ButtonURL: t.ButtonURL,
		Created: t.Created.UTC().Format(zonelessForm), Updated: t.Updated.UTC().Format(zonelessForm),
	}
	if t.OneTap {
		out.OTPType = otpOneTap
		out.AutofillButtonText, out.PackageName, out.SignatureHash = t.AutofillButtonText, t.PackageName, t.SignatureHash
	}
	return out
}

// asSentence turns broken rules into BR: WhatsApp templates have no CV.
func (v *violations) asSentence() error {
	if v.err() == nil {
		return nil
	}
	return badRequest(v.all[0].Field + " " + v.all[0].Message)
}

// findWhatsAppTemplates is contract v4 §6.9.1.
func (f *facade) findWhatsAppTemplates(ctx context.Context, c *call) (reply, error) {
	var v violations
	values, err := c.query(&v, "name", "language")
	if err != nil {
		return reply{}, err
	}
	name, lang := values[0], values[1]
	v.optional("name", &name, size(0, maxWhatsAppName), noControl)
	v.optional("language", &lang, size(0, maxWhatsAppLanguage), noControl)
	if err := v.asSentence(); err != nil {
		return reply{}, err
	}
	accountID, err := f.Catalog.WhatsAppAccount(ctx, c.account.Name)
	if errors.Is(err, catalog.ErrNotFound) {
		return reply{}, missingWhatsApp()
	}
	if err != nil {
		return reply{}, fmt.Errorf("read WhatsApp configuration: %w", err)
	}
	all, err := f.Catalog.ListWhatsApp(ctx, f.WhatsApp, c.account.Name, accountID)
	if err != nil {
		return reply{}, &whatsAppError{accountID, name, err}
	}
	list := []whatsAppTemplate{}
	for _, t := range all {
		if (name == "" || name == t.Name) && (lang == "" || lang == t.Language) {
			list = append(list, whatsAppTemplateOf(t, accountID))
		}
	}
	return reply{status: http.StatusOK, body: list}, nil
}

// submitWhatsAppTemplate is contract v4 §6.9.2.
func (f *facade) submitWhatsAppTemplate(ctx context.Context, c *call) (reply, error) {
	o, _, err := c.read()
	if err != nil {
		return reply{}, err
	}
	b := readWhatsAppBody(o)
	if err := o.fits(); err != nil {
		return reply{}, err
	}
	var v violations
	f.checkWhatsAppTemplate(b, &v)
	if err := v.asSentence(); err != nil {
		return reply{}, err
	}
	accountID, err := f.Catalog.WhatsAppAccount(ctx, c.account.Name)
	if err != nil { // ErrNotFound is NT here (contract v4 S30)
		return reply{}, fmt.Errorf("read WhatsApp configuration: %w", err)
	}
	t := b.template(f.Limits.Minutes)
	err = f.WhatsApp.SubmitWhatsAppTemplate(ctx, c.account.Name, accountID, t)
	f.Catalog.WhatsAppChanged(catalog.WhatsAppChange{AccountRef: accountID, Template: t.Name, Language: t.Language}) // an answer may be lost
	switch {
	case errors.Is(err, catalog.ErrNameTaken):
		return reply{}, badRequest("A template of this name exists in this language")
	case errors.Is(err, catalog.ErrWhatsAppRefused):
		return reply{}, badRequest("WhatsApp refused the template")
	case err != nil:
		return reply{}, &whatsAppError{accountID, t.Name, err}
	}
	return reply{status: http.StatusCreated}, nil
}

// deleteWhatsAppTemplate is contract v4 §6.9.3.
func (f *facade) deleteWhatsAppTemplate(ctx context.Context, c *call) (reply, error) {
	name := c.params[0]
	var v violations
	v.optional("template-id", &name, matches(whatsAppName))
	if err := v.asSentence(); err != nil {
		return reply{}, err
	}
	accountID, err := f.Catalog.WhatsAppAccount(ctx, c.account.Name)
	if err != nil {
		return reply{}, fmt.Errorf("read WhatsApp configuration: %w", err)
	}
	err = f.WhatsApp.DeleteWhatsAppTemplate(ctx, c.account.Name, accountID, name)
	f.Catalog.WhatsAppChanged(catalog.WhatsAppChange{AccountRef: accountID, Template: name, Gone: err == nil})
	if err != nil {
		return reply{}, &whatsAppError{accountID, name, err}
	}
	return reply{status: http.StatusNoContent}, nil
}

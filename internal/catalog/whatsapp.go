package catalog

import (
	"context"
	"errors"
	"time"
)

// WhatsAppTemplate is an authentication template that WhatsApp holds and
// reviews. It exists per WhatsApp account, name and language.
type WhatsAppTemplate struct {
	Name     string
	Language string
	// Status is as WhatsApp last reported it. The list is open; only
	// WhatsAppApproved can be sent.
	Status string
	// OneTap has an autofill button besides the copy button.
	OneTap                 bool
	SecurityRecommendation bool
	Minutes                int    // shown in the footer
	CopyButtonText         string // "" for WhatsApp's own label
	AutofillButtonText     string
	PackageName            string // with OneTap
	SignatureHash          string // with OneTap
	// Body, Footer and ButtonURL are WhatsApp's own wording; the code stands as
	// {{1}}. ButtonURL is "" until WhatsApp assigned it.
	Body      string
	Footer    string
	ButtonURL string
	Created   time.Time
	Updated   time.Time
}

// Statuses of WhatsApp templates that the server itself acts on.
const (
	WhatsAppRequested       = "REQUESTED"
	WhatsAppPending         = "PENDING"
	WhatsAppApproved        = "APPROVED"
	WhatsAppRejected        = "REJECTED"
	WhatsAppDeletionPending = "DELETION_PENDING"
)

// WhatsApp errors.
var (
	// ErrWhatsAppAccount: WhatsApp does not know the account id.
	ErrWhatsAppAccount = errors.New("WhatsApp account unknown")
	// ErrWhatsAppRefused: WhatsApp refused the template's content.
	ErrWhatsAppRefused = errors.New("WhatsApp refused the template")
	// ErrWhatsAppUnreachable: WhatsApp could not be asked, or refused the
	// operator's credentials.
	ErrWhatsAppUnreachable = errors.New("WhatsApp not reachable")
)

// WhatsApp is the channel operator that holds templates: the real one or the
// sandbox's double. accountRef is the WhatsApp account id of the API account.
type WhatsApp interface {
	// WhatsAppTemplates lists the account's templates, oldest first.
	WhatsAppTemplates(ctx context.Context, account, accountRef string) ([]WhatsAppTemplate, error)
	// SubmitWhatsAppTemplate hands a template in for review; ErrNameTaken if the
	// name, letter case ignored, exists in this language, also while it is being
	// deleted.
	SubmitWhatsAppTemplate(ctx context.Context, account, accountRef string, t WhatsAppTemplate) error
	// DeleteWhatsAppTemplate marks all languages of name for deletion;
	// ErrNotFound if there is none. Repeating it is no error.
	DeleteWhatsAppTemplate(ctx context.Context, account, accountRef, name string) error
}

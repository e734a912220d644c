package tyntecv4

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/verify"
)

// problemError is an error as clients get it (contract v4 §3). Its members
// stand in the order of the contract's samples.
type problemError struct {
	Title        string      `json:"title"`
	Status       int         `json:"status"`
	AccountID    string      `json:"accountId,omitempty"` // at WhatsApp
	ResourceID   string      `json:"resourceId,omitempty"`
	TemplateID   string      `json:"templateId,omitempty"`
	PriorityName string      `json:"priorityName,omitempty"`
	TemplateName string      `json:"templateName,omitempty"`
	Channel      string      `json:"channel,omitempty"`
	Language     string      `json:"language,omitempty"`
	Violations   []violation `json:"violations,omitempty"`
	Detail       string      `json:"detail,omitempty"`

	retry time.Duration // Retry-After, if more than 0
	allow string        // Allow, if not ""
}

// Error returns the title, which holds nothing of the request.
func (p problemError) Error() string { return p.Title }

// plain is PR: the title is the reason phrase.
func (p problemError) plain() error {
	p.Title = http.StatusText(p.Status)
	return p
}

// constraintViolation is CV.
func constraintViolation(all []violation) error {
	return problemError{Title: "Constraint Violation", Status: http.StatusBadRequest, Violations: all}
}

// badRequest is BR.
func badRequest(detail string) error {
	return problemError{Title: "Bad Request", Status: http.StatusBadRequest, Detail: detail}
}

// missingWhatsApp is MW.
func missingWhatsApp() error {
	return problemError{
		Title: "Missing WhatsApp Configuration", Status: http.StatusForbidden,
		Detail: "Create the WhatsApp configuration of this account first",
	}
}

// priorityConflict is CP.
func priorityConflict(name string) error {
	p := conflict("The priority name is taken")
	p.PriorityName = name
	return p
}

// templateConflict is CT.
func templateConflict(name string) error {
	p := conflict("The template name is taken on this channel")
	p.TemplateName = name
	return p
}

// linkConflict is CL.
func linkConflict(l catalog.Link) error {
	p := conflict("The profile already holds a template for this channel and language")
	p.Channel, p.Language = string(l.Channel), l.Language
	return p
}

// whatsAppConflict is CW.
func whatsAppConflict() error { return conflict("This account already has a WhatsApp configuration") }

func conflict(detail string) problemError {
	return problemError{Title: "Conflict", Status: http.StatusConflict, Detail: detail}
}

// absent is NR or NT, with the id as it came in the path if there is one.
func (c *call) absent() problemError {
	id := ""
	if len(c.params) > 0 {
		id = c.params[0]
	}
	if c.route != nil && c.route.absent == noTemplate {
		return problemError{Title: "No Template Found", Status: http.StatusNotFound, TemplateID: id, Detail: "No such template"}
	}
	return problemError{Title: "No Resource Found", Status: http.StatusNotFound, ResourceID: id, Detail: "No such resource"}
}

// whatsAppError is a failure of WhatsApp, with what IX tells of it.
type whatsAppError struct {
	accountID, templateName string
	err                     error
}

func (e *whatsAppError) Error() string { return "ask WhatsApp: " + e.err.Error() }
func (e *whatsAppError) Unwrap() error { return e.err }

// sentinels are the bodies of errors that need no more than their identity.
var sentinels = []struct {
	err     error
	problem problemError
}{
	{account.ErrNoKey, problemError{Title: "Unauthorized", Status: http.StatusUnauthorized, Detail: "The apiKey header is missing"}},
	{account.ErrUnknownKey, forbidden()},
	{account.ErrKeyDisabled, forbidden()},
	{account.ErrSuspended, forbidden()},
	{verify.ErrOverloaded, unavailable("The server is overloaded", verify.OverloadedRetry)},
	{verify.ErrUnavailable, unavailable("The storage is not available", verify.UnavailableRetry)},
	{verify.ErrOutcomeUnknown, unavailable("Whether the request was carried out is not known", verify.OverloadedRetry)},
	{context.Canceled, unavailable("The request was cancelled", verify.OverloadedRetry)},
	{context.DeadlineExceeded, unavailable("The request took too long", verify.OverloadedRetry)},
}

// forbidden is FB, the same for every key that is not accepted.
func forbidden() problemError {
	return problemError{Title: "Forbidden", Status: http.StatusForbidden, Detail: "The API key is not accepted"}
}

func unavailable(detail string, retry time.Duration) problemError {
	return problemError{
		Title: http.StatusText(http.StatusServiceUnavailable), Status: http.StatusServiceUnavailable,
		Detail: detail, retry: retry,
	}
}

// translate is the one place where errors become bodies. What it does not know
// is IE or IX, which say nothing.
func (c *call) translate(err error) problemError {
	if p, ok := errors.AsType[problemError](err); ok {
		return p
	}
	if e, ok := errors.AsType[*verify.Error](err); ok {
		if p, ok := c.translateKind(e); ok {
			return p
		}
	}
	if errors.Is(err, catalog.ErrNotFound) || errors.Is(err, catalog.ErrWhatsAppAccount) {
		return c.absent()
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return s.problem
		}
	}
	p := problemError{
		Title: http.StatusText(http.StatusInternalServerError), Status: http.StatusInternalServerError,
		Detail: "The request could not be completed",
	}
	if e, ok := errors.AsType[*whatsAppError](err); ok {
		p.AccountID, p.TemplateName = e.accountID, e.templateName
	}
	return p
}

// translateKind is translate for errors of the service; false leaves the error
// to its cause.
func (c *call) translateKind(e *verify.Error) (problemError, bool) {
	switch e.Kind {
	case verify.NotFound:
		return c.absent(), true
	case verify.Throttled:
		return problemError{
			Title: http.StatusText(http.StatusTooManyRequests), Status: http.StatusTooManyRequests,
			Detail: "Too many requests for this recipient", retry: max(e.RetryAfter, 1),
		}, true
	case verify.Mismatch:
		return problemError{
			Title: http.StatusText(http.StatusUnprocessableEntity), Status: http.StatusUnprocessableEntity, // as in the status line
			Detail: "The Idempotency-Key was used for another request",
		}, true
	case verify.Running:
		return problemError{
			Title: http.StatusText(http.StatusConflict), Status: http.StatusConflict,
			Detail: "The first request with this Idempotency-Key is still running",
		}, true
	case verify.Unavailable, verify.OutcomeUnknown:
		p := unavailable("The request could not be carried out now", max(e.RetryAfter, 1))
		if e.Kind == verify.OutcomeUnknown {
			p.Detail = "Whether the request was carried out is not known"
		}
		return p, true
	case verify.Internal, verify.Invalid, verify.Ended: // the facade asks for none of these
	}
	return problemError{}, false
}

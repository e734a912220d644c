package verify

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
)

// Keys hash and seal codes and recipients; the keyring does.
type Keys interface {
	otp.Hasher
	// Index is a keyed hash to look personal data up by.
	Index(parts ...string) [16]byte
	// Seal encrypts plain for a context that opening must repeat.
	Seal(plain []byte, context ...string) []byte
}

// Dispatch is told of work in this process. Other nodes find it by polling.
type Dispatch interface {
	// Wake says that a delivery is due now. It does not block.
	Wake()
	// Ended says that nothing may be handed over for the OTP any more. It is
	// called before the end is acknowledged (D-03).
	Ended(account, otpID string)
}

// Coverage tells which OTPs limits apply to.
type Coverage interface {
	// Limited reports whether a plan to this recipient is limited; plans that
	// only sandbox carriers would carry are not, unless the operator says so.
	Limited(plan delivery.Plan, to phone.Recipient) bool
}

// Config is what a Service is made of. Every field is needed.
type Config struct {
	Store    Store
	Keys     Keys
	Dispatch Dispatch
	Coverage Coverage
	Rules    guard.Rules
	Random   io.Reader // crypto/rand.Reader in production
}

// Service sends and checks OTPs. It is safe for concurrent use.
type Service struct{ Config }

// New returns a service over c.
func New(c Config) *Service { return &Service{c} }

// SendRequest is a Send in neutral words. A facade has validated and resolved
// it; what is wrong here is a mistake in the facade.
type SendRequest struct {
	Account       string
	Origin        string
	ID            string // "" for a new random UUID
	Recipient     phone.Recipient
	Policy        otp.Policy
	Code          otp.Code // used as it is; zero to generate one by Policy
	Form          otp.Form // PaddedDigits falls back to Exact for a code that is not all digits
	Binding       string   // what every check must repeat; "" for none
	Plan          delivery.Plan
	Resendable    bool // whether Resend may be asked for
	Reference     string
	ProfileID     string
	ApplicationID string
	Idempotency   Idempotency
}

// sealContext binds a sealed code to its OTP (C-05).
func sealContext(account, id string) []string { return []string{"otp", account, id} }

// OpenCode opens a code that Send sealed for its deliveries.
func OpenCode(open func(sealed []byte, context ...string) ([]byte, error), account, id string, sealed []byte) (otp.Code, error) {
	plain, err := open(sealed, sealContext(account, id)...)
	if err != nil {
		return otp.Code{}, fmt.Errorf("open code: %w", err)
	}
	return otp.NewCode(string(plain)), nil
}

// RecipientKey is what limits and lists know a recipient of an account by.
func (s *Service) RecipientKey(account string, to phone.Recipient) [16]byte {
	return RecipientKey(s.Keys, account, to)
}

// RecipientKey is what limits and lists know a recipient of an account by: a
// keyed hash of its canonical spelling (L-01).
func RecipientKey(keys interface {
	Index(parts ...string) [16]byte
}, account string, to phone.Recipient,
) [16]byte {
	return keys.Index("recipient", account, to.Key())
}

// Repeated returns what a request that cannot be carried out any more was
// answered when it first came with this idempotency key (V-08): what it names
// may have been deleted since. Without such an answer the error is refused, why
// it cannot be carried out. That is not said while the first is under way: the
// error is of Kind Running then, or this waits for the first.
func (s *Service) Repeated(ctx context.Context, account string, i Idempotency, refused error) (Record, error) {
	c, err := s.RepeatedCheck(ctx, account, i, refused)
	return c.Record, err
}

// RepeatedCheck is Repeated for a Check, whose answer has a verdict.
func (s *Service) RepeatedCheck(ctx context.Context, account string, i Idempotency, refused error) (Checked, error) {
	if i.IsZero() {
		return Checked{}, refused
	}
	c, err := s.Store.Answered(ctx, account, i)
	switch {
	case errors.Is(err, ErrNotFound):
		return Checked{}, refused
	case err != nil:
		return Checked{}, classify(err)
	}
	return c, nil
}

// Fingerprint makes the Idempotency of a request: key as the caller gave it,
// operation and parts as the facade names them. The parts may hold codes; only
// a keyed hash is kept.
func (s *Service) Fingerprint(account, operation, key string, parts ...string) Idempotency {
	return Idempotency{
		Key:         s.Keys.Index("idempotency key", account, key),
		Fingerprint: s.Keys.Index(append([]string{"idempotency request", operation}, parts...)...),
	}
}

// Send issues a code and queues its first delivery. It returns when both are
// durable; it never waits for a carrier. Errors are *Error.
func (s *Service) Send(ctx context.Context, r SendRequest) (Record, error) {
	if len(r.Plan.Steps) == 0 || r.Recipient.IsZero() || r.Account == "" || r.Origin == "" {
		return Record{}, &Error{Kind: Internal, Code: "send.incomplete"}
	}
	code := r.Code
	if code.IsZero() {
		var err error
		if code, err = r.Policy.Generate(s.Random); err != nil {
			return Record{}, &Error{Kind: Internal, Code: "send.code", Err: err}
		}
	}
	ref := Ref{r.Account, r.Origin, r.ID}
	if ref.ID == "" {
		id, err := uuid.NewRandomFromReader(s.Random)
		if err != nil {
			return Record{}, &Error{Kind: Internal, Code: "send.id", Err: err}
		}
		ref.ID = id.String()
	}
	dedupe, err := uuid.NewRandomFromReader(s.Random)
	if err != nil {
		return Record{}, &Error{Kind: Internal, Code: "send.id", Err: err}
	}
	n := NewOTP{
		Ref: ref, Recipient: r.Recipient, RecipientKey: s.RecipientKey(r.Account, r.Recipient),
		Reference: r.Reference, ProfileID: r.ProfileID, ApplicationID: r.ApplicationID,
		Allowed: r.Policy.Attempts, Life: r.Policy.Life,
		Rule: rule(r.Form, code, r.Binding), Plan: r.Plan, Dedupe: dedupe.String(),
		Sealed: s.Keys.Seal([]byte(code.Reveal()), sealContext(ref.Account, ref.ID)...), Resendable: r.Resendable,
		Limited: s.Coverage.Limited(r.Plan, r.Recipient), Rules: s.Rules, Idempotency: r.Idempotency,
	}
	n.Key, n.Digest = otp.Hash(s.Keys, otp.Subject{Account: ref.Account, ID: ref.ID, Binding: r.Binding}, n.Rule, code)
	rec, err := s.Store.CreateOTP(ctx, n)
	if err != nil {
		return Record{}, classify(err)
	}
	s.Dispatch.Wake()
	return rec, nil
}

func rule(form otp.Form, code otp.Code, binding string) otp.Rule {
	text := code.Reveal()
	if form == otp.PaddedDigits && !otp.AllDigits(text) {
		form = otp.Exact
	}
	return otp.Rule{Form: form, Length: len([]rune(text)), Bound: binding != ""}
}

// ResendRequest asks for one more delivery of an OTP.
type ResendRequest struct {
	Ref
	Channel     message.Channel // one that its plan has a step or spare step for
	Sender      string          // for this delivery only, as delivery.Delivery has it
	Idempotency Idempotency
}

// Resend queues one more delivery of the same code. Expiry and attempts stay.
func (s *Service) Resend(ctx context.Context, r ResendRequest) (Record, error) {
	dedupe, err := uuid.NewRandomFromReader(s.Random)
	if err != nil {
		return Record{}, &Error{Kind: Internal, Code: "resend.id", Err: err}
	}
	rec, err := s.Store.AddDelivery(ctx, NewDelivery{r.Ref, r.Channel, r.Sender, dedupe.String(), s.Rules, r.Idempotency})
	if err != nil {
		return Record{}, classify(err)
	}
	s.Dispatch.Wake()
	return rec, nil
}

// CheckRequest is a code that somebody typed.
type CheckRequest struct {
	Ref
	Code        otp.Code
	Binding     string // see SendRequest; counts only if the OTP was sent with one
	Idempotency Idempotency
}

// Check compares a typed code. Errors are *Error; every verdict is a result.
func (s *Service) Check(ctx context.Context, r CheckRequest) (Checked, error) {
	guess := otp.NewGuess(s.Keys, otp.Subject{Account: r.Account, ID: r.ID, Binding: r.Binding}, r.Code)
	c, err := s.Store.CountAttempt(ctx, Attempt{r.Ref, guess, s.Rules, r.Idempotency})
	if err != nil {
		return Checked{}, classify(err)
	}
	if c.Record.State.Final() {
		s.Dispatch.Ended(r.Account, r.ID)
	}
	return c, nil
}

// Get reads an OTP.
func (s *Service) Get(ctx context.Context, ref Ref) (Record, error) {
	rec, err := s.Store.OTP(ctx, ref)
	return rec, classify(err)
}

// List returns OTPs, newest first.
func (s *Service) List(ctx context.Context, q ListQuery) ([]Record, error) {
	recs, err := s.Store.OTPs(ctx, q)
	return recs, classify(err)
}

// Delete removes an OTP and returns it as it was. Nothing is sent or reported
// for it afterwards.
func (s *Service) Delete(ctx context.Context, ref Ref, i Idempotency) (Record, error) {
	rec, err := s.Store.DeleteOTP(ctx, ref, i)
	if err == nil || errors.Is(err, ErrOutcomeUnknown) {
		s.Dispatch.Ended(ref.Account, ref.ID)
	}
	return rec, classify(err)
}

// Events returns an OTP's history, oldest first.
func (s *Service) Events(ctx context.Context, ref Ref) ([]otp.Event, error) {
	events, err := s.Store.Events(ctx, ref)
	return events, classify(err)
}

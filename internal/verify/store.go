package verify

import (
	"context"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
)

// Idempotency makes a repeated request answer as the first did (V-08). The
// zero value asks for none.
type Idempotency struct {
	Key         [16]byte // keyed hash of the account and the caller's key
	Fingerprint [16]byte // keyed hash of the operation and the request
}

// IsZero reports whether none is asked for.
func (i Idempotency) IsZero() bool { return i == Idempotency{} }

// NewOTP is what a store writes for a Send.
type NewOTP struct {
	Ref
	Recipient     phone.Recipient
	RecipientKey  [16]byte // keyed hash of the recipient, for limits and lists
	Reference     string
	ProfileID     string
	ApplicationID string
	Allowed       int
	Life          time.Duration
	Rule          otp.Rule
	Key           otp.KeyID
	Digest        otp.Digest
	Plan          delivery.Plan
	Dedupe        string // of the first delivery
	Sealed        []byte // the code, for the deliveries
	Resendable    bool   // keep Sealed until the OTP ends
	Limited       bool   // limits apply to this OTP
	Rules         guard.Rules
	Idempotency   Idempotency
}

// NewDelivery is what a store writes for a Resend.
type NewDelivery struct {
	Ref
	Channel     message.Channel // the plan's or a spare step's
	Sender      string          // as delivery.Delivery has it
	Dedupe      string
	Rules       guard.Rules
	Idempotency Idempotency
}

// SendOf is one more send on a channel as limits see it, of an OTP that was sent so
// often before.
func SendOf(channel message.Channel, before int) guard.Send {
	return guard.Send{Before: before, Call: channel == message.Voice}
}

// Attempt is what a store needs for a Check.
type Attempt struct {
	Ref
	Guess       otp.Guess
	Rules       guard.Rules
	Idempotency Idempotency
}

// Checked is the outcome of a Check.
type Checked struct {
	Record  Record // after the check
	Verdict otp.Verdict
}

// ListQuery selects OTPs of one account and origin, newest first.
type ListQuery struct {
	Account      string
	Origin       string
	RecipientKey [16]byte    // zero: every recipient
	States       []otp.State // as they are at the time of reading; empty: every state
	Limit        int         // at least 1
}

// Store is what the service needs of a database. Every method is one promise,
// kept atomically and durable when it returns without an error. The store's
// clock tells the time (V-10). Both stores pass storetest.
//
// Errors are those of this package (ErrNotFound, *LimitError, …), wrapped or
// not. Once the row is reached, a call's work goes on though its ctx ends; it
// then returns ErrOutcomeUnknown (V-07).
type Store interface {
	// CreateOTP admits and counts the send, writes the OTP, its first delivery
	// and nothing else. ErrIDTaken if the account has the id already.
	CreateOTP(ctx context.Context, n NewOTP) (Record, error)
	// AddDelivery queues one more delivery of an Active OTP; ErrEnded if it is
	// final, ErrNotFound if the plan has no step on the
	// channel or its sealed code is gone.
	AddDelivery(ctx context.Context, n NewDelivery) (Record, error)
	// CountAttempt locks the OTP, reads the time, applies otp.Check and writes
	// what it decided. Where a code would be compared it asks the limits first
	// and returns *LimitError with nothing counted, or ErrKeyUnknown where the
	// guess does not judge the OTP.
	CountAttempt(ctx context.Context, a Attempt) (Checked, error)
	// Answered returns what a request with this idempotency key was answered,
	// with a verdict if it was a check; ErrNotFound if none was in the last 24 h,
	// ErrIdempotencyMismatch if it was another request. It waits for one with the
	// key that is under way.
	Answered(ctx context.Context, account string, i Idempotency) (Checked, error)
	// OTP reads one OTP; its State is as of now.
	OTP(ctx context.Context, ref Ref) (Record, error)
	// OTPs lists OTPs; their States are as of now.
	OTPs(ctx context.Context, q ListQuery) ([]Record, error)
	// DeleteOTP removes the OTP, its deliveries, events and callbacks not yet
	// delivered, and returns it as it was.
	DeleteOTP(ctx context.Context, ref Ref, i Idempotency) (Record, error)
	// Events returns the OTP's history, oldest first.
	Events(ctx context.Context, ref Ref) ([]otp.Event, error)
}

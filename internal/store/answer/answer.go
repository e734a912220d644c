// Package answer is what stores keep of a request with an idempotency key, to
// answer the same again (V-08).
package answer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/verify"
)

// KeptFor is how long an answer is repeated.
const KeptFor = 24 * time.Hour

// Answer is what is kept to repeat: the core's outcome, without the code, its
// digest or the recipient in any printable type.
type Answer struct {
	Ref           verify.Ref
	State         otp.State
	Allowed       int
	Attempts      int
	EndSeen       bool
	Created       time.Time
	Expires       time.Time
	Ended         time.Time
	Life          time.Duration
	Recipient     string
	Reference     string
	ProfileID     string
	ApplicationID string
	Verdict       otp.Verdict
}

// Of returns what is kept of a record.
func Of(rec verify.Record) Answer {
	return Answer{
		Ref: rec.Ref, State: rec.State, Allowed: rec.Allowed, Attempts: rec.Attempts, EndSeen: rec.EndSeen,
		Created: rec.Created, Expires: rec.Expires, Ended: rec.Ended, Life: rec.Life,
		Recipient: rec.Recipient.Reveal(), Reference: rec.Reference,
		ProfileID: rec.ProfileID, ApplicationID: rec.ApplicationID,
	}
}

// Record returns what the answer was made of.
func (a Answer) Record() (verify.Record, error) {
	to, err := phone.ParseRecipient(a.Recipient)
	if err != nil {
		return verify.Record{}, fmt.Errorf("stored answer: %w", err)
	}
	return verify.Record{
		Ref: a.Ref, Recipient: to, Reference: a.Reference, ProfileID: a.ProfileID, ApplicationID: a.ApplicationID, Life: a.Life,
		OTP: otp.OTP{
			State: a.State, Allowed: a.Allowed, Attempts: a.Attempts, EndSeen: a.EndSeen,
			Created: a.Created, Expires: a.Expires, Ended: a.Ended,
		},
	}, nil
}

// Read decodes the answer kept for a request with a fingerprint:
// verify.ErrIdempotencyMismatch if i is another request's.
func Read(i verify.Idempotency, fingerprint []byte, kept string) (*Answer, error) {
	if !bytes.Equal(fingerprint, i.Fingerprint[:]) {
		return nil, verify.ErrIdempotencyMismatch
	}
	a := &Answer{}
	if err := json.Unmarshal([]byte(kept), a); err != nil { //nolint:musttag // the fields' names are the stored form
		return nil, fmt.Errorf("stored answer: %w", err)
	}
	return a, nil
}

// Encode returns the answer as it is kept.
func (a Answer) Encode() (string, error) {
	kept, err := json.Marshal(a) //nolint:musttag // as above
	if err != nil {
		return "", fmt.Errorf("keep answer: %w", err)
	}
	return string(kept), nil
}

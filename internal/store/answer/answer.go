// Package answer is what stores keep of a request with an idempotency key, to
// answer the same again (V-08).
package answer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/verify"
)

// KeptFor is how long an answer is repeated.
const KeptFor = 24 * time.Hour

// stored is an answer as it is kept: the core's outcome, without the code or its
// digest. The fields' names and their order are the form. Nothing hides its
// recipient, so it never leaves this package but encoded.
type stored struct {
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

// Encode returns an answer as it is kept. The zero Verdict stands for one to what
// was no check.
func Encode(c verify.Checked) (string, error) {
	rec := c.Record
	kept, err := json.Marshal(stored{ //nolint:musttag // the fields' names are the stored form
		Ref: rec.Ref, State: rec.State, Allowed: rec.Allowed, Attempts: rec.Attempts, EndSeen: rec.EndSeen,
		Created: rec.Created, Expires: rec.Expires, Ended: rec.Ended, Life: rec.Life,
		Recipient: rec.Recipient.Reveal(), Reference: rec.Reference,
		ProfileID: rec.ProfileID, ApplicationID: rec.ApplicationID,
		Verdict: c.Verdict,
	})
	if err != nil {
		return "", fmt.Errorf("keep answer: %w", err)
	}
	return string(kept), nil
}

// Naming returns what stands in every encoded answer that names the recipient,
// whom Reveal calls name, and in no other: quotes inside other members are
// escaped there.
func Naming(name string) (string, error) {
	member, err := json.Marshal(struct {
		Recipient string `json:"Recipient"` // as in stored
	}{name})
	if err != nil {
		return "", fmt.Errorf("name the recipient: %w", err)
	}
	return strings.Trim(string(member), "{}"), nil
}

// Read decodes the answer kept for a request with a fingerprint:
// verify.ErrIdempotencyMismatch if i is another request's.
func Read(i verify.Idempotency, fingerprint []byte, kept string) (*verify.Checked, error) {
	if !bytes.Equal(fingerprint, i.Fingerprint[:]) {
		return nil, verify.ErrIdempotencyMismatch
	}
	var a stored
	if err := json.Unmarshal([]byte(kept), &a); err != nil { //nolint:musttag // as above
		return nil, fmt.Errorf("stored answer: %w", err)
	}
	to, err := phone.ParseRecipient(a.Recipient)
	if err != nil {
		return nil, fmt.Errorf("stored answer: %w", err)
	}
	return &verify.Checked{
		Verdict: a.Verdict,
		Record: verify.Record{
			Ref: a.Ref, Recipient: to, Reference: a.Reference, ProfileID: a.ProfileID, ApplicationID: a.ApplicationID, Life: a.Life,
			OTP: otp.OTP{
				State: a.State, Allowed: a.Allowed, Attempts: a.Attempts, EndSeen: a.EndSeen,
				Created: a.Created, Expires: a.Expires, Ended: a.Ended,
			},
		},
	}, nil
}

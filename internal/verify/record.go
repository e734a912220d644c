package verify

import (
	"time"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
)

// Ref names an OTP as one facade of one account sees it.
type Ref struct {
	Account string
	Origin  string // the facade that sent it, such as "v4"
	ID      string // as the facade spells it; compared exactly
}

// Record is an OTP with what it was sent for. The code is not in it.
type Record struct {
	Ref
	otp.OTP
	Recipient phone.Recipient
	Reference string // the caller's own, "" for none
	// ProfileID and ApplicationID name the catalog entry whose settings were
	// copied when the OTP was sent, "" for none.
	ProfileID     string
	ApplicationID string
	// Life is the longest that it was given: as configured when it was sent, or by a
	// step of its plan.
	Life time.Duration
}

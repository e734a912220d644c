// Package otp holds the life of a one-time password: the policy it is made
// by, how a code is generated and hashed, its states, and what one check of a
// typed code does to it.
//
// The package is pure: no I/O, no clock of its own, the standard library
// only. Both stores run these rules inside their transactions, so a rule of
// the OTP's life has one home.
//
//	          right code
//	ACTIVE ────────────────▶ VERIFIED
//	  │ ▲ └ wrong, tries left ┐
//	  │ └─────────────────────┘
//	  ├─ wrong, last try ────▶ TOO_MANY_ATTEMPTS
//	  └─ now ≥ Expires ──────▶ EXPIRED
//
// All states but ACTIVE are final. A deleted OTP is gone.
package otp

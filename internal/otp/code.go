package otp

import (
	"log/slog"
	"unique"
)

// redacted is what every printed form of a Code shows.
const redacted = "[code]"

// Code is a one-time password in clear, generated, supplied or typed. However
// it is printed, it stays hidden (P-01); Reveal returns it. The zero Code is
// empty.
type Code struct{ text unique.Handle[string] }

// NewCode wraps text, which is used exactly as given.
func NewCode(text string) Code { return Code{unique.Make(text)} }

// Reveal returns the code, "" for the zero Code. Each call is a place where a
// code leaves its protection.
func (c Code) Reveal() string {
	if c == (Code{}) {
		return ""
	}
	return c.text.Value()
}

// IsZero reports whether there is no code.
func (c Code) IsZero() bool { return c.Reveal() == "" }

// String hides the code.
func (c Code) String() string { return redacted }

// GoString hides the code.
func (c Code) GoString() string { return redacted }

// LogValue hides the code.
func (c Code) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the code.
func (c Code) MarshalText() ([]byte, error) { return []byte(redacted), nil }

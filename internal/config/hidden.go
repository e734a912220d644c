package config

import (
	"log/slog"
	"unique"
)

const redacted = "[hidden]"

// Hidden is a text that must not be printed, such as an API key. However it is
// printed it stays hidden (P-01); Reveal returns it. The zero Hidden is empty.
type Hidden struct{ text unique.Handle[string] }

// Hide wraps text.
func Hide(text string) Hidden { return Hidden{unique.Make(text)} }

// Reveal returns the text, "" for the zero Hidden.
func (h Hidden) Reveal() string {
	if h == (Hidden{}) {
		return ""
	}
	return h.text.Value()
}

// IsZero reports whether there is no text.
func (h Hidden) IsZero() bool { return h.Reveal() == "" }

// String hides the text.
func (h Hidden) String() string { return redacted }

// GoString hides the text.
func (h Hidden) GoString() string { return redacted }

// LogValue hides the text.
func (h Hidden) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the text.
func (h Hidden) MarshalText() ([]byte, error) { return []byte(redacted), nil }

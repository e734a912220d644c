package callback

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// SecretOverlap is how long the old secret signs beside the new one after a
// rotation.
const SecretOverlap = 24 * time.Hour

const (
	secretPrefix = "whsec_"
	secretSize   = 32 // bytes
)

// ErrSecret is returned for text that is no signing secret.
var ErrSecret = errors.New("not a signing secret: expected whsec_ and base64")

// Secret signs what one configuration gets. However it is printed, it stays
// hidden (P-01); Reveal returns it. The zero Secret signs nothing.
type Secret struct{ text *string }

// NewSecret draws a secret of 32 bytes.
func NewSecret(random io.Reader) (Secret, error) {
	var b [secretSize]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return Secret{}, fmt.Errorf("draw signing secret: %w", err)
	}
	text := secretPrefix + base64.StdEncoding.EncodeToString(b[:])
	return Secret{&text}, nil
}

// ParseSecret reads a secret as Reveal writes it; ErrSecret otherwise.
func ParseSecret(text string) (Secret, error) {
	raw, ok := strings.CutPrefix(text, secretPrefix)
	if !ok {
		return Secret{}, ErrSecret
	}
	if key, err := base64.StdEncoding.DecodeString(raw); err != nil || len(key) == 0 {
		return Secret{}, ErrSecret
	}
	return Secret{&text}, nil
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.text == nil }

// Reveal returns the secret as receivers configure it: whsec_ and base64. The
// zero Secret is "".
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String hides the secret.
func (s Secret) String() string { return "[signing secret]" }

// GoString hides the secret.
func (s Secret) GoString() string { return s.String() }

// LogValue hides the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Sign returns the value of webhook-signature for a message sent at the given
// time: one entry a secret, separated by blanks. The error is ErrSecret for a
// secret that is none.
func Sign(secrets []Secret, id string, at time.Time, body []byte) (string, error) {
	entries := make([]string, 0, len(secrets))
	for _, s := range secrets {
		w, err := standardwebhooks.NewWebhook(s.Reveal())
		if err != nil {
			return "", ErrSecret // the cause could quote the secret
		}
		entry, err := w.Sign(id, at, body)
		if err != nil {
			return "", fmt.Errorf("sign message: %w", err)
		}
		entries = append(entries, entry)
	}
	return strings.Join(entries, " "), nil
}

package callback

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Tolerance is how far the timestamp of a signed message may be from now.
const Tolerance = 5 * time.Minute

// ErrSignature is returned for a message that none of the secrets signed, or
// that was signed at another time.
var ErrSignature = errors.New("not signed with a known secret at this time")

// Verify checks the Standard Webhooks headers of a message that came in: nil if
// one of the secrets signed its body within Tolerance of now, else
// ErrSignature. Signatures are compared in constant time.
func Verify(secrets []Secret, h http.Header, body []byte, now time.Time) error {
	seconds, err := strconv.ParseInt(h.Get(headerTimestamp), 10, 64)
	if err != nil {
		return ErrSignature
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > Tolerance || age < -Tolerance {
		return ErrSignature
	}
	for _, s := range secrets {
		if s.IsZero() {
			continue // its key would be the empty one
		}
		w, err := standardwebhooks.NewWebhook(s.Reveal())
		if err != nil {
			continue
		}
		if w.VerifyIgnoringTimestamp(body, h) == nil { // the time was checked by our clock
			return nil
		}
	}
	return ErrSignature
}

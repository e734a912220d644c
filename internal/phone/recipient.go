package phone

import (
	"errors"
	"log/slog"
	"strings"
)

// ErrNotARecipient is returned for a text that Reveal of no Recipient returned.
var ErrNotARecipient = errors.New("not a recipient")

// Recipient is who a code goes to: a Number or an Address. It is printed as
// these are, masked. Recipients compare with ==. The zero Recipient is nobody.
type Recipient struct {
	number  Number // at most one of the two is set
	address Address
}

// Recipient returns n as a recipient.
func (n Number) Recipient() Recipient { return Recipient{number: n} }

// Recipient returns a as a recipient.
func (a Address) Recipient() Recipient { return Recipient{address: a} }

// ParseRecipient reads what Reveal returned, for stores. It is exact: any other
// spelling, and "", is ErrNotARecipient.
func ParseRecipient(stored string) (Recipient, error) {
	if !strings.Contains(stored, "@") {
		n, err := FromE164(stored)
		if err != nil {
			return Recipient{}, ErrNotARecipient
		}
		return n.Recipient(), nil
	}
	a, err := ParseAddress(stored)
	if err != nil || a.Reveal() != stored {
		return Recipient{}, ErrNotARecipient
	}
	return a.Recipient(), nil
}

// Number returns the number, and whether the recipient is one.
func (r Recipient) Number() (Number, bool) { return r.number, !r.number.IsZero() }

// Address returns the e-mail address, and whether the recipient is one.
func (r Recipient) Address() (Address, bool) { return r.address, !r.address.IsZero() }

// Reveal returns the number in E.164 form or the address in lower case, which
// is what carriers get and stores keep; "" for the zero Recipient. Every call
// of it is a place where personal data leaves.
func (r Recipient) Reveal() string {
	if n, ok := r.Number(); ok {
		return n.Reveal()
	}
	return r.address.Reveal()
}

// Key returns what limits count a recipient by: the very text that is sent, so
// that no other spelling gets a count of its own (L-01). It is personal data
// like the result of Reveal.
func (r Recipient) Key() string { return r.Reveal() }

// IsZero reports whether r is the zero Recipient.
func (r Recipient) IsZero() bool { return r == Recipient{} }

// String returns the recipient masked.
func (r Recipient) String() string {
	if n, ok := r.Number(); ok {
		return n.String()
	}
	return r.address.String()
}

// GoString returns the recipient masked.
func (r Recipient) GoString() string { return r.String() }

// LogValue returns the recipient masked.
func (r Recipient) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalText returns the recipient masked; there is no way back from that.
func (r Recipient) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

package phone

import (
	"errors"
	"log/slog"
	"net/mail"
	"strings"
	"unique"
)

// Lengths in octets (RFC 5321 §4.5.3.1, RFC 1035 §2.3.4).
const (
	maxAddress   = 254
	maxLocalPart = 64
	maxLabel     = 63
)

// ErrNotAnAddress is returned for anything that is not a plain e-mail address.
// It does not quote the input.
var ErrNotAnAddress = errors.New("not an e-mail address")

// Address is an e-mail address in lower case, such as user@example.com. However
// it is printed, it stays hidden; Reveal returns it. The zero Address is none.
type Address struct{ spec unique.Handle[string] }

// ParseAddress reads an addr-spec (RFC 5322 §3.4.1) and folds it to lower case,
// the local part too: limits count by it and mail is sent to it. It takes a
// dot-atom at a host name, in ASCII. Display names, angle brackets, comments,
// quotes, address literals, blanks and control characters are ErrNotAnAddress,
// and so are letters beyond ASCII: an international domain is written with its
// xn-- labels, or one mailbox would have two spellings.
func ParseAddress(s string) (Address, error) {
	if len(s) > maxAddress {
		return Address{}, ErrNotAnAddress
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return Address{}, ErrNotAnAddress
		}
	}
	parsed, err := mail.ParseAddress(s)
	if err != nil || parsed.Name != "" || parsed.Address != s {
		return Address{}, ErrNotAnAddress
	}
	at := strings.LastIndexByte(s, '@')
	if at > maxLocalPart || !isHostName(s[at+1:]) {
		return Address{}, ErrNotAnAddress
	}
	return Address{unique.Make(strings.ToLower(s))}, nil
}

// isHostName reports whether s is labels of letters, digits and inner hyphens.
func isHostName(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !isDigit(c) && c != '-' && (c|0x20 < 'a' || c|0x20 > 'z') {
				return false
			}
		}
	}
	return true
}

// Reveal returns the address, or "" for the zero Address. Every call of it is
// a place where personal data leaves.
func (a Address) Reveal() string {
	if a.IsZero() {
		return ""
	}
	return a.spec.Value()
}

// IsZero reports whether a is the zero Address.
func (a Address) IsZero() bool { return a == Address{} }

// String returns the address masked, "u…@….com".
func (a Address) String() string { return maskAddress(a.Reveal()) }

// GoString returns the address masked.
func (a Address) GoString() string { return a.String() }

// LogValue returns the address masked.
func (a Address) LogValue() slog.Value { return slog.StringValue(a.String()) }

// MarshalText returns the address masked; there is no way back from that.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// maskAddress keeps the first character of a local part that has three or more,
// and the top-level domain.
func maskAddress(spec string) string {
	local, domain, found := strings.Cut(spec, "@")
	if !found {
		return ""
	}
	masked := "…@…"
	if len(local) >= 3 {
		masked = local[:1] + masked
	}
	if dot := strings.LastIndexByte(domain, '.'); dot >= 0 {
		masked += domain[dot:]
	}
	return masked
}

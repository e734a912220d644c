package account

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"math/big"
	"strings"
	"unique"
)

// A made key is
//
//	otp_live_ <id, 12> _ <random, 43> <checksum, 6>
//
// in letters and digits. The id names the key to operators and to the store,
// the random part holds 256 bits, and the checksum is the CRC-32 (IEEE) of all
// before it, so that scanners of leaked text and we can tell a key from a
// typing error without asking a database (K-01).
const (
	madePrefix     = "otp_live_"
	idLength       = 12
	randomBytes    = 32
	randomLength   = 43 // 62^43 > 2^256
	checksumLength = 6  // 62^6 > 2^32
	madeLength     = len(madePrefix) + idLength + 1 + randomLength + checksumLength
)

// Bounds of a key that the operator chose, in characters.
const (
	minChosen = 16
	maxChosen = 128
	// ShortChosen is the length under which a chosen key deserves a warning (K-05).
	ShortChosen = 32
)

// maxLogin is the longest e-mail address (RFC 5321 §4.5.3.1.3).
const maxLogin = 254

// Errors of making keys.
var (
	// ErrChosenKey: a chosen key is not visible ASCII of 16 to 128 characters.
	ErrChosenKey = errors.New("expected 16 to 128 visible ASCII characters")
	// ErrLogin: a login is not visible ASCII of at most 254 characters.
	ErrLogin = errors.New("expected at most 254 visible ASCII characters")
)

// redacted is what every printed form of a Secret shows.
const redacted = "[api key]"

// Secret is an API key in clear. However it is printed, it stays hidden (P-01);
// Reveal returns it. The zero Secret is empty.
type Secret struct{ text unique.Handle[string] }

// Reveal returns the key, "" for the zero Secret. Each call is a place where a
// key leaves its protection.
func (s Secret) Reveal() string {
	if s == (Secret{}) {
		return ""
	}
	return s.text.Value()
}

// String hides the key.
func (s Secret) String() string { return redacted }

// GoString hides the key.
func (s Secret) GoString() string { return redacted }

// LogValue hides the key.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the key.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// NewKey draws a key for draft, which says everything but ID and Hash, and
// returns it in clear and as it is kept. It returns ErrLogin for a login that
// no key can have. random is crypto/rand.Reader in production.
func NewKey(random io.Reader, draft Key) (Secret, Key, error) {
	if !ValidLogin(draft.Login) {
		return Secret{}, Key{}, fmt.Errorf("login: %w", ErrLogin)
	}
	id, err := newID(random)
	if err != nil {
		return Secret{}, Key{}, err
	}
	var bits [randomBytes]byte
	if _, err := io.ReadFull(random, bits[:]); err != nil {
		return Secret{}, Key{}, fmt.Errorf("draw key: %w", err)
	}
	body := madePrefix + id + "_" + base62(new(big.Int).SetBytes(bits[:]), randomLength)
	text := body + checksum(body)
	draft.ID, draft.Hash = id, HashKey(text)
	return Secret{unique.Make(text)}, draft, nil
}

// ChosenKey is NewKey for a key whose text the operator chose: ErrChosenKey
// unless it is visible ASCII of 16 to 128 characters. Its id is that of a made
// key if it has the form of one.
func ChosenKey(random io.Reader, text string, draft Key) (Key, error) {
	if !visibleASCII(text) || len(text) < minChosen || len(text) > maxChosen {
		return Key{}, fmt.Errorf("API key: %w", ErrChosenKey)
	}
	if !ValidLogin(draft.Login) {
		return Key{}, fmt.Errorf("login: %w", ErrLogin)
	}
	id, made := ParseSecret(text)
	if !made {
		var err error
		if id, err = newID(random); err != nil {
			return Key{}, err
		}
	}
	draft.ID, draft.Hash = id, HashKey(text)
	return draft, nil
}

// ParseSecret reports whether text has the form of a made key, its checksum
// included, and returns the key's id.
func ParseSecret(text string) (id string, ok bool) {
	rest, ok := strings.CutPrefix(text, madePrefix)
	if !ok || len(text) != madeLength || rest[idLength] != '_' {
		return "", false
	}
	id = rest[:idLength]
	if !allBase62(id) || !allBase62(rest[idLength+1:]) {
		return "", false
	}
	body, sum := text[:madeLength-checksumLength], text[madeLength-checksumLength:]
	if checksum(body) != sum { // not secret: it tells nothing about the random part
		return "", false
	}
	return id, true
}

// HashKey is how a key's text is kept and found.
func HashKey(text string) [sha256.Size]byte {
	var room [maxChosen]byte // for a copy that needs no memory
	return sha256.Sum256(append(room[:0], text...))
}

// ValidLogin reports whether a key can be paired with login: "" for none, or
// visible ASCII of at most 254 characters.
func ValidLogin(login string) bool { return len(login) <= maxLogin && visibleASCII(login) }

// FoldLogin returns login as it is compared: letter case does not count.
func FoldLogin(login string) string { return strings.ToLower(login) }

func visibleASCII(text string) bool {
	for _, c := range []byte(text) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func allBase62(text string) bool {
	for _, c := range []byte(text) {
		if strings.IndexByte(alphabet, c) < 0 {
			return false
		}
	}
	return true
}

// base62 writes n, which must fit, with leading zeros.
func base62(n *big.Int, width int) string {
	out := make([]byte, width)
	n, digit, base := new(big.Int).Set(n), new(big.Int), big.NewInt(int64(len(alphabet)))
	for i := width - 1; i >= 0; i-- {
		n.DivMod(n, base, digit)
		out[i] = alphabet[digit.Int64()]
	}
	return string(out)
}

func newID(random io.Reader) (string, error) {
	// Uniform over all ids of this length: rand.Int draws by rejection.
	n, err := rand.Int(random, new(big.Int).Exp(big.NewInt(int64(len(alphabet))), big.NewInt(idLength), nil))
	if err != nil {
		return "", fmt.Errorf("draw key id: %w", err)
	}
	return base62(n, idLength), nil
}

func checksum(body string) string {
	return base62(big.NewInt(int64(crc32.ChecksumIEEE([]byte(body)))), checksumLength)
}

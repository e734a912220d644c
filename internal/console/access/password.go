package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Argon2id as OWASP's password storage cheat sheet has it: 19 MiB, two passes,
// one lane.
const (
	argonMemory = 19 * 1024 // KiB
	argonPasses = 2
	argonLanes  = 1
	saltLength  = 16
	hashLength  = 32
)

// Bounds of a password, in characters and octets.
const (
	MinPassword = 12
	maxPassword = 256 // octets: hashing must not be a way to keep us busy
)

// hashers is how many passwords are hashed at a time, each in 19 MiB, and
// hashWait how long a caller waits for its turn.
const (
	hashers  = 2
	hashWait = 5 * time.Second
)

// ErrBusy says that too many people sign in at this moment.
var ErrBusy = errors.New("too many passwords are being checked")

// Passwords hashes and compares passwords, a few at a time. It is safe
// for concurrent use.
type Passwords struct {
	turns chan struct{}
	dummy string // compared where there is no user, so that it takes as long
}

// NewPasswords returns a hasher of passwords.
func NewPasswords() *Passwords {
	p := &Passwords{turns: make(chan struct{}, hashers)}
	p.dummy = encodeHash(make([]byte, saltLength), make([]byte, hashLength))
	return p
}

// GoodPassword reports whether a password may be chosen for the user name: 12
// characters or more that are neither one character repeated nor the name.
func GoodPassword(password, name string) bool {
	if utf8.RuneCountInString(password) < MinPassword || len(password) > maxPassword || !utf8.ValidString(password) {
		return false
	}
	first, _ := utf8.DecodeRuneInString(password)
	if strings.Trim(password, string(first)) == "" {
		return false
	}
	return !strings.EqualFold(strings.TrimSpace(password), name)
}

// Hash returns what to keep of a password. ErrBusy if there is no turn in time.
func (p *Passwords) Hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltLength)
	_, _ = rand.Read(salt) // never fails
	sum, err := p.sum(ctx, password, salt)
	if err != nil {
		return "", err
	}
	return encodeHash(salt, sum), nil
}

// Matches reports whether kept was made of password. For an empty kept it
// takes as long and is false. ErrBusy if there is no turn in time.
func (p *Passwords) Matches(ctx context.Context, kept, password string) (bool, error) {
	known := kept != ""
	if !known {
		kept = p.dummy
	}
	salt, want, err := decodeHash(kept)
	if err != nil {
		return false, err
	}
	if len(password) > maxPassword {
		password = ""
		known = false
	}
	sum, err := p.sum(ctx, password, salt)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(sum, want) == 1 && known, nil
}

func (p *Passwords) sum(ctx context.Context, password string, salt []byte) ([]byte, error) {
	wait, cancel := context.WithTimeoutCause(ctx, hashWait, ErrBusy)
	defer cancel()
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
	case <-wait.Done():
		return nil, fmt.Errorf("hash password: %w", context.Cause(wait))
	}
	return argon2.IDKey([]byte(password), salt, argonPasses, argonMemory, argonLanes, hashLength), nil
}

var encoding = base64.RawStdEncoding

// argonHead is how a hash of today's parameters begins, in the usual form.
var argonHead = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$", argon2.Version, argonMemory, argonPasses, argonLanes)

func encodeHash(salt, sum []byte) string {
	return argonHead + encoding.EncodeToString(salt) + "$" + encoding.EncodeToString(sum)
}

var errHash = errors.New("a stored password hash cannot be read")

func decodeHash(kept string) (salt, sum []byte, err error) {
	rest, ok := strings.CutPrefix(kept, argonHead)
	saltText, sumText, two := strings.Cut(rest, "$")
	if !ok || !two {
		return nil, nil, errHash
	}
	if salt, err = encoding.DecodeString(saltText); err != nil {
		return nil, nil, errHash
	}
	if sum, err = encoding.DecodeString(sumText); err != nil || len(sum) != hashLength {
		return nil, nil, errHash
	}
	return salt, sum, nil
}

package access

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/console/ledger"
)

// Enrolment is the secret of an authenticator app that a new user is shown,
// sealed so that the page can carry it.
type Enrolment struct {
	Secret string // base32, for typing it in
	Sealed string // what to hand back
}

// NewEnrolment draws a secret for whoever follows the invite.
func (s *Service) NewEnrolment(token string) Enrolment {
	secret := newTOTP()
	sealed := s.cfg.Keys.Seal([]byte(secret), enrolContext(token)...)
	return Enrolment{secret, base64.RawURLEncoding.EncodeToString(sealed)}
}

// OpenEnrolment returns the enrolment that NewEnrolment sealed for the invite;
// ErrNotFound for anything else.
func (s *Service) OpenEnrolment(token, sealed string) (Enrolment, error) {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return Enrolment{}, ErrNotFound
	}
	secret, err := s.cfg.Keys.Open(raw, enrolContext(token)...)
	if err != nil {
		return Enrolment{}, ErrNotFound
	}
	return Enrolment{string(secret), sealed}, nil
}

func enrolContext(token string) []string {
	hash := hashToken(strings.TrimSpace(token))
	return []string{"console enrolment", string(hash[:])}
}

func totpContext(userID string) []string { return []string{"console totp", userID} }

// Enrol makes the user that an invite is for and returns a session's token.
// Errors that the person can mend are ErrName, ErrNameTaken, ErrPassword and
// ErrWrongCode; ErrNotFound is an invite that is over.
func (s *Service) Enrol(ctx context.Context, token string, e Enrolment, name, password, code string) (string, error) {
	if !ValidName(name) || name == LocalName {
		return "", ErrName
	}
	if !GoodPassword(password, name) {
		return "", ErrPassword
	}
	step, right := totpStep(e.Secret, code, s.cfg.Wall())
	if !right {
		return "", ErrWrongCode
	}
	invite, err := s.Invited(ctx, token) // before the costly hash
	if err != nil {
		return "", err
	}
	// Also before anything is written down: whoever tries the name of somebody
	// else is not to stand under it in the audit list.
	if _, err := s.cfg.Store.User(ctx, name); err == nil {
		return "", ErrNameTaken
	} else if !errors.Is(err, ErrNotFound) {
		return "", fmt.Errorf("look for user: %w", err)
	}
	kept, err := s.passwords.Hash(ctx, password)
	if err != nil {
		return "", err
	}
	secret, err := s.newToken()
	if err != nil {
		return "", err
	}
	id := rand.Text()
	u := User{ID: id, Name: name, Password: kept, TOTP: s.cfg.Keys.Seal([]byte(e.Secret), totpContext(id)...)}
	// Another use of the invite, or of the name, may still come before this one.
	err = ledger.Do(ledger.WithActor(ctx, "console "+name), s.cfg.Audit, invite.Account, audit.ActionConsoleEnrol, string(invite.Role), func() error {
		_, err := s.cfg.Store.Enrol(ctx, hashToken(strings.TrimSpace(token)), u, Session{Hash: hashToken(secret)})
		return err //nolint:wrapcheck // wrapped below
	})
	if err != nil {
		return "", fmt.Errorf("enrol: %w", err)
	}
	if err := s.cfg.Store.UseStep(ctx, id, step); err != nil {
		return "", fmt.Errorf("enrol: %w", err)
	}
	return secret, nil
}

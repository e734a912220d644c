package access

import (
	"context"
	"errors"
	"fmt"
)

// Session returns the session of a token and counts as its use; ErrNotFound if
// it is over. One that was opened by a link alone ends here where the deployment
// is no longer local, and stays so when it is local again.
func (s *Service) Session(ctx context.Context, token string) (Session, error) {
	session, err := s.Peek(ctx, token)
	if err != nil {
		return Session{}, err
	}
	if s.cfg.Now().Sub(session.Seen) >= touchAfter {
		if err := s.cfg.Store.TouchSession(ctx, session.Hash); err != nil {
			return Session{}, fmt.Errorf("touch session: %w", err)
		}
	}
	return session, nil
}

// Peek is Session for what goes on by itself, such as a page that waits for
// news: it does not count as use.
func (s *Service) Peek(ctx context.Context, token string) (Session, error) {
	if token == "" {
		return Session{}, ErrNotFound
	}
	session, err := s.cfg.Store.Session(ctx, hashToken(token), Lifetimes{Idle: idleFor, Absolute: absoluteFor})
	if err != nil {
		return Session{}, fmt.Errorf("read session: %w", err)
	}
	if session.Local() && !s.cfg.IsLocal() {
		if err := s.SignOut(ctx, session); err != nil {
			return Session{}, errors.Join(ErrNotFound, err) // it is worth nothing here all the same
		}
		return Session{}, ErrNotFound
	}
	return session, nil
}

// Proved reports whether the session may do what asks for the password again
// . A local session has no password to ask for.
func (s *Service) Proved(session Session) bool {
	return session.Local() || s.cfg.Now().Sub(session.Proved) < ProofLasts
}

// Prove takes the password and a code again. Errors are those of SignIn.
func (s *Service) Prove(ctx context.Context, session Session, password, code string) error {
	u, err := s.prove(ctx, session.Name, password, code)
	if err != nil {
		return err
	}
	if u.ID != session.UserID {
		return ErrWrong
	}
	if err := s.cfg.Store.Prove(ctx, session.Hash); err != nil {
		return fmt.Errorf("remember proof: %w", err)
	}
	return nil
}

// Leave ends the session of a token, if there is one: it is replaced.
func (s *Service) Leave(ctx context.Context, token string) error {
	if token == "" {
		return nil
	}
	return s.SignOut(ctx, Session{Hash: hashToken(token)})
}

// SignOut ends the session at once.
func (s *Service) SignOut(ctx context.Context, session Session) error {
	if err := s.cfg.Store.CloseSession(ctx, session.Hash); err != nil {
		return fmt.Errorf("close session: %w", err)
	}
	return nil
}

package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/store/column"
)

const (
	readConsoleSession = `SELECT s.hash, coalesce(s.user_id, ''), coalesce(u.name, ''), a.name, coalesce(u.role, s.role),
		s.created_at, s.seen_at, coalesce(s.proved_at, 0)
		FROM console_sessions s JOIN accounts a ON a.id = s.account_id LEFT JOIN console_users u ON u.id = s.user_id
		WHERE s.hash = $1 AND s.seen_at > $2 AND s.created_at > $3 AND a.suspended_at IS NULL`
	touchConsoleSession = "UPDATE console_sessions SET seen_at = $2 WHERE hash = $1 AND seen_at < $2"
	proveConsoleSession = "UPDATE console_sessions SET proved_at = $2, seen_at = $2 WHERE hash = $1"
	dropConsoleSession  = "DELETE FROM console_sessions WHERE hash = $1"
)

// OpenSession implements access.Store.
func (r *Registry) OpenSession(ctx context.Context, session access.Session) error {
	owner, err := r.AccountID(ctx, session.Account)
	if errors.Is(err, ErrNoAccount) {
		return access.ErrNotFound
	}
	if err != nil {
		return err
	}
	return r.db.Write(ctx, func(t Tx) error {
		// Whoever removes the user meanwhile is waited for, or finds the session.
		there, err := Exists(t.Lock, consoleUserThere, session.UserID)
		if err != nil {
			return fmt.Errorf("look for console user: %w", err)
		}
		if !there {
			return access.ErrNotFound
		}
		if _, err := t.Exec(sweepConsoleSessions, column.Micros(t.Now().Add(-consoleSessionMost))); err != nil {
			return fmt.Errorf("remove console sessions: %w", err)
		}
		_, err = t.Exec(addConsoleSession, session.Hash[:], owner, session.UserID, string(session.Role),
			column.Micros(t.Now()), column.Micros(t.Now()), column.Micros(t.Now()))
		if err != nil {
			return fmt.Errorf("add console session: %w", err)
		}
		return nil
	})
}

// Session implements access.Store.
func (r *Registry) Session(ctx context.Context, hash [32]byte, l access.Lifetimes) (access.Session, error) {
	now := r.db.Now()
	found, ok, err := First(r.db.Ask(ctx, 0), scanConsoleSession, readConsoleSession, hash[:], column.Micros(now.Add(-l.Idle)), column.Micros(now.Add(-l.Absolute)))
	if err != nil {
		return access.Session{}, r.db.ReadError("read console session", err)
	}
	if !ok {
		return access.Session{}, access.ErrNotFound
	}
	return found, nil
}

func scanConsoleSession(rows Row) (access.Session, error) {
	var s access.Session
	var hash []byte
	var created, seen, proved int64
	err := rows.Scan(&hash, &s.UserID, &s.Name, &s.Account, &s.Role, &created, &seen, &proved)
	copy(s.Hash[:], hash)
	s.Created, s.Seen, s.Proved = column.FromMicros(created), column.FromMicros(seen), column.FromMicros(proved)
	if s.Local() {
		s.Name = access.LocalName
	}
	return s, err
}

// TouchSession implements access.Store.
func (r *Registry) TouchSession(ctx context.Context, hash [32]byte) error {
	return r.db.Write(ctx, func(t Tx) error {
		if _, err := t.Exec(touchConsoleSession, hash[:], column.Micros(t.Now())); err != nil {
			return fmt.Errorf("touch console session: %w", err)
		}
		return nil
	})
}

// Prove implements access.Store.
func (r *Registry) Prove(ctx context.Context, hash [32]byte) error {
	return r.db.Write(ctx, func(t Tx) error {
		n, err := t.Exec(proveConsoleSession, hash[:], column.Micros(t.Now()))
		if err != nil {
			return fmt.Errorf("prove console session: %w", err)
		}
		if n == 0 {
			return access.ErrNotFound
		}
		return nil
	})
}

// CloseSession implements access.Store.
func (r *Registry) CloseSession(ctx context.Context, hash [32]byte) error {
	return r.db.Write(ctx, func(t Tx) error {
		if _, err := t.Exec(dropConsoleSession, hash[:]); err != nil {
			return fmt.Errorf("close console session: %w", err)
		}
		return nil
	})
}

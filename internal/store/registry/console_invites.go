package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/store/column"
)

var _ access.Store = (*Registry)(nil)

const (
	addConsoleInvite  = "INSERT INTO console_invites (hash, account_id, role, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)"
	readConsoleInvite = `SELECT i.hash, a.name, i.role, i.created_at, i.expires_at FROM console_invites i
		JOIN accounts a ON a.id = i.account_id WHERE i.hash = $1 AND i.expires_at > $2`
	takeConsoleInvite  = "DELETE FROM console_invites WHERE hash = $1 AND expires_at > $2 RETURNING account_id, role"
	sweepConsoleInvite = "DELETE FROM console_invites WHERE expires_at <= $1"
	// A session never lasts longer than consoleSessionMost, whatever its rules.
	sweepConsoleSessions = "DELETE FROM console_sessions WHERE created_at <= $1"
)

// consoleSessionMost is how old a session's row gets before it is removed.
const consoleSessionMost = 7 * 24 * time.Hour

// PutInvite implements access.Store.
func (r *Registry) PutInvite(ctx context.Context, i access.Invite, life time.Duration) error {
	owner, err := r.AccountID(ctx, i.Account)
	if errors.Is(err, ErrNoAccount) {
		return access.ErrNoAccount
	}
	if err != nil {
		return err
	}
	return r.db.Write(ctx, func(t Tx) error {
		if _, err := t.Exec(sweepConsoleInvite, column.Micros(t.Now())); err != nil {
			return fmt.Errorf("remove console invites: %w", err)
		}
		if _, err := t.Exec(sweepConsoleSessions, column.Micros(t.Now().Add(-consoleSessionMost))); err != nil {
			return fmt.Errorf("remove console sessions: %w", err)
		}
		_, err := t.Exec(addConsoleInvite, i.Hash[:], owner, string(i.Role), column.Micros(t.Now()), column.Micros(t.Now().Add(life)))
		if err != nil {
			return fmt.Errorf("add console invite: %w", err)
		}
		return nil
	})
}

// Invite implements access.Store.
func (r *Registry) Invite(ctx context.Context, hash [32]byte) (access.Invite, error) {
	i, ok, err := First(r.db.Ask(ctx, 0), scanConsoleInvite, readConsoleInvite, hash[:], column.Micros(r.db.Now()))
	if err != nil {
		return access.Invite{}, r.db.ReadError("read console invite", err)
	}
	if !ok {
		return access.Invite{}, access.ErrNotFound
	}
	return i, nil
}

func scanConsoleInvite(rows Row) (access.Invite, error) {
	var i access.Invite
	var hash []byte
	var created, expires int64
	err := rows.Scan(&hash, &i.Account, &i.Role, &created, &expires)
	copy(i.Hash[:], hash)
	i.Created, i.Expires = column.FromMicros(created), column.FromMicros(expires)
	return i, err
}

// takeInvite uses an invite up and returns what it is for.
func takeInvite(t Tx, hash [32]byte) (owner int64, role access.Role, err error) {
	_, ok, err := First(t.Returning, func(row Row) (struct{}, error) {
		return struct{}{}, row.Scan(&owner, &role)
	}, takeConsoleInvite, hash[:], column.Micros(t.Now()))
	if err != nil {
		return 0, "", fmt.Errorf("take console invite: %w", err)
	}
	if !ok {
		return 0, "", access.ErrNotFound
	}
	return owner, role, nil
}

const (
	addConsoleUser    = `INSERT INTO console_users (id, account_id, name, role, password, totp, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`
	addConsoleSession = `INSERT INTO console_sessions (hash, account_id, user_id, role, created_at, seen_at, proved_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`
)

// Enrol implements access.Store.
func (r *Registry) Enrol(ctx context.Context, invite [32]byte, u access.User, session access.Session) (access.User, error) {
	var made access.User
	err := r.db.Write(ctx, func(t Tx) error {
		made = u
		owner, role, err := takeInvite(t, invite)
		if err != nil {
			return err
		}
		if made.Account, err = r.AccountName(t.Query, owner); err != nil {
			return err
		}
		made.Role, made.Created = role, column.FromMicros(column.Micros(t.Now()))
		added, err := t.Exec(addConsoleUser, u.ID, owner, u.Name, string(role), u.Password, u.TOTP, column.Micros(t.Now()))
		if err != nil {
			return fmt.Errorf("add console user: %w", err)
		}
		if added == 0 {
			return access.ErrNameTaken
		}
		_, err = t.Exec(addConsoleSession, session.Hash[:], owner, u.ID, string(role), column.Micros(t.Now()), column.Micros(t.Now()), column.Micros(t.Now()))
		if err != nil {
			return fmt.Errorf("add console session: %w", err)
		}
		return nil
	})
	if err != nil {
		return access.User{}, err
	}
	return made, nil
}

// Enter implements access.Store.
func (r *Registry) Enter(ctx context.Context, invite [32]byte, session access.Session) (access.Session, error) {
	var opened access.Session
	err := r.db.Write(ctx, func(t Tx) error {
		opened = session
		owner, role, err := takeInvite(t, invite)
		if err != nil {
			return err
		}
		if opened.Account, err = r.AccountName(t.Query, owner); err != nil {
			return err
		}
		now := column.FromMicros(column.Micros(t.Now()))
		opened.Name, opened.Role, opened.UserID, opened.Created, opened.Seen = access.LocalName, role, "", now, now
		_, err = t.Exec(addConsoleSession, session.Hash[:], owner, nil, string(role), column.Micros(t.Now()), column.Micros(t.Now()), nil)
		if err != nil {
			return fmt.Errorf("add console session: %w", err)
		}
		return nil
	})
	if err != nil {
		return access.Session{}, err
	}
	return opened, nil
}

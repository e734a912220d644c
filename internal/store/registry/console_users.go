package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/store/column"
)

const (
	consoleUserColumns = "SELECT u.id, u.name, a.name, u.role, u.password, u.totp, u.created_at FROM console_users u JOIN accounts a ON a.id = u.account_id"
	readConsoleUser    = consoleUserColumns + " WHERE u.name = $1" // uses console_users_name_key
	listConsoleUsers   = consoleUserColumns + " WHERE u.account_id = $1 ORDER BY u.created_at, u.id"
	allConsoleUsers    = consoleUserColumns + " ORDER BY u.account_id, u.created_at, u.id"
	anyConsoleUser     = "SELECT 1 FROM console_users LIMIT 1"
	dropUsersSessions  = "DELETE FROM console_sessions WHERE account_id = $1 AND user_id = $2" // uses console_sessions_user_idx
	dropConsoleUser    = "DELETE FROM console_users WHERE account_id = $1 AND id = $2"
	useConsoleStep     = "UPDATE console_users SET totp_step = $2 WHERE id = $1 AND totp_step < $2"
	consoleUserThere   = "SELECT 1 FROM console_users WHERE id = $1"
	consoleUserOwned   = "SELECT 1 FROM console_users WHERE account_id = $1 AND id = $2"
)

// HasUsers implements access.Store.
func (r *Registry) HasUsers(ctx context.Context) (bool, error) {
	has, err := Exists(r.db.Ask(ctx, 0), anyConsoleUser)
	if err != nil {
		return false, r.db.ReadError("look for console users", err)
	}
	return has, nil
}

// User implements access.Store.
func (r *Registry) User(ctx context.Context, name string) (access.User, error) {
	u, ok, err := First(r.db.Ask(ctx, 0), scanConsoleUser, readConsoleUser, name)
	if err != nil {
		return access.User{}, r.db.ReadError("read console user", err)
	}
	if !ok {
		return access.User{}, access.ErrNotFound
	}
	return u, nil
}

// Users implements access.Store.
func (r *Registry) Users(ctx context.Context, account string) ([]access.User, error) {
	owner, err := r.AccountID(ctx, account)
	if errors.Is(err, ErrNoAccount) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := Collect(r.db.Ask(ctx, 0), scanConsoleUser, listConsoleUsers, owner)
	if err != nil {
		return nil, r.db.ReadError("list console users", err)
	}
	return all, nil
}

// AllUsers implements access.Store.
func (r *Registry) AllUsers(ctx context.Context) ([]access.User, error) {
	all, err := Collect(r.db.Ask(ctx, 0), scanConsoleUser, allConsoleUsers)
	if err != nil {
		return nil, r.db.ReadError("list console users", err)
	}
	return all, nil
}

func scanConsoleUser(rows Row) (access.User, error) {
	var u access.User
	var created int64
	err := rows.Scan(&u.ID, &u.Name, &u.Account, &u.Role, &u.Password, &u.TOTP, &created)
	u.Created = column.FromMicros(created)
	return u, err
}

// RemoveUser implements access.Store.
func (r *Registry) RemoveUser(ctx context.Context, account, id string) error {
	owner, err := r.AccountID(ctx, account)
	if errors.Is(err, ErrNoAccount) {
		return access.ErrNotFound
	}
	if err != nil {
		return err
	}
	return r.db.Write(ctx, func(t Tx) error {
		// While the user is held nobody opens a session of it: all there are go.
		there, err := Exists(t.Lock, consoleUserOwned, owner, id)
		if err != nil {
			return fmt.Errorf("look for console user: %w", err)
		}
		if !there {
			return access.ErrNotFound
		}
		if _, err := t.Exec(dropUsersSessions, owner, id); err != nil {
			return fmt.Errorf("remove console sessions: %w", err)
		}
		if _, err := t.Exec(dropConsoleUser, owner, id); err != nil {
			return fmt.Errorf("remove console user: %w", err)
		}
		return nil
	})
}

// UseStep implements access.Store.
func (r *Registry) UseStep(ctx context.Context, userID string, step int64) error {
	return r.db.Write(ctx, func(t Tx) error {
		n, err := t.Exec(useConsoleStep, userID, step)
		if err != nil {
			return fmt.Errorf("use one-time code: %w", err)
		}
		if n > 0 {
			return nil
		}
		there, err := Exists(t.Query, consoleUserThere, userID)
		switch {
		case err != nil:
			return fmt.Errorf("look for console user: %w", err)
		case !there:
			return access.ErrNotFound
		}
		return access.ErrUsedCode
	})
}

const (
	beginConsoleTries = "INSERT INTO console_tries (key, tries, last_at, locked_until) VALUES ($1, 0, $2, 0) ON CONFLICT DO NOTHING"
	readConsoleTries  = "SELECT tries, locked_until FROM console_tries WHERE key = $1"
	countConsoleTry   = "UPDATE console_tries SET tries = $2, last_at = $3, locked_until = $4 WHERE key = $1"
	dropConsoleTries  = "DELETE FROM console_tries WHERE key = $1"
	// uses console_tries_last_idx; a few at a time, as others wait.
	sweepConsoleTries = `DELETE FROM console_tries WHERE key IN (
		SELECT key FROM console_tries WHERE last_at < $1 ORDER BY last_at LIMIT 100)`
)

// consoleTriesKept is how long failures count against a name that is not tried
// any more; longer than any lock.
const consoleTriesKept = 24 * time.Hour

// CountTry implements access.Store.
func (r *Registry) CountTry(ctx context.Context, key [16]byte, allowed int, lock time.Duration) (bool, error) {
	var locked bool
	err := r.db.Write(ctx, func(t Tx) error {
		locked = false
		var tries int
		var until int64
		read := func(row Row) error { return row.Scan(&tries, &until) }
		refused := func() error {
			if until > column.Micros(t.Now()) {
				return &access.LockedError{Until: column.FromMicros(until)}
			}
			return nil
		}
		// Anybody can try a locked key: that undoes nothing of what others write.
		if err := t.Query(read, readConsoleTries, key[:]); err != nil {
			return fmt.Errorf("read console tries: %w", err)
		}
		if err := refused(); err != nil {
			return err
		}
		if _, err := t.Exec(sweepConsoleTries, column.Micros(t.Now().Add(-consoleTriesKept))); err != nil {
			return fmt.Errorf("remove console tries: %w", err)
		}
		if _, err := t.Exec(beginConsoleTries, key[:], column.Micros(t.Now())); err != nil {
			return fmt.Errorf("count console try: %w", err)
		}
		// The row may have been held by another try.
		if err := t.Lock(read, readConsoleTries, key[:]); err != nil {
			return fmt.Errorf("read console tries: %w", err)
		}
		if err := refused(); err != nil {
			return err
		}
		tries, until = tries+1, 0
		if tries >= allowed {
			tries, until, locked = 0, column.Micros(t.Now().Add(lock)), true
		}
		if _, err := t.Exec(countConsoleTry, key[:], tries, column.Micros(t.Now()), until); err != nil {
			return fmt.Errorf("count console try: %w", err)
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	return locked, nil
}

// ForgetTries implements access.Store.
func (r *Registry) ForgetTries(ctx context.Context, key [16]byte) error {
	return r.db.Write(ctx, func(t Tx) error {
		if _, err := t.Exec(dropConsoleTries, key[:]); err != nil {
			return fmt.Errorf("forget console tries: %w", err)
		}
		return nil
	})
}

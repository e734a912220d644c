package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/store/column"
)

var _ account.Store = (*Store)(nil)

const accountColumns = "accounts.name, accounts.created_at, accounts.suspended_at, accounts.settings"

const (
	anyAccount     = "SELECT 1 FROM accounts LIMIT 1"
	accountByName  = "SELECT id, settings FROM accounts WHERE name = ?" // uses accounts.name
	readAccount    = "SELECT " + accountColumns + " FROM accounts WHERE name = ?"
	readAccounts   = "SELECT " + accountColumns + " FROM accounts ORDER BY id"
	addAccount     = "INSERT INTO accounts (name, created_at, suspended_at, settings) VALUES (?, ?, ?, ?)"
	suspendAccount = "UPDATE accounts SET suspended_at = coalesce(suspended_at, ?) WHERE id = ?"
	enableAccount  = "UPDATE accounts SET suspended_at = NULL WHERE id = ?"
	writeSettings  = "UPDATE accounts SET settings = ? WHERE id = ?"
)

// CreateAccount implements account.Store.
func (s *Store) CreateAccount(ctx context.Context, a account.Account) error {
	return s.changeAccess(ctx, func(t *tx) error { return t.addAccount(a) })
}

// Bootstrap implements account.Store.
func (s *Store) Bootstrap(ctx context.Context, a account.Account, k account.Key) (bool, error) {
	k.Account = a.Name
	created := false // read only if the change returned no error: else it may still be running
	err := s.changeAccess(ctx, func(t *tx) error {
		some, err := exists(t.query, anyAccount)
		if err != nil {
			return fmt.Errorf("look for accounts: %w", err)
		}
		if created = !some; some {
			return errUnchanged
		}
		if err := t.addAccount(a); err != nil {
			return err
		}
		return t.addKey(k)
	})
	if err != nil {
		return false, err
	}
	return created, nil
}

// Account implements account.Store.
func (s *Store) Account(ctx context.Context, name string) (account.Account, error) {
	a, ok, err := first(s.pooled(ctx), scanAccount, readAccount, name)
	if err != nil {
		return account.Account{}, s.readError("read account", err)
	}
	if !ok {
		return account.Account{}, account.ErrNotFound
	}
	return a, nil
}

// Accounts implements account.Store.
func (s *Store) Accounts(ctx context.Context) ([]account.Account, error) {
	accounts, err := collect(s.pooled(ctx), scanAccount, readAccounts)
	if err != nil {
		return nil, s.readError("list accounts", err)
	}
	return accounts, nil
}

// SetSuspended implements account.Store.
func (s *Store) SetSuspended(ctx context.Context, name string, suspended bool) error {
	return s.changeAccess(ctx, func(t *tx) error {
		id, _, err := t.accountRow(name)
		if err != nil {
			return err
		}
		if suspended {
			_, err = t.exec(suspendAccount, t.now.UnixMicro(), id)
		} else {
			_, err = t.exec(enableAccount, id)
		}
		if err != nil {
			return fmt.Errorf("suspend or enable account: %w", err)
		}
		return nil
	})
}

// SetSettings implements account.Store.
func (s *Store) SetSettings(ctx context.Context, name string, settings map[string]string) error {
	id, err := s.accountID(ctx, name)
	if errors.Is(err, ErrNoAccount) {
		return account.ErrNotFound
	}
	if err != nil {
		return err
	}
	defer s.changed(id)
	return s.changeAccess(ctx, func(t *tx) error {
		_, merged, err := t.accountRow(name)
		if err != nil {
			return err
		}
		for key, value := range settings {
			if value == "" {
				delete(merged, key)
			} else {
				merged[key] = value
			}
		}
		text, err := encodeSettings(merged)
		if err != nil {
			return err
		}
		if _, err := t.exec(writeSettings, text, id); err != nil {
			return fmt.Errorf("write settings: %w", err)
		}
		return t.raise(id)
	})
}

// AccessVersion implements account.Store.
func (s *Store) AccessVersion(ctx context.Context) (int64, error) {
	return s.version(ctx, accessKey)
}

// changeAccess does f in one transaction that raises the access version.
func (s *Store) changeAccess(ctx context.Context, f func(*tx) error) error {
	return s.change(ctx, accessKey, f)
}

// accountRow returns the account's number and settings.
func (t *tx) accountRow(name string) (int64, map[string]string, error) {
	type row struct {
		id       int64
		settings map[string]string
	}
	r, ok, err := first(t.query, func(rows rower) (r row, err error) {
		var text string
		if err := rows.Scan(&r.id, &text); err != nil {
			return row{}, err //nolint:wrapcheck // first's caller says what it was doing
		}
		r.settings, err = decodeSettings(text)
		return r, err
	}, accountByName, name)
	if err != nil {
		return 0, nil, fmt.Errorf("read account: %w", err)
	}
	if !ok {
		return 0, nil, account.ErrNotFound
	}
	return r.id, r.settings, nil
}

func (t *tx) addAccount(a account.Account) error {
	taken, err := exists(t.query, accountByName, a.Name)
	if err != nil {
		return fmt.Errorf("look for account: %w", err)
	}
	if taken {
		return account.ErrNameTaken
	}
	settings, err := encodeSettings(a.Settings)
	if err != nil {
		return err
	}
	var suspended any
	if a.Suspended {
		suspended = t.now.UnixMicro()
	}
	if _, err := t.exec(addAccount, a.Name, t.orNow(a.Created), suspended, settings); err != nil {
		return fmt.Errorf("add account: %w", err)
	}
	return nil
}

// orNow is how a time is stored that is the transaction's where none is given.
func (t *tx) orNow(at time.Time) int64 {
	if at.IsZero() {
		return t.now.UnixMicro()
	}
	return at.UnixMicro()
}

func scanAccount(rows rower) (account.Account, error) {
	var a accountScan
	if err := rows.Scan(a.dest()...); err != nil {
		return account.Account{}, err //nolint:wrapcheck // the caller says what it was doing
	}
	return a.account()
}

// accountScan receives accountColumns.
type accountScan struct {
	name      string
	created   int64
	suspended sql.NullInt64
	settings  string
}

func (a *accountScan) dest() []any { return []any{&a.name, &a.created, &a.suspended, &a.settings} }

func (a *accountScan) account() (account.Account, error) {
	settings, err := decodeSettings(a.settings)
	if err != nil {
		return account.Account{}, err
	}
	return account.Account{
		Name: a.name, Created: column.FromMicros(a.created), Suspended: a.suspended.Valid, Settings: settings,
	}, nil
}

func encodeSettings(settings map[string]string) (string, error) {
	if settings == nil {
		settings = map[string]string{}
	}
	text, err := json.Marshal(settings)
	if err != nil {
		return "", fmt.Errorf("encode settings: %w", err)
	}
	return string(text), nil
}

// decodeSettings returns a map that is never nil.
func decodeSettings(text string) (map[string]string, error) {
	settings := map[string]string{}
	if err := json.Unmarshal([]byte(text), &settings); err != nil {
		return nil, fmt.Errorf("decode settings: %w", err)
	}
	return settings, nil
}

package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/store/column"
)

var _ account.Store = (*Registry)(nil)

const accountColumns = "accounts.name, accounts.created_at, accounts.suspended_at, accounts.settings"

const (
	anyAccount     = "SELECT 1 FROM accounts LIMIT 1"
	accountByName  = "SELECT id, settings FROM accounts WHERE name = $1" // uses accounts.name
	readAccount    = "SELECT " + accountColumns + " FROM accounts WHERE name = $1"
	readAccounts   = "SELECT " + accountColumns + " FROM accounts ORDER BY id"
	addAccount     = "INSERT INTO accounts (name, created_at, suspended_at, settings) VALUES ($1, $2, $3, $4)"
	suspendAccount = "UPDATE accounts SET suspended_at = coalesce(suspended_at, $1) WHERE id = $2"
	enableAccount  = "UPDATE accounts SET suspended_at = NULL WHERE id = $1"
	writeSettings  = "UPDATE accounts SET settings = $1 WHERE id = $2"
)

// CreateAccount implements account.Store.
func (r *Registry) CreateAccount(ctx context.Context, a account.Account) error {
	return r.changeAccess(ctx, func(t Tx) error { return newAccount(t, a) })
}

// Bootstrap implements account.Store.
func (r *Registry) Bootstrap(ctx context.Context, a account.Account, k account.Key) (bool, error) {
	k.Account = a.Name
	created := false // read only if the change returned no error: else it may still be running
	err := r.changeAccess(ctx, func(t Tx) error {
		some, err := Exists(t.Query, anyAccount)
		if err != nil {
			return fmt.Errorf("look for accounts: %w", err)
		}
		if created = !some; some {
			return ErrUnchanged
		}
		if err := newAccount(t, a); err != nil {
			return err
		}
		return newKey(t, k)
	})
	if err != nil {
		return false, err
	}
	return created, nil
}

// Account implements account.Store.
func (r *Registry) Account(ctx context.Context, name string) (account.Account, error) {
	a, ok, err := First(r.db.Ask(ctx, 0), scanAccount, readAccount, name)
	if err != nil {
		return account.Account{}, r.db.ReadError("read account", err)
	}
	if !ok {
		return account.Account{}, account.ErrNotFound
	}
	return a, nil
}

// Accounts implements account.Store.
func (r *Registry) Accounts(ctx context.Context) ([]account.Account, error) {
	accounts, err := Collect(r.db.Ask(ctx, 0), scanAccount, readAccounts)
	if err != nil {
		return nil, r.db.ReadError("list accounts", err)
	}
	return accounts, nil
}

// SetSuspended implements account.Store.
func (r *Registry) SetSuspended(ctx context.Context, name string, suspended bool) error {
	return r.changeAccess(ctx, func(t Tx) error {
		id, _, err := accountRow(t, name)
		if err != nil {
			return err
		}
		if suspended {
			_, err = t.Exec(suspendAccount, t.Now().UnixMicro(), id)
		} else {
			_, err = t.Exec(enableAccount, id)
		}
		if err != nil {
			return fmt.Errorf("suspend or enable account: %w", err)
		}
		return nil
	})
}

// SetSettings implements account.Store.
func (r *Registry) SetSettings(ctx context.Context, name string, settings map[string]string) error {
	id, err := r.AccountID(ctx, name)
	if errors.Is(err, ErrNoAccount) {
		return account.ErrNotFound
	}
	if err != nil {
		return err
	}
	defer r.db.Changed(id)
	return r.changeAccess(ctx, func(t Tx) error {
		_, merged, err := accountRow(t, name)
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
		if _, err := t.Exec(writeSettings, text, id); err != nil {
			return fmt.Errorf("write settings: %w", err)
		}
		return t.Raise(id)
	})
}

// AccessVersion implements account.Store.
func (r *Registry) AccessVersion(ctx context.Context) (int64, error) {
	return r.db.Version(ctx, AccessKey)
}

// changeAccess does f in one transaction that raises the access version.
func (r *Registry) changeAccess(ctx context.Context, f func(Tx) error) error {
	return r.db.Change(ctx, AccessKey, f)
}

// accountRow returns the account's number and settings.
func accountRow(t Tx, name string) (int64, map[string]string, error) {
	type row struct {
		id       int64
		settings map[string]string
	}
	r, ok, err := First(t.Query, func(rows Row) (r row, err error) {
		var text string
		if err := rows.Scan(&r.id, &text); err != nil {
			return row{}, err
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

func newAccount(t Tx, a account.Account) error {
	taken, err := Exists(t.Query, accountByName, a.Name)
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
		suspended = t.Now().UnixMicro()
	}
	if _, err := t.Exec(addAccount, a.Name, orNow(t, a.Created), suspended, settings); err != nil {
		return fmt.Errorf("add account: %w", err)
	}
	return nil
}

func scanAccount(rows Row) (account.Account, error) {
	var a accountScan
	if err := rows.Scan(a.dest()...); err != nil {
		return account.Account{}, err
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

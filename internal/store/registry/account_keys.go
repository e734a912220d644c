package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/store/column"
)

const keyColumns = `api_keys.id, api_keys.name, api_keys.login, api_keys.throttle, api_keys.hash,
	api_keys.created_at, api_keys.expires_at, api_keys.revoked_at`

const keysWithAccount = "SELECT " + keyColumns + ", " + accountColumns +
	" FROM api_keys JOIN accounts ON accounts.id = api_keys.account_id"

const (
	readKeys      = keysWithAccount + " WHERE (CAST($1 AS TEXT) = '' OR accounts.name = $1) ORDER BY api_keys."
	readKeyByHash = keysWithAccount + " WHERE api_keys.hash = $1" // uses api_keys.hash
	readKeyByID   = keysWithAccount + " WHERE api_keys.id = $1"   // uses api_keys.id
	revokedAt     = "SELECT revoked_at FROM api_keys WHERE id = $1"
	revokeKey     = "UPDATE api_keys SET revoked_at = $1 WHERE id = $2"
	// Logins are free: who has one is nobody else's to know, and a key is found
	// without it. uses api_keys.id and api_keys.hash.
	keyTaken = "SELECT 1 FROM api_keys WHERE id = $1 OR hash = $2 LIMIT 1"
	addKey   = `INSERT INTO api_keys (id, account_id, name, login, throttle, hash, created_at, expires_at, revoked_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
)

// CreateKey implements account.Store.
func (r *Registry) CreateKey(ctx context.Context, k account.Key) error {
	return r.changeAccess(ctx, func(t Tx) error { return newKey(t, k) })
}

// Keys implements account.Store.
func (r *Registry) Keys(ctx context.Context, name string) ([]account.Key, error) {
	found, err := Collect(r.db.Ask(ctx, 0), scanKey, readKeys+r.rising, name)
	if err != nil {
		return nil, r.db.ReadError("list keys", err)
	}
	keys := make([]account.Key, 0, len(found))
	for _, f := range found {
		keys = append(keys, f.Key)
	}
	return keys, nil
}

// KeyByHash implements account.Store.
func (r *Registry) KeyByHash(ctx context.Context, hash [32]byte) (account.Key, account.Account, error) {
	return r.oneKey(ctx, readKeyByHash, hash[:])
}

// KeyByID implements account.Store.
func (r *Registry) KeyByID(ctx context.Context, id string) (account.Key, account.Account, error) {
	return r.oneKey(ctx, readKeyByID, id)
}

func (r *Registry) oneKey(ctx context.Context, query string, arg any) (account.Key, account.Account, error) {
	found, ok, err := First(r.db.Ask(ctx, 0), scanKey, query, arg)
	if err != nil {
		return account.Key{}, account.Account{}, r.db.ReadError("read key", err)
	}
	if !ok {
		return account.Key{}, account.Account{}, account.ErrNotFound
	}
	return found.Key, found.Account, nil
}

// RevokeKey implements account.Store.
func (r *Registry) RevokeKey(ctx context.Context, id string) error {
	return r.changeAccess(ctx, func(t Tx) error {
		revoked, ok, err := First(t.Query, func(row Row) (at sql.NullInt64, err error) {
			err = row.Scan(&at)
			return at, err
		}, revokedAt, id)
		switch {
		case err != nil:
			return fmt.Errorf("read key: %w", err)
		case !ok:
			return account.ErrNotFound
		case revoked.Valid:
			return ErrUnchanged
		}
		if _, err := t.Exec(revokeKey, t.Now().UnixMicro(), id); err != nil {
			return fmt.Errorf("revoke key: %w", err)
		}
		return nil
	})
}

func newKey(t Tx, k account.Key) error {
	owner, _, err := accountRow(t, k.Account)
	if err != nil {
		return err
	}
	taken, err := Exists(t.Query, keyTaken, k.ID, k.Hash[:])
	if err != nil {
		return fmt.Errorf("look for key: %w", err)
	}
	if taken {
		return account.ErrKeyTaken
	}
	_, err = t.Exec(addKey, k.ID, owner, k.Name, column.OptionalText(k.Login), k.Throttle, k.Hash[:],
		orNow(t, k.Created), column.OptionalMicros(k.Expires), column.OptionalMicros(k.Revoked))
	if err != nil {
		return fmt.Errorf("add key: %w", err)
	}
	return nil
}

// scanKey reads keyColumns and accountColumns.
func scanKey(rows Row) (account.Identity, error) {
	var (
		k                account.Key
		a                accountScan
		login            sql.NullString
		hash             []byte
		created          int64
		expires, revoked sql.NullInt64
	)
	dest := append([]any{&k.ID, &k.Name, &login, &k.Throttle, &hash, &created, &expires, &revoked}, a.dest()...)
	if err := rows.Scan(dest...); err != nil {
		return account.Identity{}, err
	}
	if len(hash) != len(k.Hash) {
		return account.Identity{}, errors.New("stored hash of a key has the wrong length")
	}
	owner, err := a.account()
	if err != nil {
		return account.Identity{}, err
	}
	k.Account, k.Login, k.Hash = owner.Name, login.String, [32]byte(hash)
	k.Created, k.Expires, k.Revoked = column.FromMicros(created), column.FromMicros(expires.Int64), column.FromMicros(revoked.Int64)
	return account.Identity{Account: owner, Key: k}, nil
}

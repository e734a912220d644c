package sqlite

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
	readKeys      = keysWithAccount + " WHERE (?1 = '' OR accounts.name = ?1) ORDER BY api_keys.rowid"
	readKeyByHash = keysWithAccount + " WHERE api_keys.hash = ?" // uses api_keys.hash
	readKeyByID   = keysWithAccount + " WHERE api_keys.id = ?"   // uses api_keys.id
	revokedAt     = "SELECT revoked_at FROM api_keys WHERE id = ?"
	revokeKey     = "UPDATE api_keys SET revoked_at = ? WHERE id = ?"
	// The login is compared with letters folded as account.FoldLogin does for
	// the logins that are valid.
	keyTaken = `SELECT 1 FROM api_keys WHERE id = ?1 OR hash = ?2
		UNION ALL
		SELECT 1 FROM api_keys WHERE lower(login) = ?3 AND account_id <> ?4 AND revoked_at IS NULL
		LIMIT 1`
	addKey = `INSERT INTO api_keys (id, account_id, name, login, throttle, hash, created_at, expires_at, revoked_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
)

// CreateKey implements account.Store.
func (s *Store) CreateKey(ctx context.Context, k account.Key) error {
	return s.changeAccess(ctx, func(t *tx) error { return t.addKey(k) })
}

// Keys implements account.Store.
func (s *Store) Keys(ctx context.Context, name string) ([]account.Key, error) {
	found, err := collect(s.pooled(ctx), scanKey, readKeys, name)
	if err != nil {
		return nil, s.readError("list keys", err)
	}
	keys := make([]account.Key, 0, len(found))
	for _, f := range found {
		keys = append(keys, f.Key)
	}
	return keys, nil
}

// KeyByHash implements account.Store.
func (s *Store) KeyByHash(ctx context.Context, hash [32]byte) (account.Key, account.Account, error) {
	return s.oneKey(ctx, readKeyByHash, hash[:])
}

// KeyByID implements account.Store.
func (s *Store) KeyByID(ctx context.Context, id string) (account.Key, account.Account, error) {
	return s.oneKey(ctx, readKeyByID, id)
}

func (s *Store) oneKey(ctx context.Context, query string, arg any) (account.Key, account.Account, error) {
	found, ok, err := first(s.pooled(ctx), scanKey, query, arg)
	if err != nil {
		return account.Key{}, account.Account{}, s.readError("read key", err)
	}
	if !ok {
		return account.Key{}, account.Account{}, account.ErrNotFound
	}
	return found.Key, found.Account, nil
}

// RevokeKey implements account.Store.
func (s *Store) RevokeKey(ctx context.Context, id string) error {
	return s.changeAccess(ctx, func(t *tx) error {
		var revoked sql.NullInt64
		err := t.row(revokedAt, id).Scan(&revoked)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return account.ErrNotFound
		case err != nil:
			return fmt.Errorf("read key: %w", err)
		case revoked.Valid:
			return errUnchanged
		}
		if _, err := t.exec(revokeKey, t.now.UnixMicro(), id); err != nil {
			return fmt.Errorf("revoke key: %w", err)
		}
		return nil
	})
}

func (t *tx) addKey(k account.Key) error {
	owner, _, err := t.accountRow(k.Account)
	if err != nil {
		return err
	}
	taken, err := exists(t.query, keyTaken, k.ID, k.Hash[:], account.FoldLogin(k.Login), owner)
	if err != nil {
		return fmt.Errorf("look for key: %w", err)
	}
	if taken {
		return account.ErrKeyTaken
	}
	_, err = t.exec(addKey, k.ID, owner, k.Name, column.OptionalText(k.Login), k.Throttle, k.Hash[:],
		t.orNow(k.Created), column.OptionalMicros(k.Expires), column.OptionalMicros(k.Revoked))
	if err != nil {
		return fmt.Errorf("add key: %w", err)
	}
	return nil
}

// scanKey reads keyColumns and accountColumns.
func scanKey(rows rower) (account.Identity, error) {
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
		return account.Identity{}, err //nolint:wrapcheck // the caller says what it was doing
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

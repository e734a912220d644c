package sqlite

import (
	"context"
	"errors"

	"github.com/countersign/countersign/internal/catalog"
)

const callbackColumns = `callback_configs.id, url, profile_id, headers, secret, previous_secret, previous_until
	FROM callback_configs`

const (
	readConfigs = "SELECT " + callbackColumns + " WHERE account_id = ? ORDER BY seq"
	readConfig  = "SELECT " + callbackColumns + " WHERE account_id = ? AND id = ?" // uses callback_configs_id_key
	// For operators only: it crosses accounts, and reads the whole table, which
	// is small.
	configOfAny = "SELECT accounts.name, " + callbackColumns +
		" JOIN accounts ON accounts.id = account_id WHERE callback_configs.id = ?"
	addConfig = `INSERT INTO callback_configs (account_id, id, url, profile_id, headers, secret, previous_secret, previous_until)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
	changeConfig = `UPDATE callback_configs
		SET url = ?, profile_id = ?, headers = ?, secret = ?, previous_secret = ?, previous_until = ?
		WHERE account_id = ? AND id = ?`
	findConfig = "SELECT 1 FROM callback_configs WHERE account_id = ? AND id = ?"
	dropConfig = "DELETE FROM callback_configs WHERE account_id = ? AND id = ?"
	dropQueue  = "DELETE FROM callbacks WHERE account_id = ? AND config_id = ?" // uses callbacks_config_idx
)

// Callbacks implements catalog.Store.
func (s *Store) Callbacks(ctx context.Context, account string) ([]catalog.SealedCallback, error) {
	return list(ctx, s, account, scanConfig, readConfigs)
}

// CallbackByID implements catalog.Store.
func (s *Store) CallbackByID(ctx context.Context, id string) (account string, c catalog.SealedCallback, err error) {
	type owned struct {
		account string
		config  catalog.SealedCallback
	}
	found, err := must(s.pooled(ctx), func(rows rower) (o owned, err error) {
		err = rows.Scan(append([]any{&o.account}, configDest(&o.config)...)...)
		return o, err //nolint:wrapcheck // readError says what it was doing
	}, configOfAny, id)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		err = s.readError("read callback configuration", err)
	}
	return found.account, found.config, err
}

// CreateCallback implements catalog.Store.
func (s *Store) CreateCallback(ctx context.Context, account string, c catalog.SealedCallback) error {
	return s.changeCatalog(ctx, account, func(t *tx, owner int64) error {
		return t.all(do(addConfig, owner, c.ID, c.URL, c.ProfileID, c.Headers, c.Secret, c.Previous, c.PreviousUntil))
	})
}

// UpdateCallback implements catalog.Store.
func (s *Store) UpdateCallback(
	ctx context.Context, account, id string, apply func(catalog.SealedCallback) (catalog.SealedCallback, error),
) error {
	return s.changeCatalog(ctx, account, func(t *tx, owner int64) error {
		was, err := must(t.query, scanConfig, readConfig, owner, id)
		if err != nil {
			return err
		}
		is, err := apply(was)
		if err != nil {
			return err
		}
		return t.all(do(changeConfig,
			is.URL, is.ProfileID, is.Headers, is.Secret, is.Previous, is.PreviousUntil, owner, id))
	})
}

// DeleteCallback implements catalog.Store.
func (s *Store) DeleteCallback(ctx context.Context, account, id string) error {
	return s.changeCatalog(ctx, account, func(t *tx, owner int64) error {
		return t.remove(do(findConfig, owner, id), do(dropQueue, owner, id), do(dropConfig, owner, id))
	})
}

// configDest is where callbackColumns go.
func configDest(c *catalog.SealedCallback) []any {
	return []any{&c.ID, &c.URL, &c.ProfileID, &c.Headers, &c.Secret, &c.Previous, &c.PreviousUntil}
}

func scanConfig(rows rower) (c catalog.SealedCallback, err error) {
	err = rows.Scan(configDest(&c)...)
	return c, err //nolint:wrapcheck // the caller says what it was doing
}

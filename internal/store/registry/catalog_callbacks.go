package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/upkeep"
)

const callbackColumns = `callback_configs.id, url, profile_id, headers, secret, previous_secret, previous_until
	FROM callback_configs`

const (
	readConfigs = "SELECT " + callbackColumns + " WHERE account_id = $1 ORDER BY seq"
	readConfig  = "SELECT " + callbackColumns + " WHERE account_id = $1 AND id = $2" // uses callback_configs_id_key
	// For operators only: it crosses accounts, and reads the whole table, which
	// is small.
	configOfAny = "SELECT accounts.name, " + callbackColumns +
		" JOIN accounts ON accounts.id = account_id WHERE callback_configs.id = $1"
	addConfig = `INSERT INTO callback_configs (account_id, id, url, profile_id, headers, secret, previous_secret, previous_until)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
	changeConfig = `UPDATE callback_configs
		SET url = $1, profile_id = $2, headers = $3, secret = $4, previous_secret = $5, previous_until = $6
		WHERE account_id = $7 AND id = $8`
	findConfig = "SELECT 1 FROM callback_configs WHERE account_id = $1 AND id = $2"
	dropConfig = "DELETE FROM callback_configs WHERE account_id = $1 AND id = $2"
	// Both use callbacks_config_idx, dropSome then the primary key.
	dropQueue = "DELETE FROM callbacks WHERE account_id = $1 AND config_id = $2"
	dropSome  = `DELETE FROM callbacks WHERE (account_id, seq) IN (
		SELECT account_id, seq FROM callbacks WHERE account_id = $1 AND config_id = $2 LIMIT $3)`
)

// Callbacks implements catalog.Store.
func (r *Registry) Callbacks(ctx context.Context, account string) ([]catalog.SealedCallback, error) {
	return list(ctx, r, account, scanConfig, readConfigs)
}

// CallbackByID implements catalog.Store.
func (r *Registry) CallbackByID(ctx context.Context, id string) (account string, c catalog.SealedCallback, err error) {
	type owned struct {
		account string
		config  catalog.SealedCallback
	}
	found, err := must(r.db.Ask(ctx, 0), func(rows Row) (o owned, err error) {
		err = rows.Scan(append([]any{&o.account}, configDest(&o.config)...)...)
		return o, err
	}, configOfAny, id)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		err = r.db.ReadError("read callback configuration", err)
	}
	return found.account, found.config, err
}

// CreateCallback implements catalog.Store.
func (r *Registry) CreateCallback(ctx context.Context, account string, c catalog.SealedCallback) error {
	return r.changeCatalog(ctx, account, func(t Tx, owner int64) error {
		return writeCatalog(t, do(addConfig, owner, c.ID, c.URL, c.ProfileID, c.Headers, c.Secret, c.Previous, c.PreviousUntil))
	})
}

// UpdateCallback implements catalog.Store.
func (r *Registry) UpdateCallback(
	ctx context.Context, account, id string, apply func(catalog.SealedCallback) (catalog.SealedCallback, error),
) error {
	return r.changeCatalog(ctx, account, func(t Tx, owner int64) error {
		was, err := must(t.Query, scanConfig, readConfig, owner, id)
		if err != nil {
			return err
		}
		is, err := apply(was)
		if err != nil {
			return err
		}
		return writeCatalog(t, do(changeConfig,
			is.URL, is.ProfileID, is.Headers, is.Secret, is.Previous, is.PreviousUntil, owner, id))
	})
}

// DeleteCallback implements catalog.Store.
func (r *Registry) DeleteCallback(ctx context.Context, account, id string) error {
	if err := r.drain(ctx, account, id); err != nil {
		return err
	}
	return r.changeCatalog(ctx, account, func(t Tx, owner int64) error {
		// The lock waits for events that are being queued for the configuration.
		return remove(t, t.Lock, do(findConfig, owner, id), do(dropQueue, owner, id), do(dropConfig, owner, id))
	})
}

// drain discards what is queued for a configuration, so many at a time: nobody
// waits for long behind it, however much there is. Events that arise meanwhile
// are queued still.
func (r *Registry) drain(ctx context.Context, account, id string) error {
	owner, err := r.owner(ctx, account)
	if err != nil {
		return err
	}
	for {
		var n int64
		err := r.db.Write(ctx, func(t Tx) (err error) {
			t.Only(owner)
			if n, err = t.Exec(dropSome, owner, id, upkeep.SweepBatch); err != nil {
				return fmt.Errorf("discard callbacks: %w", err)
			}
			return nil
		})
		if err != nil || n < upkeep.SweepBatch {
			return err
		}
	}
}

// configDest is where callbackColumns go.
func configDest(c *catalog.SealedCallback) []any {
	return []any{&c.ID, &c.URL, &c.ProfileID, &c.Headers, &c.Secret, &c.Previous, &c.PreviousUntil}
}

func scanConfig(rows Row) (c catalog.SealedCallback, err error) {
	err = rows.Scan(configDest(&c)...)
	return c, err
}

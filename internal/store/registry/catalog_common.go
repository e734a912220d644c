package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/countersign/countersign/internal/catalog"
)

var _ catalog.Store = (*Registry)(nil)

// CatalogVersion implements catalog.Store.
func (r *Registry) CatalogVersion(ctx context.Context, name string) (int64, error) {
	owner, err := r.owner(ctx, name)
	if err != nil {
		return 0, err
	}
	return r.db.Version(ctx, owner)
}

// owner is AccountID in the catalog's words.
func (r *Registry) owner(ctx context.Context, name string) (int64, error) {
	id, err := r.AccountID(ctx, name)
	if errors.Is(err, ErrNoAccount) {
		return 0, catalog.ErrNotFound
	}
	return id, err
}

// changeCatalog does f in one transaction that raises the account's version.
func (r *Registry) changeCatalog(ctx context.Context, name string, f func(t Tx, owner int64) error) error {
	owner, err := r.owner(ctx, name)
	if err != nil {
		return err
	}
	return r.db.Change(ctx, owner, func(t Tx) error {
		t.Only(owner)
		return f(t, owner)
	})
}

// list returns what scan makes of the account's rows of a query whose first
// argument is the account.
func list[T any](ctx context.Context, r *Registry, name string, scan func(Row) (T, error), query string, args ...any) ([]T, error) {
	owner, err := r.owner(ctx, name)
	if err != nil {
		return nil, err
	}
	all, err := Collect(r.db.Ask(ctx, owner), scan, query, append([]any{owner}, args...)...)
	if err != nil {
		return nil, r.db.ReadError("list catalog entries", err)
	}
	return all, nil
}

// entry is list for the entry of an id.
func entry[T any](ctx context.Context, r *Registry, name, id string, scan func(Row) (T, error), query string) (one T, err error) {
	owner, err := r.owner(ctx, name)
	if err != nil {
		return one, err
	}
	if one, err = must(r.db.Ask(ctx, owner), scan, query, owner, id); err != nil && !errors.Is(err, catalog.ErrNotFound) {
		err = r.db.ReadError("read catalog entry", err)
	}
	return one, err
}

// must is First for an entry that has to be there.
func must[T any](q Ask, scan func(Row) (T, error), query string, args ...any) (T, error) {
	one, ok, err := First(q, scan, query, args...)
	if err == nil && !ok {
		err = catalog.ErrNotFound
	}
	return one, err
}

// free returns taken if a query has a row.
func free(q Ask, taken error, query string, args ...any) error {
	some, err := Exists(q, query, args...)
	if err == nil && some {
		return taken
	}
	return err
}

func encodeJSON(v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode: %w", err)
	}
	return string(text), nil
}

func decodeJSON(text string, v any) error {
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	return nil
}

package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/countersign/countersign/internal/catalog"
)

var _ catalog.Store = (*Store)(nil)

// CatalogVersion implements catalog.Store.
func (s *Store) CatalogVersion(ctx context.Context, name string) (int64, error) {
	owner, err := s.owner(ctx, name)
	if err != nil {
		return 0, err
	}
	return s.version(ctx, owner)
}

// owner is accountID in the catalog's words.
func (s *Store) owner(ctx context.Context, name string) (int64, error) {
	id, err := s.accountID(ctx, name)
	if errors.Is(err, ErrNoAccount) {
		return 0, catalog.ErrNotFound
	}
	return id, err
}

// changeCatalog does f in one transaction that raises the account's version.
func (s *Store) changeCatalog(ctx context.Context, name string, f func(t *tx, owner int64) error) error {
	owner, err := s.owner(ctx, name)
	if err != nil {
		return err
	}
	return s.change(ctx, owner, func(t *tx) error { return f(t, owner) })
}

// list returns what scan makes of the account's rows of a query whose only
// argument is the account.
func list[T any](ctx context.Context, s *Store, name string, scan func(rower) (T, error), query string) ([]T, error) {
	owner, err := s.owner(ctx, name)
	if err != nil {
		return nil, err
	}
	all, err := collect(s.pooled(ctx), scan, query, owner)
	if err != nil {
		return nil, s.readError("list catalog entries", err)
	}
	return all, nil
}

// entry is list for the entry of an id.
func entry[T any](ctx context.Context, s *Store, name, id string, scan func(rower) (T, error), query string) (one T, err error) {
	owner, err := s.owner(ctx, name)
	if err != nil {
		return one, err
	}
	if one, err = must(s.pooled(ctx), scan, query, owner, id); err != nil && !errors.Is(err, catalog.ErrNotFound) {
		err = s.readError("read catalog entry", err)
	}
	return one, err
}

// must is first for an entry that has to be there.
func must[T any](q ask, scan func(rower) (T, error), query string, args ...any) (T, error) {
	one, ok, err := first(q, scan, query, args...)
	if err == nil && !ok {
		err = catalog.ErrNotFound
	}
	return one, err
}

// free returns taken if a query has a row.
func free(q ask, taken error, query string, args ...any) error {
	some, err := exists(q, query, args...)
	if err == nil && some {
		return taken
	}
	return err
}

// statement is a query with its arguments.
type statement struct {
	text string
	args []any
}

func do(text string, args ...any) statement { return statement{text, args} }

// all executes statements, in order.
func (t *tx) all(statements ...statement) error {
	for _, s := range statements {
		if _, err := t.exec(s.text, s.args...); err != nil {
			return fmt.Errorf("write catalog: %w", err)
		}
	}
	return nil
}

// remove executes statements if find has a row, so that deleting what is not
// there changes nothing and costs no write.
func (t *tx) remove(find statement, statements ...statement) error {
	some, err := exists(t.query, find.text, find.args...)
	if err != nil {
		return fmt.Errorf("look for catalog entry: %w", err)
	}
	if !some {
		return errUnchanged
	}
	return t.all(statements...)
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

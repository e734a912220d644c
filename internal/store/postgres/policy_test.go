package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/pgtest"
)

// scopedTables are those with rows of accounts that requests reach.
const scopedTables = `SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (
		SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid)
	FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'account_id'
	WHERE c.relkind = 'r' AND c.relnamespace = to_regnamespace(current_schema()) AND c.relname <> 'api_keys'`

func TestEveryTableOfAccountsHasAPolicy(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	open(t, url, nil)
	rows, err := raw(t, url).Query(t.Context(), scopedTables)
	if err != nil {
		t.Fatal(err)
	}
	tables := 0
	var name string
	var guarded bool
	if _, err := pgx.ForEachRow(rows, []any{&name, &guarded}, func() error {
		if tables++; !guarded {
			t.Errorf("table %s has no policy that holds for its owner (T-01)", name)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if tables < 15 {
		t.Errorf("found %d tables, want all 15", tables)
	}
}

func TestATransactionThatNamedItsAccountFindsNothingOfOthers(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	s := open(t, url, nil)
	for _, name := range []string{"acme", "other"} {
		if err := s.CreateAccount(t.Context(), account.Account{Name: name}); err != nil {
			t.Fatal(err)
		}
		n := newOTP(t, "id", time.Minute)
		n.Account = name
		if _, err := s.CreateOTP(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	conn := raw(t, url)
	for _, c := range []struct {
		scope string
		want  int
	}{{"", 2}, {"1", 1}, {"2", 1}, {"3", 0}} {
		err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), "SELECT set_config('countersign.account', $1, true)", c.scope); err != nil {
				return err
			}
			for _, table := range []string{"otps", "deliveries"} {
				if got := count(t.Context(), t, tx, "SELECT count(*) FROM "+table); got != c.want {
					t.Errorf("in the scope %q: %d rows of %s, want %d", c.scope, got, table, c.want)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

type rower interface {
	QueryRow(ctx context.Context, query string, args ...any) pgx.Row
}

// count runs a query for one number.
func count(ctx context.Context, t testing.TB, from rower, query string, args ...any) (n int) {
	t.Helper()
	if err := from.QueryRow(ctx, query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

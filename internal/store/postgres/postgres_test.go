package postgres_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/postgres"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/upkeep"
)

// open opens the database at url, to be closed with the test.
func open(t testing.TB, url string, wall func() time.Time) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), postgres.Config{URL: url, Wall: wall, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// patient, in a URL, has a store wait for what a test holds, however slow the
// machine is.
const patient = "&lock_timeout=600000"

// raw is a connection past the store.
func raw(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}

func TestStoreKeepsEveryPromise(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB, wall func() time.Time) storetest.Opened {
		url := least(t)
		s := open(t, url, wall)
		return storetest.Opened{
			Store: s,
			SealedCodes: func(t testing.TB, account, id string) int {
				t.Helper()
				var n int
				err := raw(t, url).QueryRow(t.Context(), `SELECT count(*) FROM deliveries d
					JOIN otps o ON o.account_id = d.account_id AND o.seq = d.otp
					JOIN accounts a ON a.id = o.account_id WHERE a.name = $1 AND o.id = $2 AND d.sealed IS NOT NULL`,
					account, column.EncodeID(id)).Scan(&n)
				if err != nil {
					t.Fatal(err)
				}
				return n
			},
			DeliveryIDs: func(t testing.TB) int {
				t.Helper()
				return count(t.Context(), t, raw(t, url), `SELECT count(*) FROM delivery_ids`)
			},
			LimitTimes: func(t testing.TB) int {
				t.Helper()
				return count(t.Context(), t, raw(t, url), `SELECT coalesce(sum(cardinality(sends) + cardinality(failures)), 0) FROM tallies`)
			},
			Purge: func(t testing.TB, keep upkeep.Retention) int {
				t.Helper()
				n, err := s.Purge(t.Context(), keep)
				if err != nil {
					t.Fatal(err)
				}
				return n
			},
		}
	})
}

func TestAccountsKeepTheirPromises(t *testing.T) {
	t.Parallel()
	storetest.RunAccounts(t, func(t testing.TB) storetest.AccountStore { return open(t, least(t), nil) })
}

func TestCatalogKeepsItsPromises(t *testing.T) {
	t.Parallel()
	storetest.RunCatalog(t, func(t testing.TB) storetest.CatalogStore { return open(t, least(t), nil) })
}

func TestCallbackQueueKeepsItsPromises(t *testing.T) {
	t.Parallel()
	storetest.RunCallbacks(t, func(t testing.TB, wall func() time.Time) storetest.CallbackStore {
		return open(t, least(t), wall)
	})
}

func TestSandboxConforms(t *testing.T) {
	t.Parallel()
	storetest.RunSandbox(t, func(t testing.TB, wall func() time.Time) storetest.SandboxStore {
		return open(t, least(t), wall)
	})
}

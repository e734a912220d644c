package sqlite_test

import (
	"database/sql"
	"log/slog"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/store/testdb"
	"github.com/countersign/countersign/internal/upkeep"
)

// open opens the database at path, to be closed with the test.
func open(t testing.TB, path string, wall func() time.Time) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Config{
		Path: path, Migrate: true, Wall: wall, Log: slog.New(slog.DiscardHandler), Fatal: func(err error) { t.Error(err) },
	})
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

func TestStoreKeepsEveryPromise(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB, wall func() time.Time) storetest.Opened {
		path := testdb.Blank(t)
		s := open(t, path, wall)
		return storetest.Opened{
			Store: s,
			SealedCodes: func(t testing.TB, account, id string) int {
				t.Helper()
				db, err := sql.Open("sqlite", path)
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				var n int
				err = db.QueryRowContext(t.Context(), `SELECT count(*) FROM deliveries d JOIN otps o ON o.seq = d.otp
					JOIN accounts a ON a.id = o.account_id WHERE a.name = ? AND o.id = ? AND d.sealed IS NOT NULL`,
					account, column.EncodeID(id)).Scan(&n)
				if err != nil {
					t.Fatal(err)
				}
				return n
			},
			DeliveryIDs: func(t testing.TB) (n int) {
				t.Helper()
				if err := raw(t, path).QueryRowContext(t.Context(), `SELECT count(*) FROM delivery_ids`).Scan(&n); err != nil {
					t.Fatal(err)
				}
				return n
			},
			LimitTimes: func(t testing.TB) (n int) {
				t.Helper()
				if err := raw(t, path).QueryRowContext(t.Context(), `SELECT coalesce(sum(length(sends) + length(failures)) / 8, 0) FROM tallies`).Scan(&n); err != nil {
					t.Fatal(err)
				}
				return n
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

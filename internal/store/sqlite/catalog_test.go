package sqlite_test

import (
	"crypto/rand"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/stolen"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/store/testdb"
)

func TestAccountsKeepEveryPromise(t *testing.T) {
	t.Parallel()
	storetest.RunAccounts(t, func(t testing.TB) storetest.AccountStore {
		return open(t, testdb.Blank(t), nil)
	})
}

func TestTheCatalogKeepsEveryPromise(t *testing.T) {
	t.Parallel()
	storetest.RunCatalog(t, func(t testing.TB) storetest.CatalogStore {
		return open(t, testdb.Blank(t), nil)
	})
}

// eventually calls f until it reports true, as it must after the second that a
// change may take to be seen by another process (K-03).
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	stolen.Within(t, time.Second, what, f)
}

func TestARevokedKeyIsRefusedAtOnceHereAndWithinASecondElsewhere(t *testing.T) {
	t.Parallel()
	path := testdb.Blank(t)
	server, command := open(t, path, nil), open(t, path, nil)
	if err := server.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	auth := account.NewAuthenticator(server, time.Now)
	newKey := func() (id, text string) {
		t.Helper()
		secret, key, err := account.NewKey(rand.Reader, account.Key{Account: "acme"})
		if err != nil {
			t.Fatal(err)
		}
		if err := command.CreateKey(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if _, err := auth.Authenticate(t.Context(), secret.Reveal()); err != nil {
			t.Fatalf("a key made by another process: %v; want it known at once", err)
		}
		return key.ID, secret.Reveal()
	}

	id, text := newKey()
	if err := server.RevokeKey(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := auth.Authenticate(t.Context(), text); !errors.Is(err, account.ErrKeyDisabled) {
		t.Errorf("right after the server revoked it: %v; want ErrKeyDisabled", err)
	}

	id, text = newKey()
	if err := command.RevokeKey(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a key revoked by another process is refused", func() bool {
		_, err := auth.Authenticate(t.Context(), text)
		return errors.Is(err, account.ErrKeyDisabled)
	})

	_, text = newKey()
	if err := command.SetSuspended(t.Context(), "acme", true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a key of an account suspended by another process is refused", func() bool {
		_, err := auth.Authenticate(t.Context(), text)
		return errors.Is(err, account.ErrSuspended)
	})
}

func TestAChangeOfTheCatalogIsSeenElsewhereWithinASecond(t *testing.T) {
	t.Parallel()
	path := testdb.Blank(t)
	server, command := open(t, path, nil), open(t, path, nil)
	if err := server.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	before, err := server.CatalogVersion(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	if err := command.SetSettings(t.Context(), "acme", map[string]string{"sender": "A"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the catalog's version is raised", func() bool {
		now, err := server.CatalogVersion(t.Context(), "acme")
		return err == nil && now > before
	})
}

func TestDeletingACallbackConfigurationDiscardsItsQueueOnly(t *testing.T) {
	t.Parallel()
	path := testdb.Blank(t)
	s := open(t, path, nil)
	for _, name := range []string{"acme", "other"} {
		if err := s.CreateAccount(t.Context(), account.Account{Name: name}); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"one", "two"} {
			if err := s.CreateCallback(t.Context(), name, catalog.SealedCallback{ID: id, Secret: []byte{1}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	// Two waiting callbacks and a dead letter for each configuration.
	if _, err := db.ExecContext(t.Context(), `INSERT INTO callbacks (id, account_id, config_id, otp, event_seq, due_at, created_at)
		SELECT randomblob(16), account_id, callback_configs.id, 1, n.value, nullif(n.value, 3), 1
		FROM callback_configs, json_each('[1,2,3]') n`); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteCallback(t.Context(), "acme", "one"); err != nil {
		t.Fatal(err)
	}
	rows, err := db.QueryContext(t.Context(), `SELECT accounts.name || ' ' || config_id, count(*) FROM callbacks
		JOIN accounts ON accounts.id = account_id GROUP BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}()
	left := map[string]int{}
	for rows.Next() {
		var config string
		var n int
		if err := rows.Scan(&config, &n); err != nil {
			t.Fatal(err)
		}
		left[config] = n
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if len(left) != 3 || left["acme two"] != 3 || left["other one"] != 3 || left["other two"] != 3 {
		t.Errorf("callbacks left: %v; want 3 of each configuration but acme's one", left)
	}
}

package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/storetest"
)

// undoneOnce has the server undo the first transaction that changes a callback,
// once that is to be committed, as it does because of another one.
const undoneOnce = `CREATE SEQUENCE changes;
CREATE FUNCTION undo_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF nextval('changes') = 1 THEN
		RAISE EXCEPTION 'undone' USING ERRCODE = 'serialization_failure';
	END IF;
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER undo_once AFTER UPDATE ON callbacks
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION undo_once()`

func TestAClaimThatTheServerUndidClaimsNothingTwice(t *testing.T) {
	t.Parallel()
	url := pgtest.Ready(t)
	wall := &storetest.Wall{}
	box := storetest.NewOutbox(t, open(t, url, wall.Now))
	box.Configure(storetest.Acme, catalog.Callback{URL: "https://a.example"})
	box.Configure(storetest.Acme, catalog.Callback{URL: "https://b.example"})
	box.Send(storetest.Acme).Dispatch()
	server := raw(t, url)
	if _, err := server.Exec(t.Context(), undoneOnce); err != nil {
		t.Fatal(err)
	}
	posts, _, err := box.ClaimCallbacks(t.Context(), callback.Claim{Node: "n1", Limit: 10, PerConfig: 8, Lease: time.Minute})
	if err != nil || len(posts) != 2 || posts[0].ID == posts[1].ID {
		t.Errorf("claimed %d, %v; want two callbacks, each once", len(posts), err)
	}
	if n := count(t.Context(), t, server, "SELECT last_value FROM changes"); n < 3 {
		t.Errorf("%d callbacks were changed in all; want those of a try that was undone and of another", n)
	}
}

// Statements that come later on the connection have plans of their own.
func TestAClaimLeavesItsConnectionTheSettingsThatItHad(t *testing.T) {
	t.Parallel()
	wall := &storetest.Wall{}
	s := open(t, pgtest.Ready(t)+"&pool_max_conns=1", wall.Now)
	box := storetest.NewOutbox(t, s)
	box.Configure(storetest.Acme, catalog.Callback{URL: "https://a.example"})
	box.Send(storetest.Acme).Dispatch()
	posts, _, err := box.ClaimCallbacks(t.Context(), callback.Claim{Node: "n1", Limit: 10, PerConfig: 8, Lease: time.Minute})
	if err != nil || len(posts) != 1 {
		t.Fatalf("claimed %d, %v; want 1", len(posts), err)
	}
	err = s.Write(t.Context(), func(conn *pgx.Conn) error {
		for setting, want := range map[string]string{"enable_seqscan": "on", "plan_cache_mode": "auto"} {
			var got string
			if err := conn.QueryRow(context.Background(), "SHOW "+setting).Scan(&got); err != nil {
				return err
			}
			if got != want {
				t.Errorf("after a claim %s is %s, want %s", setting, got, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

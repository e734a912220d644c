package proof_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to hold the node's database

	"github.com/countersign/countersign/internal/pgtest"
)

// slowSettings are those of nodes whose databases are hindered.
var slowSettings = []string{"COUNTERSIGN_SENDS_PER_RECIPIENT=0", "COUNTERSIGN_LOG_LEVEL=error"}

// hindered is a node and its database, past the node.
type hindered struct {
	*process

	db *sql.DB
}

// onPostgres starts a node on PostgreSQL.
func onPostgres(t *testing.T) hindered {
	t.Helper()
	url := pgtest.Ready(t)
	return hindered{newFleet(t, url, 1, slowSettings...).node(0), open(t, url)}
}

// onSQLite starts a node on SQLite.
func onSQLite(t *testing.T) hindered {
	t.Helper()
	p := serve(t, t.TempDir(), append([]string{"COUNTERSIGN_BOOTSTRAP_API_KEY=" + fleetKey}, slowSettings...)...)
	p.key = fleetKey
	files, err := filepath.Glob(filepath.Join(p.dir, "*.db"))
	if err != nil || len(files) != 1 {
		t.Fatalf("database files: %v, %v", files, err)
	}
	db, err := sql.Open("sqlite", files[0]+"?_pragma=busy_timeout(60000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return hindered{p, db}
}

// holdInserts makes PostgreSQL wait with every new OTP until release is called.
func (h hindered) holdInserts(t *testing.T) (release func()) {
	t.Helper()
	change(t, h.db, `CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NEW; END $$;
		CREATE TRIGGER wait BEFORE INSERT ON otps FOR EACH ROW EXECUTE FUNCTION wait()`)
	return h.hold(t, `SELECT pg_advisory_lock(7)`, `SELECT pg_advisory_unlock(7)`)
}

// holdWrites makes SQLite wait with every write until release is called.
func (h hindered) holdWrites(t *testing.T) (release func()) {
	t.Helper()
	return h.hold(t, `BEGIN IMMEDIATE`, `ROLLBACK`)
}

func (h hindered) hold(t *testing.T, take, give string) (release func()) {
	t.Helper()
	conn, err := h.db.Conn(t.Context())
	if err == nil {
		_, err = conn.ExecContext(t.Context(), take)
	}
	if err != nil {
		t.Fatal(err)
	}
	return sync.OnceFunc(func() {
		_, err := conn.ExecContext(context.WithoutCancel(t.Context()), give)
		if err = errors.Join(err, conn.Close()); err != nil {
			t.Error(err)
		}
	})
}

// sendTo sends an OTP and says whether it was accepted, and its id then. What
// is neither accepted nor refused with a Retry-After is an error.
func (p *process) sendTo(ctx context.Context, number string) (id string, accepted bool, err error) {
	a, err := p.makeAdvised(ctx, v1{key: fleetKey}.send(number, rightCode))
	switch {
	case err != nil:
		return "", false, err
	case a.status == http.StatusServiceUnavailable:
		return "", false, nil
	}
	id, err = v1{}.sent(a)
	return id, err == nil, err
}

// A database stands, and does not move before a node has refused sends: so no
// refusal waits for it (D-08). What waits is answered when it moves, and what
// was acknowledged is there.
func TestANodeRefusesWhileItsDatabaseStands(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		start func(*testing.T) hindered
		hold  func(hindered, *testing.T) func()
		// checks says that checks do not wait for what is held.
		checks bool
	}{
		{"PostgreSQL", onPostgres, hindered.holdInserts, true},
		{"SQLite", onSQLite, hindered.holdWrites, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := c.start(t)
			ctx := context.WithoutCancel(t.Context())
			checkable, accepted, err := h.sendTo(ctx, "+4915300000009")
			if err != nil || !accepted {
				t.Fatalf("a send = %v, %v", accepted, err)
			}
			release := c.hold(h, t)
			defer release()

			// More than are ever let in when nothing is known of how long they take.
			const waiting, refusals = 128, 32
			var mu sync.Mutex // guards what follows
			var ids []string
			refused, answered := 0, 0
			var sends sync.WaitGroup
			for i := range waiting {
				sends.Go(func() {
					id, accepted, err := h.sendTo(ctx, fmt.Sprintf("+49154%07d9", i))
					mu.Lock()
					defer mu.Unlock()
					switch answered++; {
					case err != nil:
						t.Errorf("a send that waits for the database: %v", err)
					case accepted:
						ids = append(ids, id)
					}
				})
			}
			for begun := time.Now(); refused < refusals; {
				if time.Since(begun) > patience {
					t.Fatalf("while the database stood %d sends were refused within %v, want %d", refused, patience, refusals)
				}
				// A few at a time: one that is let in waits with the others.
				var few sync.WaitGroup
				short, leave := context.WithTimeout(ctx, 2*time.Second)
				for range 4 {
					few.Go(func() {
						_, accepted, err := h.sendTo(short, "+4915400000010")
						mu.Lock()
						defer mu.Unlock()
						switch {
						case err == nil && accepted:
							t.Error("a send was accepted while the database stood")
						case err == nil:
							refused++
						case short.Err() == nil:
							t.Errorf("a send beside those that wait: %v", err)
						}
					})
				}
				few.Wait()
				leave()
			}
			if c.checks {
				a, err := h.makeAdvised(ctx, v1{key: fleetKey}.check(checkable, wrongCode))
				if err != nil || a.status != http.StatusUnauthorized {
					t.Errorf("a check while sends stand = %d %s, %v; want 401", a.status, a.body, err)
				}
			}
			release()
			sends.Wait()
			t.Logf("%d of %d sends that waited were accepted; %d others were refused before the database moved", len(ids), answered, refused)
			eventually(t, "an accepted send", patience, func() bool {
				id, accepted, err := h.sendTo(ctx, "+4915400000020")
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, id)
				return accepted
			})
			for _, id := range append(ids, checkable) {
				if id == "" {
					continue
				}
				if s, err := (v1{key: fleetKey}).stands(h.process, id); err != nil || s.State == "" {
					t.Fatalf("an OTP whose send was acknowledged: %+v, %v", s, err)
				}
			}
		})
	}
}

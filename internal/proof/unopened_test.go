package proof_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The log says that a code could not be opened, but not of which OTP in words
// that open something.
func TestADeliveryWhoseCodeCannotBeOpenedIsLoggedWithoutItsToken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, dir)
	facades := facades(p, limit, false)
	// A carrier that refuses for now leaves the delivery to be tried again.
	var ids []string
	for _, f := range facades {
		a, err := p.make(t.Context(), f.send("+4915112340004", "483920"))
		if err != nil {
			t.Fatal(err)
		}
		id, err := f.sent(a)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	p.kill()
	db, err := sql.Open("sqlite", filepath.Join(dir, "countersign.db"))
	if err != nil {
		t.Fatal(err)
	}
	// The first four octets name the key; one that is not known would be waited for.
	r, err := db.ExecContext(t.Context(), "UPDATE deliveries SET sealed = CAST(substr(sealed, 1, 4) || randomblob(length(sealed) - 4) AS BLOB) WHERE sealed IS NOT NULL")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := r.RowsAffected(); err != nil || n != int64(len(ids)) {
		t.Fatalf("%d deliveries have a code to break, %v; want %d", n, err, len(ids))
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	p = serve(t, dir)
	for deadline := time.Now().Add(patience); strings.Count(p.log.String(), "cannot be opened") < len(ids); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log does not tell of codes that cannot be opened\n%s", p.log)
		}
	}
	for i, f := range facades {
		if strings.HasPrefix(ids[i], "otp_") && strings.Contains(p.log.String(), ids[i]) {
			t.Errorf("%s: the log holds the token %s", f.name, ids[i])
		}
	}
}

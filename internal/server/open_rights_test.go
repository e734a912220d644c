package server_test

import (
	"testing"

	"github.com/countersign/countersign/internal/pgtest"
)

func TestARoleThatMayOnlyReadIsRefusedAndToldWhichRightsItNeeds(t *testing.T) {
	t.Parallel()
	for _, readable := range []string{"ALL TABLES IN SCHEMA public", "goose_db_version"} {
		url := pgtest.Ready(t)
		pgtest.Exec(t, url, "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM CURRENT_USER; GRANT SELECT ON "+readable+" TO CURRENT_USER")
		err := open(t, t.TempDir(), environ(url)...)
		refused(t, err, "lacks rights")
		refused(t, err, "expected a role that owns its tables")
	}
}

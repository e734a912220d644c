package postgres_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/postgres"
)

func TestARightThatIsMissingIsNamedAtStart(t *testing.T) {
	t.Parallel()
	for revoke, want := range map[string]string{
		"INSERT ON otps":                         "INSERT on table otps",
		"SELECT ON tallies":                      "SELECT on table tallies",
		"UPDATE ON deliveries":                   "UPDATE on table deliveries",
		"DELETE ON callbacks, events":            "DELETE on table events",
		"USAGE, UPDATE ON SEQUENCE otps_seq_seq": "USAGE or UPDATE on sequence otps_seq_seq",
		"INSERT ON audit":                        "INSERT on table audit",
		"UPDATE, DELETE, TRUNCATE ON audit":      "UPDATE, DELETE or TRUNCATE on table audit",
	} {
		t.Run(revoke, func(t *testing.T) {
			t.Parallel()
			url := pgtest.Ready(t)
			pgtest.Exec(t, url, "REVOKE "+revoke+" FROM CURRENT_USER")
			s, err := postgres.Open(t.Context(), config(url))
			if err == nil {
				_ = s.Close()
			}
			if !errors.Is(err, postgres.ErrRights) || !strings.Contains(err.Error(), want) {
				t.Errorf("without %s: %v; want ErrRights that names %s", revoke, err, want)
			}
		})
	}
}

// What docs/scaling.md says to grant to a role that does not own the tables.
func TestARoleThatDoesNotOwnTheTablesServesWithWhatIsGranted(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	made(t, cluster.URL())
	pgtest.Exec(t, cluster.AdminURL(), `CREATE ROLE node LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO node;
		GRANT USAGE ON SEQUENCE otps_seq_seq TO node`)
	s := open(t, strings.Replace(cluster.URL(), "user="+pgtest.Role, "user=node", 1), nil)
	if got, err := s.CountAttempt(t.Context(), guess(sent(t, s), rightCode)); err != nil || got.Verdict != otp.Right {
		t.Errorf("a check = %v, %v; want Right", got.Verdict, err)
	}
}

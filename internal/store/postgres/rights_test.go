package postgres_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/postgres"
)

func TestARoleThatLacksRightsIsToldSo(t *testing.T) {
	t.Parallel()
	const only = "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM CURRENT_USER; GRANT SELECT ON "
	for name, revoke := range map[string]string{
		"to connect":            "DO $$ BEGIN EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC, CURRENT_USER', current_database()); END $$",
		"to read the schema":    only + "meta TO CURRENT_USER",
		"to read more than it":  only + "goose_db_version TO CURRENT_USER",
		"to write what it read": only + "ALL TABLES IN SCHEMA public TO CURRENT_USER",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.Ready(t)
			pgtest.Exec(t, url, revoke)
			s, err := postgres.Open(t.Context(), config(url))
			if err == nil {
				defer s.Close()
				err = s.BindKeys(t.Context(), 1, 1, []otp.KeyID{1})
			}
			if !errors.Is(err, postgres.ErrRights) || errors.Is(err, postgres.ErrUnreachable) || !strings.Contains(err.Error(), "42501") && !strings.Contains(err.Error(), " on table ") {
				t.Errorf("a role without the right %s: %v, want ErrRights with its code or its table", name, err)
			}
		})
	}
}

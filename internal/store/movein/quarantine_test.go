package movein_test

import (
	"errors"
	"testing"

	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/movein"
)

// sinceWhen reads a target's quarantine, 0 for none.
const sinceWhen = "SELECT coalesce((SELECT value FROM versions WHERE name = 'quarantine'), 0)"

// quarantined makes a filled source with a quarantine that began at a time, as
// a restored backup has one; 0 is one that was released.
func quarantined(t *testing.T, target, since string) string {
	t.Helper()
	path, _ := filled(t, target)
	_, err := openFile(t, path).ExecContext(t.Context(), `INSERT INTO versions (name, value) VALUES ('quarantine', `+since+`)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAQuarantinedSourceArrivesQuarantined(t *testing.T) {
	t.Parallel()
	for since, want := range map[string]int64{"1750000000000000": 1750000000000000, "0": 0} {
		url := pgtest.Ready(t)
		report, err := movein.Run(t.Context(), movein.Config{From: quarantined(t, url, since), To: url})
		if err != nil || report.Quarantined != (want != 0) {
			t.Errorf("a source in quarantine since %s: quarantined %v, %v; want %v", since, report.Quarantined, err, want != 0)
		}
		if got := number(t, url, sinceWhen); got != want {
			t.Errorf("a source in quarantine since %s came to one since %d; want %d (D-10)", since, got, want)
		}
	}
}

func TestATargetThatIsQuarantinedStaysSo(t *testing.T) {
	t.Parallel()
	url := pgtest.Ready(t)
	path, _ := filled(t, url)
	pgtest.Exec(t, url, "INSERT INTO versions (name, value) VALUES ('quarantine', 7) ON CONFLICT (name) DO UPDATE SET value = 7")
	report, err := movein.Run(t.Context(), movein.Config{From: path, To: url})
	if err != nil || !report.Quarantined {
		t.Errorf("into a quarantined database: quarantined %v, %v; want true", report.Quarantined, err)
	}
	if got := number(t, url, sinceWhen); got != 7 {
		t.Errorf("the target's quarantine is %d; want 7, as it was", got)
	}
}

// Two databases that were moved from one file would both be live, and what one
// of them verified the other would verify again (V-02).
func TestASecondMoveOfOneFileArrivesQuarantined(t *testing.T) {
	t.Parallel()
	first, second := pgtest.Ready(t), pgtest.Ready(t)
	path, _ := filled(t, first)
	for _, c := range []struct {
		url         string
		again, held bool
	}{
		{first, false, false},
		{second, false, true},
		{first, true, false}, // the one that is served by now stays as it is
		{second, true, false},
	} {
		report, err := movein.Run(t.Context(), movein.Config{From: path, To: c.url})
		if err != nil || report.Again != c.again || report.Quarantined != c.held {
			t.Errorf("again %v, quarantined %v, %v; want %v, %v", report.Again, report.Quarantined, err, c.again, c.held)
		}
	}
	if got := number(t, first, sinceWhen); got != 0 {
		t.Errorf("the first database is in quarantine since %d; want none", got)
	}
	if got := number(t, second, sinceWhen); got == 0 {
		t.Error("the second database is live beside the first (D-10)")
	}
}

// What is there for good makes its source a copy, whatever fails afterwards.
func TestASourceIsQuarantinedThoughTheTargetsStatisticsFail(t *testing.T) {
	t.Parallel()
	url := pgtest.Ready(t)
	path, counts := filled(t, url)
	// ANALYZE runs the functions of indexes.
	pgtest.Exec(t, url, `CREATE FUNCTION fails_later(bigint) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
			IF current_query() LIKE 'ANALYZE%' THEN RAISE EXCEPTION 'no statistics'; END IF; RETURN $1; END $$;
		CREATE INDEX failing ON otps (fails_later(created_at))`)
	if _, err := movein.Run(t.Context(), movein.Config{From: path, To: url}); err == nil {
		t.Fatal("Run told nothing of the statistics")
	}
	if n := rows(t, url, counts); n == 0 {
		t.Fatal("nothing was moved")
	}
	if got := texts(t, openFile(t, path), "SELECT value FROM versions WHERE name = 'quarantine' AND value <> 0"); len(got) != 1 {
		t.Error("the source is live beside the target (D-10)")
	}
	if _, err := movein.Run(t.Context(), movein.Config{From: path, To: url}); errors.Is(err, movein.ErrNotEmpty) {
		t.Errorf("a second run: %v", err)
	}
}

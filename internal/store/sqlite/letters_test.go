package sqlite_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/store/sqlite"
)

// A queue may be as long as an address was down: in one transaction nobody else
// would write meanwhile.
func TestAQueueIsReplayedAndDiscardedInBatches(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := b.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	if err := b.CreateCallback(t.Context(), "acme", catalog.SealedCallback{ID: "c", URL: "https://a.example", Secret: []byte("sealed")}); err != nil {
		t.Fatal(err)
	}
	const batches, letters = 4, 3*sqlite.SweepBatch + 1
	err := b.Write(t.Context(), func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			INSERT INTO callbacks (id, account_id, config_id, otp, event_seq, due_at, dead_at, created_at)
			SELECT CAST(i AS BLOB), a.id, 'c', i, 1, NULL, 1, 1 FROM n, accounts a WHERE a.name = 'acme'`, letters)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	before := b.commits.total()
	if n, err := b.ReplayLetters(t.Context(), "acme", "c"); n != letters || err != nil {
		t.Errorf("ReplayLetters = %d, %v; want %d", n, err, letters)
	}
	if n := b.commits.total() - before; n < batches {
		t.Errorf("%d letters were replayed in %d transactions, want %d", letters, n, batches)
	}
	before = b.commits.total()
	if err := b.DeleteCallback(t.Context(), "acme", "c"); err != nil {
		t.Errorf("DeleteCallback: %v", err)
	}
	if n := b.commits.total() - before; n < batches {
		t.Errorf("%d letters were discarded in %d transactions, want %d", letters, n, batches)
	}
	if left, err := b.CountLetters(t.Context(), "acme"); len(left) != 0 || err != nil {
		t.Errorf("%v letters are left, %v; want none", left, err)
	}
}

// There may be a key for each of thousands of accounts.
func TestAKeyThatIsTakenIsFoundByIndexes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := b.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	plan := b.PlanOfKeyTaken(t, account.Key{ID: "k1", Account: "acme", Login: "Jo"})
	if strings.Contains(plan, "SCAN") || !strings.Contains(plan, "(hash=?)") {
		t.Errorf("the plan is\n%swant in it the index of hashes and no scan", plan)
	}
}

// What waits may be a thousand times what a page shows.
func TestAPageOfLettersIsChosenBeforeItIsJoined(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := b.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	plan := b.PlanOfConfigLetters(t, callback.Letters{Account: "acme", ConfigID: "c", Limit: 50})
	for _, want := range []string{"callbacks USING COVERING INDEX callbacks_config_idx (account_id=? AND config_id=?", "SEARCH c USING INTEGER PRIMARY KEY"} {
		if !strings.Contains(plan, want) {
			t.Errorf("the plan is\n%swant in it %q", plan, want)
		}
	}
}

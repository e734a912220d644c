package sqlite_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/store/answer"
	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/store/testdb"
	"github.com/countersign/countersign/internal/upkeep"
	"github.com/countersign/countersign/internal/verify"
)

// What is sent to the recipient that goes says one of these somewhere.
const (
	goneNumber    = "4915112377731"
	goneReference = "refcanary"
	goneText      = "textcanary"
)

// filled is a database with many sends to two recipients, in turn.
type filled struct {
	*sqlite.Store
	t    *testing.T
	path string
	wall *storetest.Wall
	keys *secret.Keyring
}

func newFilled(t *testing.T) *filled {
	t.Helper()
	root, err := secret.NewRoot(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &filled{t: t, path: testdb.Blank(t), wall: &storetest.Wall{}}
	if f.keys, err = secret.NewKeyring(root); err != nil {
		t.Fatal(err)
	}
	f.Store, err = sqlite.Open(t.Context(), sqlite.Config{
		Path: f.path, Wall: f.wall.Now, Log: slog.New(slog.DiscardHandler), Fatal: func(err error) { t.Error(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	service := verify.New(verify.Config{
		Store: f.Store, Keys: f.keys, Dispatch: idle{}, Coverage: idle{}, Rules: guard.Rules{}, Random: rand.Reader,
	})
	random := mathrand.New(mathrand.NewPCG(1, 2)) // keys come in no order: pages of answers are split in their middle
	for i := range 3000 {
		r := benchRequest(int64(i))
		if i%3 > 0 {
			r.Recipient = recipientOf(t, goneNumber)
			r.Reference = fmt.Sprint(goneReference, i)
			if i%5 == 0 { // a text that needs pages of its own
				r.Plan = delivery.Plan{Steps: []delivery.Step{{
					Channel: message.SMS, Sender: "VERIFY", Life: time.Hour, Wait: time.Minute,
					Text: message.Parse(goneText+strings.Repeat(" x", 3000)+"#", []message.Placeholder{{Token: "#", Code: true}}),
				}}}
			}
		}
		if i%2 == 0 {
			for at := range r.Idempotency.Key {
				r.Idempotency.Key[at] = byte(random.Uint32())
			}
			r.Idempotency.Fingerprint[0] = 1
		}
		if _, err := service.Send(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func recipientOf(t *testing.T, digits string) phone.Recipient {
	t.Helper()
	to, err := phone.ParseRecipient("+" + digits)
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// holds counts what the database's files have of the recipient that goes.
func (f *filled) holds() (found int) {
	f.t.Helper()
	files, err := filepath.Glob(f.path + "*")
	if err != nil {
		f.t.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, text := range []string{goneNumber, goneReference, goneText} {
			found += bytes.Count(data, []byte(text))
		}
	}
	return found
}

// emptyLog does what the store does when it is idle, once that is at none of it.
func (f *filled) emptyLog() {
	f.t.Helper()
	db := raw(f.t, f.path)
	for end := time.Now().Add(patience); ; {
		busy, pages, moved := 0, 0, 0
		if err := db.QueryRowContext(f.t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved); err != nil {
			f.t.Fatal(err)
		}
		switch {
		case busy == 0:
			return
		case time.Now().After(end):
			f.t.Fatal("the log cannot be emptied")
		}
	}
}

// P-04 and P-05: not only rows go, but what they said.
func TestWhatIsRemovedIsNowhereInTheFiles(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(*filled) (int, error){
		"erased": func(f *filled) (int, error) {
			key := verify.RecipientKey(f.keys, "acme", recipientOf(f.t, goneNumber))
			return f.EraseRecipient(f.t.Context(), map[string][16]byte{"acme": key})
		},
		"purged": func(f *filled) (int, error) {
			f.wall.Add(30 * 24 * time.Hour)
			return f.Purge(f.t.Context(), upkeep.Keep(24*time.Hour))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFilled(t)
			if f.holds() == 0 {
				t.Error("the files say nothing that could be removed")
			}
			if n, err := remove(f); err != nil || n < 2000 {
				t.Errorf("removed %d OTPs, %v; want 2000", n, err)
			}
			f.emptyLog()
			if n := f.holds(); n != 0 {
				t.Errorf("%d times the files say what was removed", n)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if n := f.holds(); n != 0 {
				t.Errorf("after the end %d times the files say what was removed", n)
			}
		})
	}
}

// busySleep is how long, at most, a writer of another process sleeps that finds the
// database locked.
const busySleep = 100 * time.Millisecond

func TestErasingLeavesTheDatabaseToOthersBetweenBatches(t *testing.T) {
	t.Parallel()
	s := open(t, made(t), nil)
	if err := s.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	to := [16]byte{1} // newOTP's
	fill := func(many int) {
		t.Helper()
		for range many {
			if _, err := s.CreateOTP(t.Context(), newOTP(t, uuid.NewString(), time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
	}
	var pauses int
	var ended error
	erase := func() (int, error) {
		pauses = 0
		return s.EraseOTPs(t.Context(), "acme", to, func(_ context.Context, d time.Duration) error {
			pauses++
			if d <= busySleep {
				t.Errorf("a pause of %s, want more than %s", d, busySleep)
			}
			return ended
		})
	}
	fill(sqlite.SweepBatch)
	if n, err := erase(); n != sqlite.SweepBatch || err != nil || pauses != 0 {
		t.Errorf("one batch: erased %d with %d pauses, %v; want %d without any", n, pauses, err, sqlite.SweepBatch)
	}
	fill(sqlite.SweepBatch + 1)
	ended = context.Canceled
	if n, err := erase(); n != sqlite.SweepBatch || !errors.Is(err, ended) || pauses != 1 {
		t.Errorf("cut short: erased %d with %d pauses, %v; want %d with one", n, pauses, err, sqlite.SweepBatch)
	}
	fill(sqlite.SweepBatch)
	ended = nil
	if n, err := erase(); n != sqlite.SweepBatch+1 || err != nil || pauses != 1 {
		t.Errorf("two batches: erased %d with %d pauses, %v; want %d with one", n, pauses, err, sqlite.SweepBatch+1)
	}
}

func TestErasingAnswersLeavesTheDatabaseToOthersBeforeEachBatch(t *testing.T) {
	t.Parallel()
	s := open(t, made(t), nil)
	if err := s.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	n := newOTP(t, uuid.NewString(), time.Hour)
	rec, err := s.CreateOTP(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := answer.Encode(verify.Checked{Record: rec})
	if err != nil {
		t.Fatal(err)
	}
	const answers = 2*sqlite.SweepBatch + 1
	if err := s.Write(t.Context(), func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			INSERT INTO idempotency (account_id, key, fingerprint, result, created_at) SELECT a.id, CAST(i AS BLOB), x'00', ?, 1 FROM n, accounts a`, answers, kept)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	left := func() (n int) {
		t.Helper()
		if err := s.Reader().QueryRowContext(t.Context(), "SELECT count(*) FROM idempotency").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	var before []int // each batch
	erased, err := s.EraseWith(t.Context(), map[string][16]byte{"acme": n.RecipientKey}, func(_ context.Context, d time.Duration) error {
		if before = append(before, left()); d <= busySleep {
			t.Errorf("a pause of %s, want more than %s", d, busySleep)
		}
		return nil
	})
	if erased != 1 || err != nil || left() != 0 {
		t.Errorf("erased %d OTPs, %v, and %d answers are left; want 1 and none", erased, err, left())
	}
	if diff := cmp.Diff([]int{answers, answers - sqlite.SweepBatch, 1}, before); diff != "" {
		t.Errorf("answers that were there at each pause -want +got\n%s", diff)
	}
}

package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/postgres"
	"github.com/countersign/countersign/internal/verify"
)

// answer is what Answered returned.
type answer struct {
	checked verify.Checked
	err     error
}

// asked asks a store for the answer to a request, in the background.
func asked(ctx context.Context, s *postgres.Store, i verify.Idempotency) <-chan answer {
	told := make(chan answer, 1)
	go func() {
		checked, err := s.Answered(ctx, "acme", i)
		told <- answer{checked, err}
	}()
	return told
}

// V-08: what a repetition names may have gone while its first request is under way
// at another node, so that it is the answer alone that it can be given.
func TestTheAnswerIsWaitedForWhileTheRequestIsUnderWayAtAnotherNode(t *testing.T) {
	t.Parallel()
	url := pgtest.Ready(t)
	a := made(t, url+patient)
	b := open(t, url+patient, nil)
	n := newOTP(t, uuid.NewString(), time.Hour)
	n.Idempotency = verify.Idempotency{Key: [16]byte{1}, Fingerprint: [16]byte{2}}
	other := verify.Idempotency{Key: n.Idempotency.Key, Fingerprint: [16]byte{3}}
	release := pgtest.Hold(t, url, "LOCK TABLE otps IN EXCLUSIVE MODE")
	watch := raw(t, url)
	wait := func(what string, waiting int, told <-chan answer) {
		t.Helper()
		for count(t.Context(), t, watch, `SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
			WHERE relation = 'idempotency'::regclass AND granted AND wait_event_type = 'Lock'`) < waiting {
			select {
			case early := <-told:
				t.Fatalf("%s is answered %v, %v while the send is under way", what, early.checked.Record.ID, early.err)
			case <-time.After(time.Millisecond):
			}
		}
	}
	first := make(chan error, 1)
	go func() {
		_, err := a.CreateOTP(t.Context(), n)
		first <- err
	}()
	wait("nobody", 1, nil)
	leaves, leave := context.WithCancel(t.Context())
	defer leave()
	left, same, mismatch := asked(leaves, b, n.Idempotency), asked(t.Context(), b, n.Idempotency), asked(t.Context(), b, other)
	wait("the repetition", 4, same)
	leave()
	if got := <-left; !errors.Is(got.err, verify.ErrOutcomeUnknown) {
		t.Errorf("the answer to who does not wait for it = %v, want ErrOutcomeUnknown", got.err)
	}
	release()
	if err := <-first; err != nil {
		t.Fatalf("the send: %v", err)
	}
	if got := <-same; got.err != nil || got.checked.Record.ID != n.ID {
		t.Errorf("the answer to the repetition = %v, %v; want id %s", got.checked.Record.ID, got.err, n.ID)
	}
	if got := <-mismatch; !errors.Is(got.err, verify.ErrIdempotencyMismatch) {
		t.Errorf("the answer to another request = %v, want ErrIdempotencyMismatch", got.err)
	}
}

package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/verify"
)

// V-08: whoever was told that the outcome is unknown asks again, and is not refused
// for what went meanwhile as long as the first request is under way.
func TestTheAnswerIsWaitedForWhileTheRequestOfACallerThatLeftIsUnderWay(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := b.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	n := newOTP(t, "o1", time.Hour)
	n.Idempotency = verify.Idempotency{Key: [16]byte{1}, Fingerprint: [16]byte{2}}
	var got verify.Checked
	var failed error
	asked := make(chan struct{})
	err := b.leave(func(ctx context.Context, b bench) error {
		_, err := b.CreateOTP(ctx, n)
		// The commit is still open: leave keeps it so until this returns.
		go func() {
			defer close(asked)
			got, failed = b.Answered(context.WithoutCancel(ctx), "acme", n.Idempotency)
		}()
		for b.WaitingUrgent() == 0 {
			select {
			case <-asked:
				return fmt.Errorf("answered %q, %w while the send is under way", got.Record.ID, failed)
			case <-time.After(time.Millisecond):
			}
		}
		return err
	})
	if !errors.Is(err, verify.ErrOutcomeUnknown) {
		t.Fatalf("the send of who left = %v, want ErrOutcomeUnknown", err)
	}
	<-asked
	if failed != nil || got.Record.ID != n.ID {
		t.Errorf("the answer to the repetition = %q, %v; want id %s", got.Record.ID, failed, n.ID)
	}
}

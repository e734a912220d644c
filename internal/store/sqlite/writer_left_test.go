package sqlite_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/verify"
)

// Callers that leave amid the work return while the writer still works on their
// results: the race detector sees whoever returns them.
func TestACallerThatLeftTouchesNoResult(t *testing.T) {
	t.Parallel()
	ref := verify.Ref{Account: "acme", Origin: "test", ID: "o1"}
	key := delivery.Key{Account: "acme", OTPID: "o1", Seq: 1}
	before := map[string]string{
		"EndWaits": "UPDATE deliveries SET state = 2, due_at = 1",
		"ClaimCallbacks": `INSERT INTO callbacks (id, account_id, config_id, otp, event_seq, due_at, created_at)
			VALUES (x'01', 1, 'c', 1, 1, 1, 1)`,
	}
	for name, call := range map[string]func(context.Context, bench) error{
		"CreateOTP": func(ctx context.Context, b bench) error {
			_, err := b.CreateOTP(ctx, newOTP(b.t, "o2", time.Hour))
			return err
		},
		"CountAttempt": func(ctx context.Context, b bench) error {
			_, err := b.CountAttempt(ctx, guess("o1", "000000"))
			return err
		},
		"AddDelivery": func(ctx context.Context, b bench) error {
			_, err := b.AddDelivery(ctx, verify.NewDelivery{Ref: ref, Channel: message.SMS, Dedupe: uuid.NewString()})
			return err
		},
		"DeleteOTP": func(ctx context.Context, b bench) error {
			_, err := b.DeleteOTP(ctx, ref, verify.Idempotency{})
			return err
		},
		"RecordSubmits": func(ctx context.Context, b bench) error {
			_, err := b.RecordSubmits(ctx, []delivery.SubmitOutcome{{Key: key, Carrier: "c", Result: delivery.Result{Class: delivery.Accepted, Ref: "r"}}})
			return err
		},
		"RecordReceipt": func(ctx context.Context, b bench) error {
			_, _, err := b.RecordReceipt(ctx, delivery.Receipt{Carrier: "c", Ref: "r", State: delivery.ReceiptDelivered})
			return err
		},
		"ClaimDeliveries": func(ctx context.Context, b bench) error {
			_, _, err := b.ClaimDeliveries(ctx, "n", 10, time.Minute)
			return err
		},
		"EndWaits": func(ctx context.Context, b bench) error { _, _, err := b.EndWaits(ctx, 10); return err },
		"ClaimCallbacks": func(ctx context.Context, b bench) error {
			_, _, err := b.ClaimCallbacks(ctx, callback.Claim{Node: "n", Limit: 10, PerConfig: 10, Lease: time.Minute})
			return err
		},
		"ReplayLetters": func(ctx context.Context, b bench) error { _, err := b.ReplayLetters(ctx, "acme", "c"); return err },
		"CountTry": func(ctx context.Context, b bench) error {
			_, err := b.CountTry(ctx, [16]byte{1}, 1, time.Hour)
			return err
		},
		"BindKeys":      func(ctx context.Context, b bench) error { return b.BindKeys(ctx, 1, 1, []otp.KeyID{1}) },
		"EndQuarantine": func(ctx context.Context, b bench) error { _, err := b.EndQuarantine(ctx); return err },
		"ExpireOTPs":    func(ctx context.Context, b bench) error { _, err := b.ExpireOTPs(ctx); return err },
		"EraseMessages": func(ctx context.Context, b bench) error {
			_, err := b.EraseMessages(ctx, "acme", [16]byte{1})
			return err
		},
		"EraseRecipient": func(ctx context.Context, b bench) error {
			_, err := b.EraseRecipient(ctx, map[string][16]byte{"acme": {1}})
			return err
		},
		"ClearLimits": func(ctx context.Context, b bench) error {
			_, err := b.ClearLimits(ctx, "acme", [16]byte{1})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			if err := b.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
				t.Fatal(err)
			}
			n := newOTP(t, "o1", time.Hour)
			n.Resendable = true
			if _, err := b.CreateOTP(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			if statement, ok := before[name]; ok {
				if err := b.Write(t.Context(), func(tx *sqlite.Tx) error { _, err := tx.Exec(statement); return err }); err != nil {
					t.Fatal(err)
				}
			}
			if err := b.leave(call); !errors.Is(err, verify.ErrOutcomeUnknown) {
				t.Errorf("%s = %v, want ErrOutcomeUnknown", name, err)
			}
		})
	}
}

// leave ends the patience of a call while its work is being done, and returns
// its error. The race detector must take nothing for an order between the work
// and the call's return, as it would a channel's: who ends the patience only sees
// that the queue has become empty.
func (b bench) leave(call func(context.Context, bench) error) error {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	release := b.hold()
	var err error
	left := make(chan struct{})
	go func() {
		defer close(left)
		err = call(ctx, b)
	}()
	b.queued(1)
	// What follows in the same queue keeps the commit open until the call is over.
	follow := b.Write
	if b.WaitingUrgent() > 0 {
		follow = b.WriteUrgent
	}
	followed := make(chan error, 1)
	go func() {
		followed <- follow(context.Background(), func(*sqlite.Tx) error {
			select {
			case <-left:
				return nil
			case <-time.After(patience):
				return errors.New("the call goes on though nobody waits for it")
			}
		})
	}()
	b.queued(2)
	release()
	for deadline := time.Now().Add(patience); b.Waiting() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("%d pieces of work wait still", b.Waiting())
		}
	}
	cancel()
	<-left
	if err := <-followed; err != nil {
		b.t.Error(err)
	}
	return err
}

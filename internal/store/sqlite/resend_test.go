package sqlite_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/verify"
)

// A resend that cannot read what there is to send does not say that there is
// nothing.
func TestAResendSaysWhatItCouldNotRead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := b.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.CreateOTP(t.Context(), newOTP(t, "o1", time.Hour)); err != nil {
		t.Fatal(err)
	}
	err := b.Write(t.Context(), func(tx *sqlite.Tx) error {
		_, err := tx.Exec("ALTER TABLE deliveries RENAME COLUMN sealed TO unreadable")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.AddDelivery(t.Context(), verify.NewDelivery{
		Ref: verify.Ref{Account: "acme", Origin: "test", ID: "o1"}, Channel: message.SMS, Dedupe: uuid.NewString(),
	})
	if err == nil || errors.Is(err, verify.ErrNotFound) {
		t.Errorf("AddDelivery = %v, want the database's error", err)
	}
}

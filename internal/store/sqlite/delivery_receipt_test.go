package sqlite_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/store/sqlite"
)

// A version that knew nothing of ids deleted the OTP, and a new one has its
// number.
func TestAnIDThatWasLeftBehindFindsNoOtherDelivery(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := b.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	left := uuid.New()
	for id, result := range map[string]delivery.Result{
		"o1": {Class: delivery.Accepted, Ref: "r1"},
		"o2": {Class: delivery.Accepted, Ref: "r2", ByID: true},
	} {
		n := newOTP(t, id, time.Hour)
		if _, err := b.CreateOTP(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		err := b.Write(t.Context(), func(tx *sqlite.Tx) error {
			_, err := tx.Exec("INSERT INTO delivery_ids (account_id, otp, seq, dedupe) SELECT account_id, otp, seq, ? FROM deliveries WHERE ref IS NULL", left[:])
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		outcome := delivery.SubmitOutcome{Key: delivery.Key{Account: "acme", OTPID: id, Seq: 1}, Carrier: "c", Result: result}
		if _, err := b.RecordSubmits(t.Context(), []delivery.SubmitOutcome{outcome}); err != nil {
			t.Errorf("%s: RecordSubmits over an id that was left behind: %v", id, err)
		}
		for dedupe, want := range map[string]bool{left.String(): false, n.Dedupe: result.ByID} {
			known, _, err := b.RecordReceipt(t.Context(), delivery.Receipt{Carrier: "c", ID: dedupe, State: delivery.ReceiptDelivered})
			if known != want || err != nil {
				t.Errorf("%s: a receipt of %s is known: %v, %v; want %v", id, dedupe, known, err, want)
			}
		}
	}
}

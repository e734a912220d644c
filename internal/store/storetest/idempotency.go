package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/verify"
)

func idem(n byte, fingerprint byte) verify.Idempotency {
	return verify.Idempotency{Key: [16]byte{n}, Fingerprint: [16]byte{fingerprint}}
}

func idempotent(t *testing.T, b *bench) {
	first := b.send(order{idem: idem(1, 1)})
	again, err := b.Store.CreateOTP(t.Context(), b.newOTP(order{idem: idem(1, 1)}))
	if err != nil || again.ID != first.ID || !again.Expires.Equal(first.Expires) {
		t.Errorf("repeated send: %v, %v; want id %s", again.ID, err, first.ID)
	}
	if _, err := b.Store.CreateOTP(t.Context(), b.newOTP(order{idem: idem(1, 2)})); !errors.Is(err, verify.ErrIdempotencyMismatch) {
		t.Errorf("other request with the key: %v, want ErrIdempotencyMismatch", err)
	}
	if kept, err := b.Store.Answered(t.Context(), acme, idem(1, 1)); err != nil || kept.Record.ID != first.ID || kept.Record.Recipient != first.Recipient {
		t.Errorf("what was answered: %v, %v; want id %s", kept.Record.ID, err, first.ID)
	}
	if _, err := b.Store.Answered(t.Context(), acme, idem(1, 2)); !errors.Is(err, verify.ErrIdempotencyMismatch) {
		t.Errorf("what another request was answered: %v, want ErrIdempotencyMismatch", err)
	}
	for account, i := range map[string]verify.Idempotency{acme: idem(9, 1), other: idem(1, 1)} {
		if _, err := b.Store.Answered(t.Context(), account, i); !errors.Is(err, verify.ErrNotFound) {
			t.Errorf("what nobody was answered: %v, want ErrNotFound", err)
		}
	}
	if rec := b.send(order{account: other, idem: idem(1, 1)}); rec.ID == first.ID {
		t.Error("another account got this account's answer")
	}
	a := b.attempt(first.Ref, wrongCode)
	a.Idempotency = idem(2, 1)
	for range 3 {
		c, err := b.Store.CountAttempt(t.Context(), a)
		if err != nil || c.Verdict != otp.Wrong || c.Record.Attempts != 1 {
			t.Errorf("repeated check: %v with %d attempts, %v; want Wrong with 1", c.Verdict, c.Record.Attempts, err)
		}
	}
	kept, err := b.Store.Answered(t.Context(), acme, a.Idempotency)
	if err != nil || kept.Verdict != otp.Wrong || kept.Record.ID != first.ID || kept.Record.Attempts != 1 {
		t.Errorf("what a check was answered: %v with %d attempts, %v; want Wrong with 1", kept.Verdict, kept.Record.Attempts, err)
	}
	for range 2 {
		if rec, err := b.Store.DeleteOTP(t.Context(), first.Ref, idem(3, 1)); err != nil || rec.ID != first.ID {
			t.Errorf("repeated delete: %v, %v", rec.ID, err)
		}
	}
	b.wall.Add(24 * time.Hour)
	if _, err := b.Store.Answered(t.Context(), acme, idem(1, 1)); !errors.Is(err, verify.ErrNotFound) {
		t.Errorf("what was answered 24 h ago: %v, want ErrNotFound", err)
	}
	if rec := b.send(order{idem: idem(1, 2)}); rec.ID == first.ID {
		t.Error("the answer was repeated after 24 h")
	}
}

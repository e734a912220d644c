package storetest

import (
	"errors"
	"testing"

	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/upkeep"
	"github.com/countersign/countersign/internal/verify"
)

func erases(t *testing.T, b *bench) {
	rules := guard.Compat(1)
	b.send(order{limited: true, rules: rules})
	b.send(order{to: "+447400123456"})
	if n := b.erase("+4915112345678", acme); n != 1 {
		t.Errorf("erased %d OTPs, want 1", n)
	}
	recs, err := b.Store.OTPs(t.Context(), verify.ListQuery{Account: acme, Origin: origin, Limit: 10})
	if err != nil || len(recs) != 1 {
		t.Errorf("%d OTPs are left, %v; want 1", len(recs), err)
	}
	if _, err := b.Store.CreateOTP(t.Context(), b.newOTP(order{limited: true, rules: rules})); err == nil {
		t.Error("the erasure reset the recipient's limit")
	}
}

// erase erases a recipient in accounts and returns how many OTPs went.
func (b *bench) erase(to string, accounts ...string) int {
	b.t.Helper()
	recipient, err := phone.ParseRecipient(to)
	if err != nil {
		b.t.Fatal(err)
	}
	keys := map[string][16]byte{}
	for _, name := range accounts {
		keys[name] = verify.RecipientKey(b.keys, name, recipient)
	}
	n, err := b.Store.EraseRecipient(b.t.Context(), keys)
	if err != nil {
		b.t.Fatalf("EraseRecipient: %v", err)
	}
	return n
}

func erasesAnswers(t *testing.T, b *bench) {
	const to, stranger = "jo&a@example.com", "+4915112345679"
	answered := func(account string, n byte) bool {
		t.Helper()
		_, err := b.Store.Answered(t.Context(), account, idem(n, 1))
		if err != nil && !errors.Is(err, verify.ErrNotFound) {
			t.Fatalf("Answered: %v", err)
		}
		return err == nil
	}
	sent := b.send(order{to: to, idem: idem(1, 1)})
	a := b.attempt(sent.Ref, wrongCode)
	a.Idempotency = idem(2, 1)
	if _, err := b.Store.CountAttempt(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	deleted := b.send(order{to: to, idem: idem(3, 1)})
	if _, err := b.Store.DeleteOTP(t.Context(), deleted.Ref, idem(4, 1)); err != nil {
		t.Fatal(err)
	}
	gone := b.send(order{to: to, account: other, idem: idem(1, 1)}) // the number is known from acme's alone
	if _, err := b.Store.DeleteOTP(t.Context(), gone.Ref, verify.Idempotency{}); err != nil {
		t.Fatal(err)
	}
	b.send(order{to: stranger, reference: `"Recipient":"` + to + `"`, idem: idem(5, 1)})
	if n := b.erase(to, acme, other); n != 1 {
		t.Errorf("erased %d OTPs, want 1", n)
	}
	for _, n := range []byte{1, 2, 3, 4} {
		if answered(acme, n) {
			t.Errorf("the answer of key %d names the erased recipient", n)
		}
	}
	if answered(other, 1) {
		t.Error("the other account's answer names the erased recipient")
	}
	if !answered(acme, 5) {
		t.Error("the answer about another recipient is gone")
	}
	if again := b.send(order{to: to, idem: idem(1, 1)}); again.ID == sent.ID {
		t.Error("a send repeated after the erasure was answered as the first")
	}
}

// erasesManyAnswers: more than a batch, before and between those of others, and
// of the accounts that are named only.
func erasesManyAnswers(t *testing.T, b *bench) {
	const to, stranger = "+4915112345678", "+4915112345679"
	many := func(n int) verify.Idempotency {
		return verify.Idempotency{Key: [16]byte{byte(n >> 8), byte(n)}, Fingerprint: [16]byte{1}}
	}
	const all = upkeep.SweepBatch + 200
	for i := range all {
		o := order{to: to, idem: many(i)}
		if i%4 == 0 {
			o.to = stranger
		}
		b.send(o)
	}
	b.send(order{to: to, account: other, idem: many(0)})
	if n := b.erase(to, acme); n != all-all/4 {
		t.Errorf("erased %d OTPs, want %d", n, all-all/4)
	}
	left := 0
	for i := range all {
		_, err := b.Store.Answered(t.Context(), acme, many(i))
		if (err == nil) != (i%4 == 0) {
			t.Fatalf("answer %d: %v", i, err)
		}
		if err == nil {
			left++
		}
	}
	if left != all/4 {
		t.Errorf("%d answers are left, want %d", left, all/4)
	}
	if _, err := b.Store.Answered(t.Context(), other, many(0)); err != nil {
		t.Errorf("the answer of an account that was not named: %v", err)
	}
}

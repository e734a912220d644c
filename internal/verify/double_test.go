package verify_test

import (
	"context"
	"crypto/rand"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/verify"
)

// double is a store that notes what it is asked and answers as told.
type double struct {
	mu       sync.Mutex // guards created, added and attempts
	created  []verify.NewOTP
	added    []verify.NewDelivery
	attempts []verify.Attempt

	checked verify.Checked
	rec     verify.Record
	err     error
}

func (d *double) CreateOTP(_ context.Context, n verify.NewOTP) (verify.Record, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.created = append(d.created, n)
	return verify.Record{Ref: n.Ref, Recipient: n.Recipient}, d.err
}

func (d *double) AddDelivery(_ context.Context, n verify.NewDelivery) (verify.Record, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.added = append(d.added, n)
	return d.rec, d.err
}

func (d *double) CountAttempt(_ context.Context, a verify.Attempt) (verify.Checked, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.attempts = append(d.attempts, a)
	return d.checked, d.err
}

func (d *double) Answered(context.Context, string, verify.Idempotency) (verify.Checked, error) {
	return d.checked, d.err
}

func (d *double) OTP(context.Context, verify.Ref) (verify.Record, error) { return d.rec, d.err }

func (d *double) OTPs(context.Context, verify.ListQuery) ([]verify.Record, error) {
	return []verify.Record{d.rec}, d.err
}

func (d *double) DeleteOTP(context.Context, verify.Ref, verify.Idempotency) (verify.Record, error) {
	return d.rec, d.err
}

func (d *double) Events(context.Context, verify.Ref) ([]otp.Event, error) {
	return []otp.Event{{Seq: 1}}, d.err
}

// dispatch notes what it is told.
type dispatch struct {
	mu    sync.Mutex // guards wakes and ended
	wakes int
	ended []string
}

func (d *dispatch) Wake() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wakes++
}

func (d *dispatch) Ended(account, id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = append(d.ended, account+"/"+id)
}

type coverage bool

func (c coverage) Limited(delivery.Plan, phone.Recipient) bool { return bool(c) }

// bench is a service over doubles.
type bench struct {
	*verify.Service
	store    *double
	dispatch *dispatch
	keys     *secret.Keyring
}

func newBench(t testing.TB) bench {
	t.Helper()
	root, err := secret.NewRoot(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := secret.NewKeyring(root)
	if err != nil {
		t.Fatal(err)
	}
	b := bench{store: &double{}, dispatch: &dispatch{}, keys: keys}
	b.Service = verify.New(verify.Config{
		Store: b.store, Keys: keys, Dispatch: b.dispatch, Coverage: coverage(true), Rules: guard.Compat(10), Random: rand.Reader,
	})
	return b
}

func recipient(t testing.TB, text string) phone.Recipient {
	t.Helper()
	to, err := phone.ParseRecipient(text)
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// request is a complete Send.
func request(t testing.TB) verify.SendRequest {
	t.Helper()
	return verify.SendRequest{
		Account: "acme", Origin: "test", Recipient: recipient(t, "+4915112345678"),
		Policy: otp.Policy{Length: 6, Alphabet: otp.Digits, Attempts: 3, Life: 3 * time.Minute},
		Plan:   delivery.Plan{Steps: []delivery.Step{{Channel: message.SMS, Wait: time.Minute}}},
	}
}

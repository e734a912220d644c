package storetest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/report"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/upkeep"
	"github.com/countersign/countersign/internal/verify"
)

// CallbackStore is what RunCallbacks checks: the queue, and what fills it.
type CallbackStore interface {
	callback.Store
	callback.DeskStore
	callback.CommandStore

	CreateAccount(ctx context.Context, a account.Account) error
	CreateCallback(ctx context.Context, account string, c catalog.SealedCallback) error
	UpdateCallback(ctx context.Context, account, id string, apply func(catalog.SealedCallback) (catalog.SealedCallback, error)) error
	DeleteCallback(ctx context.Context, account, id string) error
	CreateOTP(ctx context.Context, n verify.NewOTP) (verify.Record, error)
	DeleteOTP(ctx context.Context, ref verify.Ref, i verify.Idempotency) (verify.Record, error)
	RecordSubmits(ctx context.Context, outcomes []delivery.SubmitOutcome) (bool, error)
	RecordReceipt(ctx context.Context, r delivery.Receipt) (known, started bool, err error)
	OTPRecord(ctx context.Context, account, id string) (report.Record, error)
	Purge(ctx context.Context, keep upkeep.Retention) (int, error)
}

// Outbox fills a store with callback configurations and events, in two
// accounts, Acme and Other.
type Outbox struct {
	CallbackStore
	Keys *secret.Keyring
	t    testing.TB
}

// The accounts of an Outbox.
const (
	Acme  = acme
	Other = other
)

// Recipient and Code are those of every OTP of an Outbox.
const (
	Recipient = "+4915112345678"
	Code      = rightCode
)

// NewOutbox returns an outbox over a fresh store.
func NewOutbox(t testing.TB, store CallbackStore) *Outbox {
	t.Helper()
	root, err := secret.NewRoot(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := secret.NewKeyring(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{Acme, Other} {
		if err := store.CreateAccount(t.Context(), account.Account{Name: name}); err != nil {
			t.Fatalf("create account: %v", err)
		}
	}
	return &Outbox{CallbackStore: store, Keys: keys, t: t}
}

// Reopened is the outbox over the same database, opened anew.
func (o *Outbox) Reopened(store CallbackStore) *Outbox {
	return &Outbox{CallbackStore: store, Keys: o.Keys, t: o.t}
}

// Configure adds a configuration to an account and returns its id and secret.
func (o *Outbox) Configure(account string, c catalog.Callback) (string, callback.Secret) {
	o.t.Helper()
	id := uuid.NewString()
	signing, err := callback.NewSecret(rand.Reader)
	if err != nil {
		o.t.Fatal(err)
	}
	sealed := catalog.SealedCallback{
		ID: id, URL: c.URL, ProfileID: c.ProfileID,
		Secret: o.Keys.Seal([]byte(signing.Reveal()), callback.SecretContext(account, id)...),
	}
	if c.Headers != nil {
		type header struct {
			Name  string `json:"Name"`
			Value string `json:"Value"`
		}
		var plain []header
		for _, h := range c.Headers {
			plain = append(plain, header(h))
		}
		text, err := json.Marshal(plain)
		if err != nil {
			o.t.Fatal(err)
		}
		sealed.Headers = o.Keys.Seal(text, callback.HeadersContext(account, id)...)
	}
	if err := o.CreateCallback(o.t.Context(), account, sealed); err != nil {
		o.t.Fatalf("CreateCallback: %v", err)
	}
	return id, signing
}

// Sent is an OTP with one SMS delivery, at first queued.
type Sent struct {
	verify.Ref
	o *Outbox
}

// Profile is the profile of every OTP of an Outbox.
const Profile = "0c7a1d8e-1f2b-4c3d-9e4f-5a6b7c8d9e0f"

// Send makes an OTP.
func (o *Outbox) Send(account string) Sent {
	o.t.Helper()
	to, err := phone.ParseRecipient(Recipient)
	if err != nil {
		o.t.Fatal(err)
	}
	s := Sent{verify.Ref{Account: account, Origin: origin, ID: uuid.NewString()}, o}
	_, err = o.CreateOTP(o.t.Context(), verify.NewOTP{
		Ref: s.Ref, Recipient: to, ProfileID: Profile, Allowed: 3, Life: time.Hour,
		Rule: otp.Rule{Length: len(Code)}, Key: o.Keys.Current(),
		Plan: delivery.Plan{Steps: []delivery.Step{step(message.SMS)}}, Dedupe: uuid.NewString(),
		Sealed: o.Keys.Seal([]byte(Code), "code", account, s.ID),
	})
	if err != nil {
		o.t.Fatalf("CreateOTP: %v", err)
	}
	return s
}

// Dispatch records that a carrier accepted the delivery.
func (s Sent) Dispatch() {
	s.o.t.Helper()
	s.submit(delivery.Result{Class: delivery.Accepted, Ref: s.ID})
}

// Refuse records that a carrier refused the delivery.
func (s Sent) Refuse(why otp.Failure) {
	s.o.t.Helper()
	s.submit(delivery.Result{Class: delivery.Permanent, Failure: why})
}

func (s Sent) submit(r delivery.Result) {
	s.o.t.Helper()
	key := delivery.Key{Account: s.Account, OTPID: s.ID, Seq: 1}
	if _, err := s.o.RecordSubmits(s.o.t.Context(), []delivery.SubmitOutcome{{Key: key, Carrier: "double", Result: r}}); err != nil {
		s.o.t.Errorf("RecordSubmits: %v", err)
	}
}

// Deliver records a success receipt.
func (s Sent) Deliver() {
	s.o.t.Helper()
	s.receipt(delivery.Receipt{State: delivery.ReceiptDelivered})
}

// TimeOut records a receipt that says so.
func (s Sent) TimeOut() {
	s.o.t.Helper()
	s.receipt(delivery.Receipt{State: delivery.ReceiptTimedOut})
}

func (s Sent) receipt(r delivery.Receipt) {
	s.o.t.Helper()
	r.Carrier, r.Ref = "double", s.ID
	if known, _, err := s.o.RecordReceipt(s.o.t.Context(), r); err != nil || !known {
		s.o.t.Errorf("RecordReceipt = %v, %v", known, err)
	}
}

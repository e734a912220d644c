// Package storetest is one conformance suite for every store: what the
// services were promised, each promise a named case. A store's own tests call
// Run with a way to open it; a rule found in one store becomes a case for all.
package storetest

import (
	"context"
	"crypto/rand"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/upkeep"
	"github.com/countersign/countersign/internal/verify"
)

// Store is what the suite checks.
type Store interface {
	verify.Store
	delivery.Store
	CreateAccount(ctx context.Context, a account.Account) error
	ExpireOTPs(ctx context.Context) (int, error)
	EraseRecipient(ctx context.Context, keys map[string][16]byte) (int, error)
	ClearLimits(ctx context.Context, account string, recipientKey [16]byte) (bool, error)
	LimitSteps(rules guard.Rules)
	HideQuotes(quotes verify.Quoting)
	BindKeys(ctx context.Context, current, index otp.KeyID, known []otp.KeyID) error
	Quarantined(ctx context.Context) (time.Time, error)
	BeginQuarantine(ctx context.Context) error
	EndQuarantine(ctx context.Context) (open int, err error)
	upkeep.NodeStore
	AuditReader
}

// Opened is a fresh, empty store with what the suite needs to look inside.
type Opened struct {
	Store Store
	// SealedCodes counts the sealed codes that the database still holds for an
	// OTP (C-05).
	SealedCodes func(t testing.TB, account, id string) int
	// DeliveryIDs counts the deliveries that the database keeps by their id too.
	DeliveryIDs func(t testing.TB) int
	// LimitTimes counts the times of sends and of wrong codes that limits remember.
	LimitTimes func(t testing.TB) int
	// Purge removes what keep says and returns how many OTPs.
	Purge func(t testing.TB, keep upkeep.Retention) int
}

// Wall is a wall clock that tests turn. The zero Wall starts at Start.
type Wall struct {
	mu  sync.Mutex // guards now
	now time.Time
}

// Start is when every test's clock begins.
var Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Now returns the clock's time.
func (w *Wall) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now.IsZero() {
		w.now = Start
	}
	return w.now
}

// Add turns the clock, backwards too.
func (w *Wall) Add(d time.Duration) {
	now := w.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = now.Add(d)
}

// Open opens a fresh store whose time is wall's.
type Open func(t testing.TB, wall func() time.Time) Opened

// bench is one case's store with what to fill it.
type bench struct {
	Opened
	t    testing.TB
	wall *Wall
	keys *secret.Keyring
}

const (
	acme   = "acme"
	other  = "other"
	origin = "test"
)

// Run checks the stores that open returns: each one fresh and empty.
func Run(t *testing.T, open Open) {
	t.Helper()
	root, err := secret.NewRoot(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := secret.NewKeyring(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		run  func(*testing.T, *bench)
	}{
		{"an OTP reads back as it was written", readsBack},
		{"another account's or origin's OTP is not found", foreignOTP},
		{"an id is taken once per account", idTaken},
		{"a list is newest first and filtered", lists},
		{"checks move an OTP as the rules say", checks},
		{"a code is not judged without its root key", unjudged},
		{"a random life agrees with the rules", randomLife},
		{"parallel wrong guesses are exactly the attempts allowed", parallelWrong},
		{"parallel right guesses verify once", parallelRight},
		{"an OTP is over at its expiry and not before", expiryEdge},
		{"a clock set back revives nothing", clockBack},
		{"an idempotency key repeats the answer", idempotent},
		{"who asks for an answer that is not there keeps no key", asksForAnswers},
		{"a caller that left before the work began changes nothing", cancelled},
		{"a deleted OTP leaves nothing behind", deleted},
		{"limits on sends count over OTPs and deletions", limitsSends},
		{"limits on wrong codes outlive OTPs", limitsFailures},
		{"parallel sends to one recipient are exactly those allowed", limitsParallelSends},
		{"of limited sends with one id the first alone is kept", limitedIDs},
		{"a right code forgets the wrong ones before it", successForgets},
		{"a clear tells whether limits remembered anything", clearsNothing},
		{"an OTP without limits neither asks nor changes them", unlimitedCounts},
		{"resends count as sends", limitsResends},
		{"calls have limits of their own", limitsCalls},
		{"a fallback by voice counts as a call", limitsCallSteps},
		{"a lease is given up by its node only", releasesOwn},
		{"a resend carries the same code", resends},
		{"a quarantine begins once and ends the codes of its time", quarantines},
		{"the audit list is read backwards, page by page", auditBackwards},
		{"an audit entry below the first is found by a proof", auditBelowTheFirst},
		{"nodes are listed while they give signs", nodesSeen},
		{"no end state leaves a sealed code", sealedGone},
		{"the end of an OTP's time is told of what was still to be sent", tellsOfTheEndOfTime},
		{"what a carrier answers after an OTP's time is told", tellsOfLateAnswers},
		{"no event tells a code or number that a carrier quotes", hidesQuotes},
		{"a database keeps to the root keys that it was made with", keepsToRootKeys},
		{"a delivery is claimed by one node at a time", claims},
		{"parallel claims never share a delivery", parallelClaims},
		{"a submit's outcome moves the delivery forward", submits},
		{"a claimed delivery may be submitted while its OTP is open", maySubmit},
		{"a failed step starts the next", fallsBack},
		{"a wait that is over starts the next step", waitsEnd},
		{"a resend beside a plan does not stop its next step", resendBeside},
		{"a late receipt is recorded and starts nothing", lateReceipt},
		{"a receipt names a delivery by our id or by the carrier's", receiptsByID},
		{"a carrier may call a message by any octets", refsOfAnyOctets},
		{"what a carrier says with a retry is kept for its next try", tellsTheNextTry},
		{"only deliveries with a reference of their carrier's are kept by their id", idsOfFew},
		{"an OTP that goes takes the ids of its deliveries along", idsGone},
		{"a receipt of a message whose answer was lost counts at once", earlyReceipt},
		{"a busy line is called a second time, and not a third", callsAgain},
		{"a code is kept while its line may be called again", callsAgainAnswered},
		{"a second call ends with its OTP and with its step", callsAgainEnds},
		{"a settled OTP is not timed out", settled},
		{"a fallback extends the OTP so that its text is true", extends},
		{"fallback steps are limited too", limitsSteps},
		{"events of an OTP strictly follow each other", eventTimes},
		{"the sweep ends what is overdue", sweeps},
		{"what was kept long enough is purged", purges},
		{"an OTP is kept while an older one of its recipient is", purgesInOrder},
		{"an OTP is kept by its expiry, however old it is", purgesByExpiry},
		{"answers are kept for their time", purgesAnswers},
		{"what limits remember is kept while it can still stop the recipient", purgesTallies},
		{"an erased recipient keeps its limits", erases},
		{"an erasure removes the answers that name the recipient", erasesAnswers},
		{"an erasure walks through all answers of an account", erasesManyAnswers},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wall := &Wall{}
			b := &bench{Opened: open(t, wall.Now), t: t, wall: wall, keys: keys}
			for _, name := range []string{acme, other} {
				if err := b.Store.CreateAccount(t.Context(), account.Account{Name: name, Created: wall.Now()}); err != nil {
					t.Fatalf("create account: %v", err)
				}
			}
			c.run(t, b)
		})
	}
}

// order is what a test sends; zero fields have plain defaults.
type order struct {
	account    string
	origin     string
	id         string
	to         string
	code       string
	form       otp.Form
	binding    string
	attempts   int
	life       time.Duration
	steps      []delivery.Step
	spare      []delivery.Step
	resendable bool
	limited    bool
	rules      guard.Rules
	idem       verify.Idempotency
	profile    string
	reference  string
}

const (
	rightCode = "483920"
	wrongCode = "000000"
)

func step(c message.Channel) delivery.Step {
	return delivery.Step{
		Channel: c, Text: message.Parse("code #", []message.Placeholder{{Token: "#", Code: true}}),
		Sender: "VERIFY", Language: "en", Life: 3 * time.Minute, Wait: time.Minute,
	}
}

func (b *bench) newOTP(o order) verify.NewOTP {
	b.t.Helper()
	if o.account == "" {
		o.account = acme
	}
	if o.origin == "" {
		o.origin = origin
	}
	if o.id == "" {
		o.id = uuid.NewString()
	}
	if o.to == "" {
		o.to = "+4915112345678"
	}
	if o.code == "" {
		o.code = rightCode
	}
	if o.attempts == 0 {
		o.attempts = 3
	}
	if o.life == 0 {
		o.life = 3 * time.Minute
	}
	if o.steps == nil {
		o.steps = []delivery.Step{step(message.SMS)}
	}
	to, err := phone.ParseRecipient(o.to)
	if err != nil {
		b.t.Fatalf("recipient: %v", err)
	}
	code := otp.NewCode(o.code)
	n := verify.NewOTP{
		Ref: verify.Ref{Account: o.account, Origin: o.origin, ID: o.id}, Recipient: to,
		RecipientKey: verify.RecipientKey(b.keys, o.account, to), Reference: o.reference, ProfileID: o.profile,
		Allowed: o.attempts, Life: o.life, Rule: otp.Rule{Form: o.form, Length: len(o.code), Bound: o.binding != ""},
		Plan: delivery.Plan{Steps: o.steps, Spare: o.spare}, Dedupe: uuid.NewString(),
		Sealed: b.keys.Seal([]byte(o.code), "otp", o.account, o.id), Resendable: o.resendable,
		Limited: o.limited, Rules: o.rules, Idempotency: o.idem,
	}
	n.Key, n.Digest = otp.Hash(b.keys, otp.Subject{Account: o.account, ID: o.id, Binding: o.binding}, n.Rule, code)
	return n
}

func (b *bench) send(o order) verify.Record {
	b.t.Helper()
	rec, err := b.Store.CreateOTP(b.t.Context(), b.newOTP(o))
	if err != nil {
		b.t.Fatalf("CreateOTP: %v", err)
	}
	return rec
}

func (b *bench) attempt(ref verify.Ref, code string) verify.Attempt {
	return verify.Attempt{
		Ref:   ref,
		Guess: otp.NewGuess(b.keys, otp.Subject{Account: ref.Account, ID: ref.ID}, otp.NewCode(code)),
	}
}

func (b *bench) check(ref verify.Ref, code string) verify.Checked {
	b.t.Helper()
	c, err := b.Store.CountAttempt(b.t.Context(), b.attempt(ref, code))
	if err != nil {
		b.t.Fatalf("CountAttempt: %v", err)
	}
	return c
}

func (b *bench) read(ref verify.Ref) verify.Record {
	b.t.Helper()
	rec, err := b.Store.OTP(b.t.Context(), ref)
	if err != nil {
		b.t.Fatalf("OTP: %v", err)
	}
	return rec
}

func (b *bench) kinds(ref verify.Ref) []string {
	b.t.Helper()
	events, err := b.Store.Events(b.t.Context(), ref)
	if err != nil {
		b.t.Fatalf("Events: %v", err)
	}
	kinds := []string{}
	for _, e := range events {
		kind := e.Kind.String()
		if e.Channel != "" {
			kind = e.Channel + " " + kind
		}
		kinds = append(kinds, kind)
	}
	return kinds
}

// claim claims everything due and returns it.
func (b *bench) claim(node string) []delivery.Job {
	b.t.Helper()
	jobs, _, err := b.Store.ClaimDeliveries(b.t.Context(), node, 100, time.Minute)
	if err != nil {
		b.t.Fatalf("ClaimDeliveries: %v", err)
	}
	return jobs
}

// one claims exactly one delivery.
func (b *bench) one() delivery.Job {
	b.t.Helper()
	jobs := b.claim("n1")
	if len(jobs) != 1 {
		b.t.Fatalf("claimed %d deliveries, want 1", len(jobs))
	}
	return jobs[0]
}

func (b *bench) record(job delivery.Job, r delivery.Result) (started bool) {
	b.t.Helper()
	started, err := b.Store.RecordSubmits(b.t.Context(), []delivery.SubmitOutcome{{Key: job.Key, Carrier: "double", Result: r}})
	if err != nil {
		b.t.Fatalf("RecordSubmits: %v", err)
	}
	return started
}

func (b *bench) receipt(ref string, state delivery.ReceiptState) (known, started bool) {
	b.t.Helper()
	r := delivery.Receipt{Carrier: "double", Ref: ref, State: state}
	if state == delivery.ReceiptUndeliverable {
		r.Failure = otp.Failure{Area: delivery.AreaCarrier, Code: "1", Text: "absent"}
	}
	known, started, err := b.Store.RecordReceipt(b.t.Context(), r)
	if err != nil {
		b.t.Fatalf("RecordReceipt: %v", err)
	}
	return known, started
}

func (b *bench) endWaits() (n int, started bool) {
	b.t.Helper()
	n, started, err := b.Store.EndWaits(b.t.Context(), 100)
	if err != nil {
		b.t.Fatalf("EndWaits: %v", err)
	}
	return n, started
}

func accepted(ref string) delivery.Result { return delivery.Result{Class: delivery.Accepted, Ref: ref} }

func refused() delivery.Result {
	return delivery.Result{Class: delivery.Permanent, Failure: otp.Failure{Area: delivery.AreaCarrier, Code: "3", Text: "refused"}}
}

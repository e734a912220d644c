package delivery_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/store/testdb"
	"github.com/countersign/countersign/internal/verify"
)

// system is the service over a real database, with the sandbox as its carrier.
type system struct {
	t          testing.TB
	wall       func() time.Time
	store      testdb.Store
	keys       *secret.Keyring
	service    *verify.Service
	inbox      *sandbox.Inbox
	carrier    *sandbox.Carrier
	dispatcher *delivery.Dispatcher
	later      []func() // what the sandbox has to do after a while
}

func newSystem(t testing.TB, wall func() time.Time) *system {
	t.Helper()
	s := &system{t: t, wall: wall}
	log := slog.New(slog.DiscardHandler)
	s.store = testdb.Open(t, wall, log)
	if err := s.store.CreateAccount(t.Context(), account.Account{Name: "acme", Created: wall()}); err != nil {
		t.Fatal(err)
	}
	root, err := secret.NewRoot(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if s.keys, err = secret.NewKeyring(root); err != nil {
		t.Fatal(err)
	}
	s.inbox = sandbox.NewInbox(s.store, s.keys, log)
	s.carrier = sandbox.New(sandbox.Config{
		Inbox: s.inbox, Log: log,
		Receive: func(ctx context.Context, r delivery.Receipt) (bool, error) { return s.dispatcher.Receive(ctx, r) },
		After: func(_ time.Duration, f func()) func() bool {
			s.later = append(s.later, f)
			return func() bool { return true }
		},
	})
	s.dispatcher = delivery.NewDispatcher(s.config())
	s.service = verify.New(verify.Config{
		Store: s.store, Keys: s.keys, Dispatch: s.dispatcher, Rules: guard.Compat(10), Random: rand.Reader,
		Coverage: delivery.Coverage{Router: sandbox.NewRouter(s.carrier), IsSandbox: sandbox.Is},
	})
	return s
}

func (s *system) config() delivery.DispatcherConfig {
	return delivery.DispatcherConfig{
		Store: s.store, Router: sandbox.NewRouter(s.carrier), Node: "n1", Log: slog.New(slog.DiscardHandler), Now: s.store.Now,
		Open: func(account, id string, sealed []byte) (otp.Code, error) {
			return verify.OpenCode(s.keys.Open, account, id, sealed)
		},
		Jitter: func(limit time.Duration) time.Duration { return limit - 1 },
	}
}

// send sends an OTP that lives for 3 minutes to a number with the ending.
func (s *system) send(ending string, channels ...message.Channel) verify.Ref {
	s.t.Helper()
	n, err := phone.FromE164("+4915112345678"[:14-len(ending)] + ending)
	if err != nil {
		s.t.Fatal(err)
	}
	var plan delivery.Plan
	for _, c := range channels {
		step := sms()
		step.Channel = c
		plan.Steps = append(plan.Steps, step)
	}
	rec, err := s.service.Send(s.t.Context(), verify.SendRequest{
		Account: "acme", Origin: "test", Recipient: n.Recipient(), Code: otp.NewCode("483920"), Plan: plan,
		Policy: otp.Policy{Length: 6, Attempts: 3, Life: 3 * time.Minute},
	})
	if err != nil {
		s.t.Fatalf("Send: %v", err)
	}
	return rec.Ref
}

// step does what is due and returns the OTP's history so far.
func (s *system) step(ref verify.Ref) []string {
	s.t.Helper()
	if _, err := s.dispatcher.Step(s.t.Context()); err != nil {
		s.t.Fatalf("Step: %v", err)
	}
	return s.events(ref)
}

func (s *system) events(ref verify.Ref) []string {
	s.t.Helper()
	events, err := s.service.Events(s.t.Context(), ref)
	if err != nil {
		s.t.Fatalf("Events: %v", err)
	}
	var lines []string
	for _, e := range events {
		line := e.Channel + " " + e.Kind.String()
		if e.Failure != nil {
			line += " " + e.Failure.Area + "::" + e.Failure.Code
		}
		lines = append(lines, line)
	}
	return lines
}

// texts returns what is in the inbox of an OTP, oldest first.
func (s *system) texts(ref verify.Ref) []string {
	s.t.Helper()
	list, err := s.inbox.List(s.t.Context(), sandbox.Query{Account: ref.Account, OTPID: ref.ID, OldestFirst: true, Limit: 100})
	if err != nil {
		s.t.Fatalf("List: %v", err)
	}
	var lines []string
	for _, m := range list {
		lines = append(lines, string(m.Channel)+" "+m.Text.Reveal())
	}
	return lines
}

// want compares what there is with what there should be.
func (s *system) want(what string, got []string, want ...string) {
	s.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestAFailedSMSArrivesByVoice(t *testing.T) {
	t.Parallel()
	wall := &storetest.Wall{}
	s := newSystem(t, wall.Now)
	ref := s.send("0001", message.SMS, message.Voice)
	s.want("events", s.step(ref), "SMS DISPATCHED", "SMS UNDELIVERABLE carrier::1", "VOICE DISPATCHED", "VOICE DELIVERED")
	s.want("inbox", s.texts(ref), "SMS code 483920", "VOICE code 4, 8, 3, 9, 2, 0")
}

func TestARefusedSMSArrivesByVoice(t *testing.T) {
	t.Parallel()
	wall := &storetest.Wall{}
	s := newSystem(t, wall.Now)
	ref := s.send("0003", message.SMS, message.Voice)
	s.want("events", s.step(ref), "SMS UNDELIVERABLE carrier::3", "VOICE DISPATCHED", "VOICE DELIVERED")
	s.want("inbox", s.texts(ref), "VOICE code 4, 8, 3, 9, 2, 0")
}

func TestASilentSMSIsFollowedByVoice(t *testing.T) {
	t.Parallel()
	wall := &storetest.Wall{}
	s := newSystem(t, wall.Now)
	ref := s.send("0002", message.SMS, message.Voice)
	verified := s.send("0002", message.SMS, message.Voice)
	s.want("events", s.step(ref), "SMS DISPATCHED")
	wall.Add(20 * time.Second)
	if _, err := s.service.Check(t.Context(), verify.CheckRequest{Ref: verified, Code: otp.NewCode("483920")}); err != nil {
		t.Fatal(err)
	}
	wall.Add(40*time.Second - time.Microsecond)
	s.want("events just before the wait is over", s.step(ref), "SMS DISPATCHED")
	wall.Add(time.Microsecond)
	s.want("events", s.step(ref), "SMS DISPATCHED", "SMS TIMED_OUT", "VOICE DISPATCHED", "VOICE DELIVERED")
	wall.Add(10 * time.Minute)
	s.want("events of the verified one", s.step(verified), "SMS DISPATCHED", " VERIFIED")
	s.want("inbox of the verified one", s.texts(verified), "SMS code 483920")
}

func TestTwoTemporaryErrorsAreOvercome(t *testing.T) {
	t.Parallel()
	wall := &storetest.Wall{}
	s := newSystem(t, wall.Now)
	ref := s.send("0004", message.SMS, message.Voice)
	for range 2 {
		s.want("events", s.step(ref))
		wall.Add(time.Second)
	}
	s.want("events", s.step(ref), "SMS DISPATCHED", "SMS DELIVERED")
	s.want("inbox", s.texts(ref), "SMS code 483920")
}

func TestAReceiptThatComesLaterIsRecorded(t *testing.T) {
	t.Parallel()
	wall := &storetest.Wall{}
	s := newSystem(t, wall.Now)
	ref := s.send("0005", message.SMS)
	s.want("events", s.step(ref), "SMS DISPATCHED")
	wall.Add(3 * time.Second)
	for _, f := range s.later {
		f()
	}
	s.want("events", s.events(ref), "SMS DISPATCHED", "SMS DELIVERED")
}

func TestASingleSilentChannelTimesOutWithTheOTP(t *testing.T) {
	t.Parallel()
	wall := &storetest.Wall{}
	s := newSystem(t, wall.Now)
	ref := s.send("0002", message.SMS)
	s.step(ref)
	wall.Add(3*time.Minute - time.Microsecond)
	s.want("events just before the end", s.step(ref), "SMS DISPATCHED")
	wall.Add(time.Microsecond)
	s.want("events", s.step(ref), "SMS DISPATCHED", "SMS TIMED_OUT")
}

func TestAKillBetweenSubmitAndRecordRepeatsTheMessageOnce(t *testing.T) {
	t.Parallel()
	wall := &storetest.Wall{}
	s := newSystem(t, wall.Now)
	ref := s.send("1111", message.SMS)
	// A node claims, submits and dies.
	jobs, _, err := s.store.ClaimDeliveries(t.Context(), "dead", 10, time.Minute)
	if err != nil || len(jobs) != 1 {
		t.Fatalf("ClaimDeliveries = %d jobs, %v", len(jobs), err)
	}
	code, err := verify.OpenCode(s.keys.Open, "acme", ref.ID, jobs[0].Sealed)
	if err != nil {
		t.Fatal(err)
	}
	s.carrier.Submit(t.Context(), delivery.Message{
		Dedupe: jobs[0].Dedupe, Account: "acme", OTPID: ref.ID, Recipient: jobs[0].Recipient, Step: jobs[0].Step, Code: code, Try: 1,
	})
	s.want("events within the lease", s.step(ref))
	wall.Add(time.Minute)
	s.want("events after the lease", s.step(ref), "SMS DISPATCHED", "SMS DELIVERED")
	s.want("inbox", s.texts(ref), "SMS code 483920")
}

func TestNothingIsSentForADeletedOTP(t *testing.T) {
	t.Parallel()
	wall := &storetest.Wall{}
	s := newSystem(t, wall.Now)
	ref := s.send("0001", message.SMS, message.Voice)
	if _, err := s.service.Delete(t.Context(), ref, verify.Idempotency{}); err != nil {
		t.Fatal(err)
	}
	if n, err := s.dispatcher.Step(t.Context()); n != 0 || err != nil {
		t.Errorf("Step = %d, %v; want 0", n, err)
	}
	s.want("inbox", s.texts(ref))
}

func TestManySendsAtOnceAreAllDelivered(t *testing.T) {
	t.Parallel()
	const callers, each = 20, 10
	s := newSystem(t, time.Now)
	seen := &latencies{}
	cfg := s.config()
	cfg.Observer, cfg.Jitter = seen, nil
	s.dispatcher = delivery.NewDispatcher(cfg)
	s.service.Dispatch = s.dispatcher
	stop := start(t, s.dispatcher)
	var group sync.WaitGroup
	refs := make([]verify.Ref, callers*each)
	for i := range callers {
		group.Go(func() {
			for j := range each {
				refs[i*each+j] = s.send(fmt.Sprintf("%02d%02d", 10+i, j), message.SMS, message.Voice)
			}
		})
	}
	group.Wait()
	deadline := time.Now().Add(2 * time.Minute)
	for _, ref := range refs {
		for len(s.events(ref)) < 2 && time.Now().Before(deadline) {
			time.Sleep(5 * time.Millisecond)
		}
		s.want("events of one of many", s.events(ref), "SMS DISPATCHED", "SMS DELIVERED")
		s.want("inbox of one of many", s.texts(ref), "SMS code 483920")
	}
	if err := stop(); err != nil {
		t.Errorf("Run = %v", err)
	}
	t.Logf("from accept to carrier: median %v of %d", seen.median(), len(seen.all))
}

// latencies remembers how long deliveries waited.
type latencies struct {
	mu  sync.Mutex // guards all
	all []time.Duration
}

func (l *latencies) Handed(_ message.Channel, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, d)
}

func (l *latencies) median() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.Sort(l.all)
	return l.all[len(l.all)/2]
}

func (*latencies) Claimed(int, time.Duration)                                       {}
func (*latencies) Submitted(message.Channel, string, delivery.Class, time.Duration) {}
func (*latencies) Received(string, delivery.ReceiptState, bool)                     {}
func (*latencies) TimedOut(int)                                                     {}
func (*latencies) Lost()                                                            {}

package admission_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/internal/admission"
	"github.com/countersign/countersign/internal/verify"
)

// slow is a store that takes a second for everything, and then fails if it is told to.
type slow struct {
	verify.Store

	err error
}

func (s *slow) work() error {
	time.Sleep(time.Second)
	return s.err
}

func (s *slow) CreateOTP(context.Context, verify.NewOTP) (verify.Record, error) {
	return verify.Record{}, s.work()
}

func (s *slow) AddDelivery(context.Context, verify.NewDelivery) (verify.Record, error) {
	return verify.Record{}, s.work()
}

func (s *slow) CountAttempt(context.Context, verify.Attempt) (verify.Checked, error) {
	return verify.Checked{}, s.work()
}

func (s *slow) DeleteOTP(context.Context, verify.Ref, verify.Idempotency) (verify.Record, error) {
	return verify.Record{}, s.work()
}

func (s *slow) Answered(context.Context, string, verify.Idempotency) (verify.Checked, error) {
	return verify.Checked{}, s.work()
}

func TestARepetitionIsRefusedWhileTheFirstRuns(t *testing.T) {
	t.Parallel()
	errFails := errors.New("fails")
	for name, do := range map[string]func(context.Context, verify.Store, verify.Idempotency) error{
		"send": func(ctx context.Context, s verify.Store, i verify.Idempotency) error {
			_, err := s.CreateOTP(ctx, verify.NewOTP{Idempotency: i})
			return err
		},
		"resend": func(ctx context.Context, s verify.Store, i verify.Idempotency) error {
			_, err := s.AddDelivery(ctx, verify.NewDelivery{Idempotency: i})
			return err
		},
		"check": func(ctx context.Context, s verify.Store, i verify.Idempotency) error {
			_, err := s.CountAttempt(ctx, verify.Attempt{Idempotency: i})
			return err
		},
		"delete": func(ctx context.Context, s verify.Store, i verify.Idempotency) error {
			_, err := s.DeleteOTP(ctx, verify.Ref{}, i)
			return err
		},
		"answer": func(ctx context.Context, s verify.Store, i verify.Idempotency) error {
			_, err := s.Answered(ctx, "acme", i)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				behind := &slow{}
				s := admission.New(time.Now, func(admission.Work) {}).Store(behind)
				first := verify.Idempotency{Key: [16]byte{1}, Fingerprint: [16]byte{2}}
				told := make(chan error, 1)
				begin := func(i verify.Idempotency) {
					go func() { told <- do(t.Context(), s, i) }()
					synctest.Wait()
				}
				wants := func(what string, i verify.Idempotency, want error, takes time.Duration) {
					t.Helper()
					begun := time.Now()
					if err := do(t.Context(), s, i); !errors.Is(err, want) || time.Since(begun) != takes {
						t.Errorf("%s: %v after %s; want %v after %s", what, err, time.Since(begun), want, takes)
					}
				}
				begin(first)
				wants("the same again", first, verify.ErrIdempotencyRunning, 0)
				wants("another request with the key", verify.Idempotency{Key: first.Key, Fingerprint: [16]byte{3}}, verify.ErrIdempotencyMismatch, 0)
				wants("the same with another key", verify.Idempotency{Key: [16]byte{4}, Fingerprint: first.Fingerprint}, nil, time.Second)
				if err := <-told; err != nil {
					t.Errorf("the first: %v", err)
				}
				wants("again once it is done", first, nil, time.Second)
				begin(verify.Idempotency{})
				wants("without a key", verify.Idempotency{}, nil, time.Second)
				if err := <-told; err != nil {
					t.Errorf("the first without a key: %v", err)
				}
				behind.err = errFails
				begin(first)
				if err := <-told; !errors.Is(err, errFails) {
					t.Errorf("one that fails: %v", err)
				}
				wants("after one that failed", first, errFails, time.Second)
			})
		})
	}
}

// What a repetition names may have gone meanwhile: it would be refused for good
// if it were only told that no answer is kept yet.
func TestTheAnswerOfARequestThatIsUnderWayIsNotLookedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := admission.New(time.Now, func(admission.Work) {}).Store(&slow{})
		first := verify.Idempotency{Key: [16]byte{1}, Fingerprint: [16]byte{2}}
		told := make(chan error, 1)
		go func() {
			_, err := s.CreateOTP(t.Context(), verify.NewOTP{Idempotency: first})
			told <- err
		}()
		synctest.Wait()
		for i, want := range map[verify.Idempotency]error{
			first: verify.ErrIdempotencyRunning,
			{Key: first.Key, Fingerprint: [16]byte{3}}: verify.ErrIdempotencyMismatch,
		} {
			if _, err := s.Answered(t.Context(), "acme", i); !errors.Is(err, want) {
				t.Errorf("Answered(%v) while the send runs = %v, want %v", i, err, want)
			}
		}
		if err := <-told; err != nil {
			t.Errorf("the send: %v", err)
		}
	})
}

package proof_test

import (
	"context"
	"errors"
	mathrand "math/rand/v2"
	"sync"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/verify"
)

// faulty is a real store with one mistake: what it answers and keeps is what a
// caller would see of a store that has it.
type faulty struct {
	*sqlite.Store
	fault fault

	mu   sync.Mutex // guards what follows
	sent map[verify.Ref]verify.NewOTP
	last map[verify.Ref]verify.Record // as last read or checked
	base map[verify.Ref]int           // attempts that are no longer told
}

// fault is a mistake to plant.
type fault string

const (
	lostIncrement    fault = "a wrong code is counted by reading and then writing"
	doubleSuccess    fault = "a code verifies twice"
	acceptLate       fault = "a code is accepted after the expiry"
	resetByNewOTP    fault = "a new OTP resets the recipient's wrong codes"
	resetByResend    fault = "a resend resets the attempts"
	lostSend         fault = "an acknowledged send is not there"
	staleRead        fault = "a read shows what was before a change"
	undoneToldWrong  fault = "work that went on is told as not done"
	noSendLimit      fault = "sends are not limited"
	revivedByDelete  fault = "a deletion that was acknowledged is not done"
	countsAfterFinal fault = "codes are counted after the end"
)

var faults = []fault{
	lostIncrement, doubleSuccess, acceptLate, resetByNewOTP, resetByResend, lostSend, staleRead, undoneToldWrong, noSendLimit,
	revivedByDelete, countsAfterFinal,
}

func plant(s *sqlite.Store, f fault) *faulty {
	return &faulty{
		Store: s, fault: f,
		sent: map[verify.Ref]verify.NewOTP{}, last: map[verify.Ref]verify.Record{}, base: map[verify.Ref]int{},
	}
}

// seldom makes mistakes as rare as races are.
func seldom() bool { return mathrand.IntN(4) == 0 }

func (f *faulty) CreateOTP(ctx context.Context, n verify.NewOTP) (verify.Record, error) {
	f.mu.Lock()
	f.sent[n.Ref] = n
	f.mu.Unlock()
	if f.fault == noSendLimit {
		n.Rules = guard.Rules{}
	}
	rec, err := f.Store.CreateOTP(ctx, n)
	if err != nil {
		return rec, f.told(err)
	}
	switch {
	case f.fault == resetByNewOTP:
		_, err = f.ClearLimits(context.WithoutCancel(ctx), n.Account, n.RecipientKey)
	case f.fault == lostSend && seldom():
		_, err = f.Store.DeleteOTP(context.WithoutCancel(ctx), n.Ref, verify.Idempotency{})
	}
	return rec, err
}

// told makes of an unknown outcome one that is known, and wrong.
func (f *faulty) told(err error) error {
	if f.fault == undoneToldWrong && errors.Is(err, verify.ErrOutcomeUnknown) {
		return verify.ErrUnavailable
	}
	return err
}

func (f *faulty) CountAttempt(ctx context.Context, a verify.Attempt) (verify.Checked, error) {
	if f.fault == lostIncrement && seldom() {
		// Two callers read the same count; the other's write is the last.
		rec, err := f.Store.OTP(ctx, a.Ref)
		if err == nil && rec.State == otp.Active && rec.Attempts+1 < rec.Allowed && !f.right(a, rec.OTP) {
			rec.Attempts++
			return verify.Checked{Record: rec, Verdict: otp.Wrong}, nil
		}
	}
	c, err := f.Store.CountAttempt(ctx, a)
	if err != nil {
		return c, f.told(err)
	}
	switch {
	case f.fault == doubleSuccess && c.Verdict == otp.Closed && c.Record.State == otp.Verified && f.right(a, c.Record.OTP):
		c.Verdict = otp.Right
	case f.fault == acceptLate && c.Verdict == otp.Late && f.right(a, c.Record.OTP):
		c.Verdict, c.Record.State = otp.Right, otp.Verified
		c.Record.Attempts++
	case f.fault == countsAfterFinal && c.Verdict == otp.Closed:
		c.Record.Attempts++
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c.Record.Attempts -= f.base[a.Ref]
	return c, nil
}

// right reports whether the guess is right for the OTP whatever its state.
func (f *faulty) right(a verify.Attempt, o otp.OTP) bool {
	f.mu.Lock()
	n := f.sent[a.Ref]
	f.mu.Unlock()
	o.State, o.Attempts, o.Rule, o.Key, o.Digest = otp.Active, 0, n.Rule, n.Key, n.Digest
	_, v := o.Check(o.Created, a.Guess)
	return v == otp.Right
}

func (f *faulty) AddDelivery(ctx context.Context, n verify.NewDelivery) (verify.Record, error) {
	rec, err := f.Store.AddDelivery(ctx, n)
	if err == nil && f.fault == resetByResend {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.base[n.Ref] = rec.Attempts
		rec.Attempts = 0
	}
	return rec, f.told(err)
}

func (f *faulty) OTP(ctx context.Context, ref verify.Ref) (verify.Record, error) {
	rec, err := f.Store.OTP(ctx, ref)
	f.mu.Lock()
	defer f.mu.Unlock()
	if was, ok := f.last[ref]; ok && f.fault == staleRead {
		return was, nil
	}
	if err == nil {
		f.last[ref] = rec
		rec.Attempts -= f.base[ref]
	}
	return rec, err
}

func (f *faulty) DeleteOTP(ctx context.Context, ref verify.Ref, i verify.Idempotency) (verify.Record, error) {
	if f.fault == revivedByDelete && seldom() {
		return f.Store.OTP(ctx, ref)
	}
	rec, err := f.Store.DeleteOTP(ctx, ref, i)
	f.mu.Lock()
	defer f.mu.Unlock()
	rec.Attempts -= f.base[ref]
	return rec, f.told(err)
}

func TestEveryPlantedFaultIsFound(t *testing.T) {
	t.Parallel()
	for _, f := range faults {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			calls := 0
			for history := range 30 {
				r := s.record(t, plant(s.store, f), histories, size{recipients: 4, clients: 6, calls: 60})
				calls += len(r.history)
				if porcupine.CheckOperationsTimeout(r.terms.model(), r.history, patience) == porcupine.Illegal {
					t.Logf("found in history %d, after %d calls", history+1, calls)
					return
				}
			}
			t.Errorf("%d calls fit the model though %s", calls, f)
		})
	}
}

// The double without a fault must pass, or the faults' finds would mean
// nothing.
func TestTheDoubleWithoutAFaultPasses(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	r := s.record(t, plant(s.store, ""), histories, size{recipients: 4, clients: 6, calls: 60})
	if result := r.explain(t); result != porcupine.Ok {
		t.Errorf("a history of %d calls of the double without a fault is %s", len(r.history), result)
	}
}

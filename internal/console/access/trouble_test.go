package access_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/verify"
)

// sick is a store that cannot write while down.
type sick struct {
	access.Store
	down atomic.Bool
}

func (s *sick) UseStep(ctx context.Context, user string, step int64) error {
	if s.down.Load() {
		return verify.ErrUnavailable
	}
	return s.Store.UseStep(ctx, user, step)
}

func TestATroubleOfTheStoreIsNotTakenForAWrongCode(t *testing.T) {
	t.Parallel()
	s := &sick{}
	b := newBench(t, func(c *access.Config) { s.Store, c.Store = c.Store, s })
	app, _ := b.enrolled(access.Owner)
	s.down.Store(true)
	if _, err := b.SignIn(t.Context(), "jo", goodPassword, b.code(app)); !errors.Is(err, verify.ErrUnavailable) || errors.Is(err, access.ErrWrong) {
		t.Errorf("SignIn = %v, want ErrUnavailable", err)
	}
	s.down.Store(false)
	if _, err := b.SignIn(t.Context(), "jo", goodPassword, b.code(app)); err != nil {
		t.Errorf("SignIn with the same code, which was not used: %v", err)
	}
}

// full is an audit list that takes no sign-in.
type full struct{ access.Auditor }

func (f full) Append(ctx context.Context, e audit.Entry) error {
	if e.Action == audit.ActionConsoleSignIn {
		return verify.ErrUnavailable
	}
	return f.Auditor.Append(ctx, e)
}

func TestNobodyIsSignedInWhomTheAuditListDoesNotHold(t *testing.T) {
	t.Parallel()
	opened := &openings{}
	b := newBench(t, func(c *access.Config) {
		c.Audit = full{c.Audit}
		opened.Store, c.Store = c.Store, opened
	})
	app, _ := b.enrolled(access.Owner)
	if token, err := b.SignIn(t.Context(), "jo", goodPassword, b.code(app)); token != "" || !errors.Is(err, verify.ErrUnavailable) {
		t.Errorf("SignIn = %q, %v; want no token, ErrUnavailable", token, err)
	}
	if opened.open.Load() != 0 {
		t.Errorf("%d sessions are left open", opened.open.Load())
	}
}

// openings counts the sessions that signing in opened.
type openings struct {
	access.Store
	open atomic.Int32
}

func (o *openings) OpenSession(ctx context.Context, s access.Session) error {
	o.open.Add(1)
	return o.Store.OpenSession(ctx, s)
}

func (o *openings) CloseSession(ctx context.Context, hash [32]byte) error {
	o.open.Add(-1)
	return o.Store.CloseSession(ctx, hash)
}

// The store's time never goes back; the app's does, with the machine's.
func TestAnAppsCodesAreJudgedByTheMachinesClock(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.wall.Add(time.Hour)
	b.store.Now() // which was set too far, and seen
	b.wall.Add(-time.Hour)
	app, _ := b.enrolled(access.Owner)
	if _, err := b.SignIn(t.Context(), "jo", goodPassword, b.code(app)); err != nil {
		t.Errorf("SignIn while the store's time is ahead: %v", err)
	}
}

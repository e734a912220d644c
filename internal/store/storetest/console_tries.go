package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/console/access"
)

func triesLock(t *testing.T, b *consoleBench) {
	key, another := [16]byte{1}, [16]byte{2}
	try := func(key [16]byte) (bool, error) {
		return b.s.CountTry(t.Context(), key, 3, 30*time.Minute)
	}
	for i := range 3 {
		locked, err := try(key)
		if err != nil || locked != (i == 2) {
			t.Fatalf("try %d = %v, %v; want it to lock only with the third", i+1, locked, err)
		}
	}
	until := b.wall.Now().Add(30 * time.Minute)
	b.wall.Add(30*time.Minute - time.Microsecond)
	_, err := try(key)
	if locked, ok := errors.AsType[*access.LockedError](err); !ok || !locked.Until.Equal(until) {
		t.Errorf("a try while locked = %v, want LockedError until %v", err, until)
	}
	if _, err := try(another); err != nil {
		t.Errorf("a try under another key = %v", err)
	}
	b.wall.Add(time.Microsecond)
	for i := range 2 {
		if locked, err := try(key); err != nil || locked {
			t.Errorf("try %d after the lock = %v, %v; want it counted anew", i+1, locked, err)
		}
	}
	if err := b.s.ForgetTries(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if locked, err := try(key); err != nil || locked {
			t.Errorf("try %d after success = %v, %v; want it counted anew", i+1, locked, err)
		}
	}
	if locked, err := try(key); err != nil || !locked {
		t.Errorf("the third try after success = %v, %v; want it to lock", locked, err)
	}
}

func triesRace(t *testing.T, b *consoleBench) {
	var looked, refused, locks atomic.Int32
	var callers sync.WaitGroup
	for range 30 {
		callers.Go(func() {
			locked, err := b.s.CountTry(t.Context(), [16]byte{9}, 10, time.Hour)
			_, isLocked := errors.AsType[*access.LockedError](err)
			switch {
			case isLocked:
				refused.Add(1)
			case err != nil:
				t.Errorf("CountTry: %v", err)
			default:
				looked.Add(1)
			}
			if locked {
				locks.Add(1)
			}
		})
	}
	callers.Wait()
	if looked.Load() != 10 || refused.Load() != 20 || locks.Load() != 1 {
		t.Errorf("%d tries were let through, %d refused, %d locked; want 10, 20, 1", looked.Load(), refused.Load(), locks.Load())
	}
}

func stepOnce(t *testing.T, b *consoleBench) {
	b.user(acme, "u1", "jo")
	for _, c := range []struct {
		step int64
		want error
	}{{100, nil}, {100, access.ErrUsedCode}, {99, access.ErrUsedCode}, {101, nil}, {100, access.ErrUsedCode}} {
		if err := b.s.UseStep(t.Context(), "u1", c.step); !errors.Is(err, c.want) {
			t.Errorf("UseStep(%d) = %v, want %v", c.step, err, c.want)
		}
	}
	if err := b.s.UseStep(t.Context(), "nobody", 1); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("UseStep of nobody = %v, want ErrNotFound", err)
	}
}

func stepRace(t *testing.T, b *consoleBench) {
	b.user(acme, "u1", "jo")
	var won atomic.Int32
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			switch err := b.s.UseStep(t.Context(), "u1", 7); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, access.ErrUsedCode):
				t.Errorf("UseStep: %v", err)
			}
		})
	}
	callers.Wait()
	if won.Load() != 1 {
		t.Errorf("%d succeeded, want 1", won.Load())
	}
}

func ordersKept(t *testing.T, b *consoleBench) {
	one, two := [16]byte{1}, [16]byte{2}
	put := func(account string, key [16]byte, does sandbox.Order) {
		t.Helper()
		if err := b.s.PutOrder(t.Context(), account, key, does); err != nil {
			t.Fatalf("PutOrder: %v", err)
		}
	}
	orders := func() []sandbox.StoredOrder {
		t.Helper()
		all, err := b.s.Orders(t.Context())
		if err != nil {
			t.Fatalf("Orders: %v", err)
		}
		return all
	}
	begun := b.wall.Now()
	put(acme, one, sandbox.ArriveLate)
	b.wall.Add(time.Second)
	put(acme, one, sandbox.RefuseSubmit)
	b.wall.Add(time.Second)
	put(acme, two, sandbox.ReportFailed)
	b.wall.Add(time.Second)
	put(other, one, sandbox.ReportNothing)
	want := []sandbox.StoredOrder{
		{Account: other, RecipientKey: one, Does: sandbox.ReportNothing, Created: begun.Add(3 * time.Second)},
		{Account: acme, RecipientKey: two, Does: sandbox.ReportFailed, Created: begun.Add(2 * time.Second)},
		{Account: acme, RecipientKey: one, Does: sandbox.RefuseSubmit, Created: begun.Add(time.Second)},
	}
	if diff := cmp.Diff(want, orders()); diff != "" {
		t.Errorf("orders, newest first (-want +got):\n%s", diff)
	}
	put(acme, two, sandbox.NoOrder)
	put(acme, two, sandbox.NoOrder)
	if diff := cmp.Diff([]sandbox.StoredOrder{want[0], want[2]}, orders()); diff != "" {
		t.Errorf("orders after one was removed (-want +got):\n%s", diff)
	}
	b.wall.Add(begun.Add(time.Second + sandbox.Keep).Sub(b.wall.Now()))
	if diff := cmp.Diff(want[:1], orders()); diff != "" {
		t.Errorf("orders after a day (-want +got):\n%s", diff)
	}
}

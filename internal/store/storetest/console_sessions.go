package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/console/access"
)

func sessionIdle(t *testing.T, b *consoleBench) {
	_, hash := b.user(acme, "u1", "jo")
	for range 3 {
		b.wall.Add(consoleLives.Idle - time.Microsecond)
		if !b.open(hash) {
			t.Fatal("the session ended before its idle time was over")
		}
		if err := b.s.TouchSession(t.Context(), hash); err != nil {
			t.Fatal(err)
		}
	}
	b.wall.Add(consoleLives.Idle - time.Microsecond)
	if !b.open(hash) {
		t.Error("the session ended just before its idle time was over")
	}
	b.wall.Add(time.Microsecond)
	if b.open(hash) {
		t.Error("the session is there after its idle time; reading it must not count as use")
	}
}

func sessionAbsolute(t *testing.T, b *consoleBench) {
	u, _ := b.user(acme, "u1", "jo")
	hash := b.hash()
	if err := b.s.OpenSession(t.Context(), access.Session{Hash: hash, UserID: u.ID, Account: acme, Role: access.Owner}); err != nil {
		t.Fatal(err)
	}
	begun := b.wall.Now()
	for b.wall.Now().Sub(begun) < consoleLives.Absolute-time.Minute {
		b.wall.Add(time.Minute)
		if err := b.s.TouchSession(t.Context(), hash); err != nil {
			t.Fatal(err)
		}
	}
	b.wall.Add(time.Minute - time.Microsecond)
	if !b.open(hash) {
		t.Error("the session ended before its full age")
	}
	b.wall.Add(time.Microsecond)
	if b.open(hash) {
		t.Error("the session is there after its full age")
	}
}

func sessionClosed(t *testing.T, b *consoleBench) {
	u, first := b.user(acme, "u1", "jo")
	second := b.hash()
	if err := b.s.OpenSession(t.Context(), access.Session{Hash: second, UserID: u.ID, Account: acme, Role: access.Owner}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.s.CloseSession(t.Context(), first); err != nil {
			t.Errorf("CloseSession: %v", err)
		}
	}
	if b.open(first) || !b.open(second) {
		t.Error("the closed session is there, or the other is not")
	}
	if err := b.s.TouchSession(t.Context(), first); err != nil || b.open(first) {
		t.Errorf("TouchSession of a closed session = %v; want nothing done", err)
	}
	if err := b.s.Prove(t.Context(), first); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("Prove of a closed session = %v, want ErrNotFound", err)
	}
}

func sessionSuspended(t *testing.T, b *consoleBench) {
	_, hash := b.user(acme, "u1", "jo")
	if err := b.s.SetSuspended(t.Context(), acme, true); err != nil {
		t.Fatal(err)
	}
	if b.open(hash) {
		t.Error("a suspended account's session is there")
	}
	if err := b.s.SetSuspended(t.Context(), acme, false); err != nil {
		t.Fatal(err)
	}
	if !b.open(hash) {
		t.Error("an enabled account's session is not there")
	}
}

func sessionProved(t *testing.T, b *consoleBench) {
	_, hash := b.user(acme, "u1", "jo")
	b.wall.Add(7 * time.Minute)
	if err := b.s.Prove(t.Context(), hash); err != nil {
		t.Fatalf("Prove: %v", err)
	}
	if got, err := b.session(hash); err != nil || !got.Proved.Equal(b.wall.Now()) || !got.Seen.Equal(b.wall.Now()) {
		t.Errorf("Session = %+v, %v; want proved and seen now", got, err)
	}
}

package postgres_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/stolen"
	"github.com/countersign/countersign/internal/verify"
)

// patience is how long a test waits for what happens in the background.
const patience = 2 * time.Minute

func TestAStoppedServerIsUnavailableAndItsReturnIsNoticed(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	s := made(t, cluster.URL())
	id := sent(t, s)
	calls := []struct {
		name string
		call func() error
	}{
		{"send", func() error {
			_, err := s.CreateOTP(t.Context(), newOTP(t, "during", time.Minute))
			return err
		}},
		{"check", func() error { _, err := s.CountAttempt(t.Context(), guess(id, wrongCode)); return err }},
		{"read", func() error { _, err := s.OTP(t.Context(), ref(id)); return err }},
		{"claim", func() error {
			_, _, err := s.ClaimDeliveries(t.Context(), "n1", 10, time.Minute)
			return err
		}},
		{"delete", func() error {
			_, err := s.DeleteOTP(t.Context(), ref("absent"), verify.Idempotency{})
			return err
		}},
	}
	cluster.Stop(t)
	machine := stolen.Start(t)
	for range 3 {
		for _, c := range calls {
			span := machine.Begin()
			if err := c.call(); !errors.Is(err, verify.ErrUnavailable) {
				t.Errorf("%s without a server = %v, want ErrUnavailable", c.name, err)
			}
			if span.Exceeds(10 * time.Second) {
				t.Errorf("%s without a server took %v", c.name, span.Own())
			}
		}
	}
	cluster.StartAgain(t)
	deadline := time.Now().Add(patience)
	for {
		checked, err := s.CountAttempt(t.Context(), guess(id, rightCode))
		if err == nil {
			if checked.Verdict != otp.Right || checked.Record.Attempts != 1 {
				t.Errorf("after the return: %v with %d attempts, want Right with 1", checked.Verdict, checked.Record.Attempts)
			}
			break
		}
		if !errors.Is(err, verify.ErrUnavailable) || time.Now().After(deadline) {
			t.Fatalf("after the return: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if _, err := s.OTP(t.Context(), ref("during")); !errors.Is(err, verify.ErrNotFound) {
		t.Errorf("a send that was unavailable = %v, want ErrNotFound", err)
	}
}

// As where the first address of the server's name is dead: whoever waits gives up
// before the second one was tried.
func TestAConnectionThatComesTooLateForItsCallerServesTheNext(t *testing.T) {
	t.Parallel()
	s := made(t, pgtest.URL(t))
	id := sent(t, s)
	late := make(chan struct{})
	var begun atomic.Int32
	connections, err := s.ConnectGroupsBy(func(context.Context) error {
		if begun.Add(1) > 1 {
			return errors.New("one connection is enough")
		}
		<-late
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CountAttempt(t.Context(), guess(id, wrongCode)); !errors.Is(err, verify.ErrUnavailable) {
		t.Errorf("a check that no connection came for = %v, want ErrUnavailable", err)
	}
	close(late)
	deadline := time.Now().Add(patience)
	for all, idle := connections(); all > 0 && idle == 0; all, idle = connections() {
		if time.Now().After(deadline) {
			t.Fatal("the connection was not made")
		}
		time.Sleep(time.Millisecond)
	}
	if c, err := s.CountAttempt(t.Context(), guess(id, rightCode)); err != nil || c.Verdict != otp.Right {
		t.Errorf("the next check = %v, %v; want Right on the connection that came late", c.Verdict, err)
	}
}

func TestAFullPoolIsOverloadAndLeavesChecksAlone(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	made(t, url)
	s := open(t, url+"&pool_max_conns=1"+patient, nil)
	id := sent(t, s)
	held := sent(t, s)
	tx, err := raw(t, url).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT 1 FROM otps WHERE seq = 2 FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	deleted := make(chan error, 1)
	go func() {
		_, err := s.DeleteOTP(context.WithoutCancel(t.Context()), ref(held), verify.Idempotency{})
		deleted <- err
	}()
	deadline := time.Now().Add(patience)
	for { // until the delete has the only connection
		_, err := s.OTP(t.Context(), ref(id))
		if errors.Is(err, verify.ErrOverloaded) {
			break
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("read with a full pool = %v, want ErrOverloaded", err)
		}
	}
	if c, err := s.CountAttempt(t.Context(), guess(id, rightCode)); err != nil || c.Verdict != otp.Right {
		t.Errorf("check with a full pool = %v, %v; want Right", c.Verdict, err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-deleted; err != nil {
		t.Errorf("the delete that waited = %v", err)
	}
}

func TestErrorsDoNotQuoteWhatTheServerSaid(t *testing.T) {
	t.Parallel()
	s := made(t, pgtest.URL(t))
	n := newOTP(t, "id", time.Minute)
	n.Reference = "secret \xff" // no text in UTF-8
	_, err := s.CreateOTP(t.Context(), n)
	if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "0xff") {
		t.Errorf("CreateOTP = %v, want an error without the value (P-02)", err)
	}
}

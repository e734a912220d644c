package postgres_test

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/postgres"
	"github.com/countersign/countersign/internal/verify"
)

func TestAStateSaysWhetherTheServerCannotWorkJustNow(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]bool{
		"08006": true, "53300": true, "57P01": true, "58030": true, "XX000": true, "55P03": true, "25006": true, "40001": true,
		"25P03": true, "25P04": true, "25P02": false, "25001": false,
		"23505": false, "42501": false, "22021": false,
		// Of poolers and proxies, and of what is no error of the server's.
		"": false, "X": false,
	} {
		if got := postgres.Transient(state); got != want {
			t.Errorf("%q is transient = %v, want %v", state, got, want)
		}
	}
}

func TestTheEndOfASessionIsToldAsWhatItIsOfTheChange(t *testing.T) {
	t.Parallel()
	undone, unknown := verify.ErrUnavailable, verify.ErrOutcomeUnknown
	for code, want := range map[string][3]error{
		// While it waits for the next statement of a transaction, that is not begun.
		"25P03": {undone, undone, undone},
		// In order, and as it may be after a commit: that stops the clock only when
		// it can no longer be broken off.
		"25P04": {undone, undone, unknown},
		"57P01": {undone, undone, unknown},
		"08P01": {undone, unknown, unknown}, // a pooler's, in no order
	} {
		var got [3]error
		got[0], got[1], got[2] = postgres.Failures(code)
		for i, commit := range []string{"not asked for", "asked for", "the next answer"} {
			if !errors.Is(got[i], want[i]) || errors.Is(got[i], undone) == errors.Is(got[i], unknown) {
				t.Errorf("%s with a commit that was %s = %v, want %v (V-07)", code, commit, got[i], want[i])
			}
		}
	}
}

// As when a node stands still amid a call for longer than the server waits.
func TestATransactionThatTheServerGaveUpWaitingForIsUnavailableAndNamed(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	// Over a Unix socket the commit could not even be written, nor the reason read.
	s := made(t, "postgres://"+pgtest.Role+"@"+pgtest.NewGate(t, cluster).Addr()+"/"+pgtest.Role+"?sslmode=disable")
	err := s.Write(t.Context(), func(conn *pgx.Conn) error {
		for _, statement := range []string{
			"UPDATE accounts SET name = 'renamed'",
			"SET LOCAL idle_in_transaction_session_timeout = '1ms'",
		} {
			if _, err := conn.Exec(t.Context(), statement); err != nil {
				return err
			}
		}
		return awaitWord(conn.PgConn().Conn()) // and then comes the commit
	})
	const why = "PostgreSQL error 25P03: the transaction's next statement did not come within idle_in_transaction_session_timeout"
	if !errors.Is(err, verify.ErrUnavailable) || errors.Is(err, verify.ErrOutcomeUnknown) || !strings.Contains(err.Error(), why) {
		t.Errorf("the write = %v; want ErrUnavailable that says %s", err, why)
	}
	if _, err := s.Account(t.Context(), "renamed"); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("what it had changed: %v, want that it was undone", err)
	}
}

// awaitWord waits until the other side of a connection has said something, and
// leaves it to be read.
func awaitWord(c net.Conn) error {
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	var said error
	if err := raw.Read(func(fd uintptr) bool {
		_, _, said = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK)
		return !errors.Is(said, syscall.EAGAIN)
	}); err != nil {
		return err
	}
	return errors.Join(said, c.SetReadDeadline(time.Time{}))
}

package sqlite_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/report"
	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/verify"
)

// D-14: a list may look at all that an account has.
func TestListsLeaveReadersToWhatIsReadByItsKey(t *testing.T) {
	t.Parallel()
	s := open(t, made(t), nil)
	if err := s.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateOTP(t.Context(), newOTP(t, "before", time.Hour)); err != nil {
		t.Fatal(err)
	}
	if all := s.Reader().Stats().MaxOpenConnections; sqlite.Walkers < 1 || all-sqlite.Walkers < 2 {
		t.Errorf("%d lists at once of %d readers, want some, and some readers without", sqlite.Walkers, all)
	}
	release := s.HoldWalks()
	errLeft := errors.New("left")
	left, leave := context.WithCancelCause(t.Context())
	leave(errLeft)
	lists := map[string]func(context.Context) error{
		"the account's OTPs": func(ctx context.Context) error {
			_, err := s.OTPs(ctx, verify.ListQuery{Account: "acme", Origin: "test", Limit: 1})
			return err
		},
		"OTPs in a state": func(ctx context.Context) error {
			_, err := s.OTPs(ctx, verify.ListQuery{Account: "acme", Origin: "test", Limit: 1, States: []otp.State{otp.Verified}})
			return err
		},
		"a search": func(ctx context.Context) error {
			_, err := s.FindOTPs(ctx, report.Selection{Account: "acme", Limit: 1})
			return err
		},
		"all letters": func(ctx context.Context) error {
			_, err := s.Letters(ctx, "acme", true, 1)
			return err
		},
		"a configuration's letters": func(ctx context.Context) error {
			_, _, err := s.ConfigLetters(ctx, callback.Letters{Account: "acme", ConfigID: "c", Limit: 1})
			return err
		},
		"how many letters": func(ctx context.Context) error {
			_, err := s.CountLetters(ctx, "acme")
			return err
		},
	}
	for name, list := range lists {
		// It waits for a place, so it has the cause of the end.
		if err := list(left); !errors.Is(err, errLeft) || !errors.Is(err, verify.ErrUnavailable) {
			t.Errorf("%s with no place free: %v; want the caller's cause, and ErrUnavailable", name, err)
		}
	}
	if _, err := s.OTP(t.Context(), verify.Ref{Account: "acme", Origin: "test", ID: "before"}); err != nil {
		t.Errorf("a read beside lists: %v", err)
	}
	if recs, err := s.OTPs(t.Context(), verify.ListQuery{Account: "acme", Origin: "test", Limit: 1, RecipientKey: [16]byte{1}}); err != nil || len(recs) != 1 {
		t.Errorf("the last OTP of a recipient, beside lists: %d, %v", len(recs), err)
	}
	if _, err := s.CreateOTP(t.Context(), newOTP(t, "beside", time.Hour)); err != nil {
		t.Errorf("a send beside lists: %v", err)
	}
	if c, err := s.CountAttempt(t.Context(), guess("before", rightCode)); err != nil || c.Verdict != otp.Right {
		t.Errorf("a check beside lists: %v, %v", c.Verdict, err)
	}
	release()
	for range sqlite.Walkers + 1 { // places are given back
		for name, list := range lists {
			if err := list(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

package server_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/server"
	"github.com/countersign/countersign/internal/verify"
)

// idle is a store that knows every receipt, has no callbacks due and counts how
// often it is asked for these.
type idle struct {
	server.Store

	claims atomic.Int64
}

func (*idle) Now() time.Time                                 { return time.Now() }
func (*idle) LimitSteps(guard.Rules)                         {}
func (*idle) HideQuotes(verify.Quoting)                      {}
func (*idle) ReleaseCallbacks(context.Context, string) error { return nil }

func (*idle) RecordReceipt(context.Context, delivery.Receipt) (known, started bool, err error) {
	return true, false, nil
}

func (s *idle) ClaimCallbacks(context.Context, callback.Claim) ([]callback.Post, time.Time, error) {
	s.claims.Add(1)
	return nil, time.Time{}, nil
}

func TestWhatAReceiptTellsIsPushedWithoutWaitingForTheNextLook(t *testing.T) {
	t.Parallel()
	c := fileSettings(t, t.TempDir())
	synctest.Test(t, func(t *testing.T) {
		store, log := &idle{}, slog.New(slog.DiscardHandler)
		s := &server.Server{Config: c, Log: log, Version: "test"}
		push, receive, err := s.Engine(&server.Deployment{Config: c, Store: store, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- push(ctx) }()
		synctest.Wait() // no time passes from here on
		before := store.claims.Load()
		if known, err := receive(ctx, delivery.Receipt{Carrier: "double", Ref: "r1", State: delivery.ReceiptDelivered}); !known || err != nil {
			t.Fatalf("the receipt: known %v, %v", known, err)
		}
		synctest.Wait()
		if n := store.claims.Load() - before; n != 1 {
			t.Errorf("callbacks were looked for %d times after the receipt; want once", n)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the pusher ended with %v", err)
		}
	})
}

package tyntecv1

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/admission"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/verify"
)

// Accounts tells who calls.
type Accounts interface {
	// Authenticate returns whose key this is, or one of account.ErrNoKey,
	// ErrUnknownKey, ErrKeyDisabled and ErrSuspended.
	Authenticate(ctx context.Context, key string) (account.Identity, error)
}

// Config is what the facade is made of. The fields up to Now are needed.
type Config struct {
	Verify   *verify.Service
	Accounts Accounts
	Catalog  *catalog.Service
	// Now is the store's time. It names applications that are created without a
	// name and dates errors; what becomes of an OTP is the store's to decide.
	Now func() time.Time

	// Random makes codes. Default: crypto/rand.Reader.
	Random io.Reader
	// Admit is asked at every request and returns how long the key has to wait,
	// 0 if it need not. Default: no key is throttled.
	Admit func(account.Key) time.Duration
	// Room is asked when a send or check arrives, before its body is read, and
	// returns verify.ErrOverloaded where it would wait too long (D-08). Default:
	// there always is.
	Room func(admission.Work) error
	// Wait is how long a delivery on a channel waits for its receipt. Default
	// delivery.DefaultWait.
	Wait func(message.Channel) time.Duration
	// Caller is who calls where neither the request nor the application names
	// anybody; "" leaves it to the carrier.
	Caller string
	Log    *slog.Logger // default: no log
}

func (c Config) withDefaults() Config {
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Admit == nil {
		c.Admit = func(account.Key) time.Duration { return 0 }
	}
	if c.Room == nil {
		c.Room = func(admission.Work) error { return nil }
	}
	if c.Wait == nil {
		c.Wait = delivery.DefaultWait
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

package octopush

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/admission"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/verify"
)

// Accounts tells who calls.
type Accounts interface {
	// AuthenticateLogin returns whose key this is if it is paired with login, or
	// one of account.ErrNoKey, ErrUnknownKey, ErrKeyDisabled and ErrSuspended.
	AuthenticateLogin(ctx context.Context, login, key string) (account.Identity, error)
}

// OTPs sends, checks and finds OTPs; verify.Service does.
type OTPs interface {
	Send(ctx context.Context, r verify.SendRequest) (verify.Record, error)
	Check(ctx context.Context, r verify.CheckRequest) (verify.Checked, error)
	Get(ctx context.Context, ref verify.Ref) (verify.Record, error)
	List(ctx context.Context, q verify.ListQuery) ([]verify.Record, error)
	// Repeated returns the answer that is kept for an idempotency key, refused if
	// there is none (V-08).
	Repeated(ctx context.Context, account string, i verify.Idempotency, refused error) (verify.Record, error)
	// RepeatedCheck is Repeated for a Check.
	RepeatedCheck(ctx context.Context, account string, i verify.Idempotency, refused error) (verify.Checked, error)
	// RecipientKey is what List knows a recipient of an account by.
	RecipientKey(account string, to phone.Recipient) [16]byte
	// Fingerprint makes what recognises a repeated request (V-08).
	Fingerprint(account, operation, key string, parts ...string) verify.Idempotency
}

// Config is what the facade is made of. The fields up to Random are needed.
type Config struct {
	OTPs     OTPs
	Accounts Accounts
	// Now is the clock that OTPs expire by.
	Now    func() time.Time
	Random io.Reader // crypto/rand.Reader in production

	// Admit is asked at every request and returns how long the key has to wait,
	// 0 if it need not. Default: no key is throttled.
	Admit func(account.Key) time.Duration
	// Room is asked when a send or check arrives, before its body is read, and
	// returns verify.ErrOverloaded where it would wait too long (D-08). Default:
	// there always is.
	Room func(admission.Work) error
	// Wait is how long a channel waits for its receipt. Default
	// delivery.DefaultWait.
	Wait func(message.Channel) time.Duration
	// Caller is who calls with voice messages where the account names nobody;
	// "" leaves it to the carrier.
	Caller string
	Log    *slog.Logger // default: no log
}

func (c Config) withDefaults() Config {
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

// New returns the handler of everything under /v1/public/service/otp.
func New(c Config) http.Handler {
	f := &facade{Config: c.withDefaults()}
	f.paths = byPath(f.routes())
	return f
}

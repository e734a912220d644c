package tyntecv4

import (
	"cmp"
	"context"
	"log/slog"
	"net/url"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/admission"
	"github.com/countersign/countersign/internal/api/wire"
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

// Limits are the numbers that the contract leaves to the operator (contract v4
// §5). Where one is 0, that of DefaultLimits holds.
type Limits struct {
	ListLimit     int // OTPs in one list answer, the newest
	CallbackURL   int // characters of a callback URL
	HeaderCount   int // custom headers of a callback configuration
	HeaderName    int // characters of a header's name
	HeaderValue   int // characters of a header's value
	MaxMinutes    int // longest life of a code on SMS, VOICE and VIBER
	MaxMinutesWA  int // likewise on WHATSAPP
	Minutes       int // life of a code where a template names none
	MaxAttempts   int // most attempts that a profile may allow
	Attempts      int // where a profile names none
	CodeLength    int // of generated codes where a profile names none
	NameLength    int // characters of a name
	MessageLength int // characters of a template's message
	BodySize      int // octets of a request's body, at most wire.MaxBody (T-04)
}

// DefaultLimits returns the limits of an operator who chose none. The settings
// take their defaults from here.
func DefaultLimits() Limits {
	return Limits{
		ListLimit:     1000,
		CallbackURL:   2048,
		HeaderCount:   20,
		HeaderName:    128,
		HeaderValue:   2048,
		MaxMinutes:    120,
		MaxMinutesWA:  90,
		Minutes:       3,
		MaxAttempts:   10,
		Attempts:      3,
		CodeLength:    6,
		NameLength:    256,
		MessageLength: 512,
		BodySize:      wire.MaxBody,
	}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	return Limits{
		ListLimit:     cmp.Or(l.ListLimit, d.ListLimit),
		CallbackURL:   cmp.Or(l.CallbackURL, d.CallbackURL),
		HeaderCount:   cmp.Or(l.HeaderCount, d.HeaderCount),
		HeaderName:    cmp.Or(l.HeaderName, d.HeaderName),
		HeaderValue:   cmp.Or(l.HeaderValue, d.HeaderValue),
		MaxMinutes:    cmp.Or(l.MaxMinutes, d.MaxMinutes),
		MaxMinutesWA:  cmp.Or(l.MaxMinutesWA, d.MaxMinutesWA),
		Minutes:       cmp.Or(l.Minutes, d.Minutes),
		MaxAttempts:   cmp.Or(l.MaxAttempts, d.MaxAttempts),
		Attempts:      cmp.Or(l.Attempts, d.Attempts),
		CodeLength:    cmp.Or(l.CodeLength, d.CodeLength),
		NameLength:    cmp.Or(l.NameLength, d.NameLength),
		MessageLength: cmp.Or(l.MessageLength, d.MessageLength),
		BodySize:      cmp.Or(l.BodySize, d.BodySize),
	}
}

// Config is what the facade is made of. The fields up to RefuseURL are needed.
type Config struct {
	Verify   *verify.Service
	Accounts Accounts
	Catalog  *catalog.Service
	WhatsApp catalog.WhatsApp
	// RefuseURL returns an error for a callback URL whose host is a literal
	// address that callbacks may not reach, or whose scheme the operator forbids.
	RefuseURL func(*url.URL) error

	// Admit is asked at every request and returns how long the key has to wait,
	// 0 if it need not. Default: no key is throttled.
	Admit func(account.Key) time.Duration
	// Room is asked when a send or check arrives, before its body is read, and
	// returns verify.ErrOverloaded where it would wait too long (D-08). Default:
	// there always is.
	Room func(admission.Work) error
	// Wait is how long a channel waits for its receipt before the next one.
	// Default delivery.DefaultWait.
	Wait          func(message.Channel) time.Duration
	Senders       Senders // their SMS is DefaultSender by default
	Limits        Limits
	AllowQueryKey bool         // read apiKey from the query where the header lacks (contract v4 S2)
	Log           *slog.Logger // default: no log
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
	c.Senders.SMS = cmp.Or(c.Senders.SMS, DefaultSender)
	c.Limits = c.Limits.withDefaults()
	return c
}

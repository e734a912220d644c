package server

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/verify"
)

// Rules are the limits of this deployment's mode. Whatever strict will set
// otherwise is chosen here.
func (d *Deployment) Rules() guard.Rules { return guard.Compat(d.Config.SendsPerRecipient) }

// Audit returns the list of what operators did.
func (d *Deployment) Audit() *audit.Log { return audit.New(d.Store, d.Keys) }

// Catalog returns what accounts configure.
func (d *Deployment) Catalog() *catalog.Service {
	return catalog.New(catalog.Config{Store: d.Store, Keys: d.Keys, Random: rand.Reader, Now: d.Store.Now})
}

// RecipientKey is what limits and lists know a recipient of an account by.
func (d *Deployment) RecipientKey(account string, to phone.Recipient) [16]byte {
	return verify.RecipientKey(d.Keys, account, to)
}

// Wait is how long a channel waits for its receipt before the next one.
func (d *Deployment) Wait(c message.Channel) time.Duration { return d.Config.Waits[c] }

// Sender is what a message on channel is sent from where the request names
// nothing: the account's choice, then the server's.
func (d *Deployment) Sender(a account.Account, c message.Channel) string {
	return d.Config.Senders.For(a, c)
}

// Verify returns the service on store, which is the deployment's, counted or
// not. dispatch is told of work in this process.
func (d *Deployment) Verify(store verify.Store, router delivery.Router, dispatch verify.Dispatch) *verify.Service {
	return verify.New(verify.Config{
		Store: store, Keys: d.Keys, Dispatch: dispatch,
		Coverage: delivery.Coverage{Router: router, IsSandbox: isSandbox, SandboxLimits: d.Config.SandboxLimits},
		Rules:    d.Rules(), Random: rand.Reader,
	})
}

// Elsewhere is a verify.Dispatch for a process that dispatches nothing: the
// server finds the work by polling.
type Elsewhere struct{}

// Wake does nothing.
func (Elsewhere) Wake() {}

// Ended does nothing: the server asks the database before every submit.
func (Elsewhere) Ended(string, string) {}

// openCode opens a code for its delivery.
func (d *Deployment) openCode(account, id string, sealed []byte) (otp.Code, error) {
	code, err := verify.OpenCode(d.Keys.Open, account, id, sealed)
	if errors.Is(err, secret.ErrKeyUnknown) {
		return otp.Code{}, fmt.Errorf("%w: %w", delivery.ErrKeyUnknown, err)
	}
	return code, err //nolint:wrapcheck // says what it was doing
}

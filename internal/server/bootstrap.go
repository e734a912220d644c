package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"

	"github.com/countersign/countersign/internal/account"
)

// firstAccount is the account of a new deployment.
const firstAccount = "default"

// Bootstrap makes the account default with its key if there is no account at
// all. It returns the key in clear only if it drew one, and whether the
// account default exists afterwards.
func (d *Deployment) Bootstrap(ctx context.Context) (key account.Secret, has bool, err error) {
	now := d.Store.Now()
	draft := account.Key{Account: firstAccount, Name: "first key", Created: now}
	draft.Login = d.Config.BootstrapLogin
	chosen := d.Config.BootstrapKey
	if chosen.IsZero() {
		key, draft, err = account.NewKey(rand.Reader, draft)
	} else {
		if len(chosen.Reveal()) < account.ShortChosen {
			d.Log.WarnContext(ctx, "the bootstrap API key is short", slog.Int("characters_at_least", account.ShortChosen))
		}
		draft, err = account.ChosenKey(rand.Reader, chosen.Reveal(), draft)
	}
	if err != nil {
		return account.Secret{}, false, fmt.Errorf("make the first key: %w", err)
	}
	made, err := d.Store.Bootstrap(ctx, account.Account{Name: firstAccount, Created: now}, draft)
	if err != nil {
		return account.Secret{}, false, fmt.Errorf("make the first account: %w", err)
	}
	if made {
		return key, true, nil
	}
	if !chosen.IsZero() {
		d.Log.InfoContext(ctx, "the bootstrap API key is ignored: an account exists")
	}
	_, err = d.Store.Account(ctx, firstAccount)
	if err != nil && !errors.Is(err, account.ErrNotFound) {
		return account.Secret{}, false, fmt.Errorf("read the first account: %w", err)
	}
	return account.Secret{}, err == nil, nil
}

package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/api/tyntecv4"
)

// inside calls the version 4 API within the process, for the console's pages:
// the same requests and answers as over the network, without a key.
type inside struct{ api http.Handler }

func newInside(accounts accountReader, c tyntecv4.Config) *inside {
	c.Accounts = byName{accounts}
	c.Admit = func(account.Key) time.Duration { return 0 } // there is no key to throttle
	c.AllowQueryKey = false
	return &inside{tyntecv4.New(c)}
}

// accountReader reads accounts; the store does.
type accountReader interface {
	Account(ctx context.Context, name string) (account.Account, error)
}

// byName takes the name of an account for its key. It serves a handler that
// only this process can reach.
type byName struct{ accounts accountReader }

// Authenticate returns the account.
func (b byName) Authenticate(ctx context.Context, name string) (account.Identity, error) {
	a, err := b.accounts.Account(ctx, name)
	switch {
	case errors.Is(err, account.ErrNotFound):
		return account.Identity{}, account.ErrUnknownKey
	case err != nil:
		return account.Identity{}, fmt.Errorf("read account: %w", err)
	case a.Suspended:
		return account.Identity{}, account.ErrSuspended
	}
	return account.Identity{Account: a}, nil
}

// Call makes a request as the account and returns its answer.
func (i *inside) Call(ctx context.Context, name, method, path, body string) (int, []byte) {
	r, err := http.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
	if err != nil {
		return http.StatusBadRequest, nil
	}
	r.Header.Set("apiKey", name)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := &answer{header: http.Header{}, status: http.StatusOK}
	i.api.ServeHTTP(w, r)
	return w.status, w.body.Bytes()
}

// answer is a response that stays in memory.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) { a.status = status }

func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) } //nolint:wrapcheck // never fails

// Package ledger writes every change to what an account configures into the
// audit list before it is made (P-07). It stands between the store and the
// catalog of whoever lets people make changes: what passed all validation comes
// by here, and what was refused does not.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/verify"
)

// Auditor keeps the list; audit.Log does.
type Auditor interface {
	Append(ctx context.Context, e audit.Entry) error
}

type (
	actorKey  struct{}
	actionKey struct{}
	doubtKey  struct{}
)

// WithActor returns a context for changes that actor makes, as the list names
// people.
func WithActor(ctx context.Context, actor string) context.Context {
	return context.WithValue(ctx, actorKey{}, actor)
}

// As returns a context for a change that the list is to call by another action:
// what a store sees as a change of an entry may mean more to people.
func As(ctx context.Context, action string) context.Context {
	return context.WithValue(ctx, actionKey{}, action)
}

// Watch returns a context for changes, and what reports whether one of them may
// or may not have been made (verify.ErrOutcomeUnknown): for whoever makes them
// over an API, which tells that in words alone.
func Watch(ctx context.Context) (watched context.Context, inDoubt func() bool) {
	doubt := &atomic.Bool{}
	return context.WithValue(ctx, doubtKey{}, doubt), doubt.Load
}

var errNobody = errors.New("a change by nobody: the context names no actor")

// Do writes what is about to be done into the list, does it, and writes that it
// was not done if it was not. Nothing is done that could not be written down.
func Do(ctx context.Context, log Auditor, account, action, subject string, do func() error) error {
	actor, _ := ctx.Value(actorKey{}).(string)
	if actor == "" {
		return errNobody
	}
	if other, _ := ctx.Value(actionKey{}).(string); other != "" {
		action = other
	}
	e := audit.Entry{Action: action, Actor: actor, Account: account, Subject: subject}
	if err := log.Append(ctx, e); err != nil {
		return fmt.Errorf("audit a change: %w", err)
	}
	err := do()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, verify.ErrOutcomeUnknown):
		if doubt, ok := ctx.Value(doubtKey{}).(*atomic.Bool); ok {
			doubt.Store(true)
		}
		return err
	}
	e.Action, e.Subject = audit.ActionNotDone, action+" "+subject
	if failed := log.Append(ctx, e); failed != nil {
		return errors.Join(err, fmt.Errorf("audit a change that was not made: %w", failed))
	}
	return err
}

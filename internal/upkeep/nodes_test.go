package upkeep_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/internal/upkeep"
)

// nodes counts what it is told. One goroutine at a time uses it.
type nodes struct {
	seen, forgotten []string
	err             error
}

func (n *nodes) SeeNode(_ context.Context, one upkeep.Node) error {
	n.seen = append(n.seen, one.Name+" "+one.Version)
	return n.err
}

func (n *nodes) ForgetNode(ctx context.Context, name string) error {
	n.forgotten = append(n.forgotten, name)
	return ctx.Err()
}

func (*nodes) Nodes(context.Context) ([]upkeep.Node, error) { return nil, nil }

func TestANodeGivesSignsUntilItStops(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, errors.New("no database")} { // a failure ends nothing
		synctest.Test(t, func(t *testing.T) {
			store := &nodes{err: err}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() {
				upkeep.Sign(ctx, store, upkeep.Node{Name: "n1", Version: "1.2"}, slog.New(slog.DiscardHandler))
				close(ended)
			}()
			time.Sleep(time.Minute + time.Second)
			stop()
			<-ended
			if len(store.seen) != 4 || store.seen[0] != "n1 1.2" {
				t.Errorf("in a minute it gave the signs %q, want four", store.seen)
			}
			if len(store.forgotten) != 1 || store.forgotten[0] != "n1" {
				t.Errorf("it took %q off the list, want itself", store.forgotten)
			}
		})
	}
}

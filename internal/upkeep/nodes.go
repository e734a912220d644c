package upkeep

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Node is a server process that works on a database.
type Node struct {
	Name    string
	Version string
	Started time.Time
	Seen    time.Time // when it last gave a sign; set by the store
}

// NodeStore remembers nodes.
type NodeStore interface {
	// SeeNode notes that a node is at work now. Nodes without a sign for a day
	// are forgotten.
	SeeNode(ctx context.Context, n Node) error
	// ForgetNode forgets a node; none is no error.
	ForgetNode(ctx context.Context, name string) error
	// Nodes lists the nodes, the longest at work first.
	Nodes(ctx context.Context) ([]Node, error)
}

const (
	// signEvery is how often a node gives a sign: rarely enough to cost nothing.
	signEvery = 20 * time.Second
	// signOff is how long the last sign may take.
	signOff = 2 * time.Second
)

var errSignOff = errors.New("the database took too long to take a node off the list")

// Sign gives signs of a node until ctx ends, and then takes it off the list. It
// is for people: nothing depends on it, so that a failure is only logged.
func Sign(ctx context.Context, s NodeStore, n Node, log *slog.Logger) {
	ticker := time.NewTicker(signEvery)
	defer ticker.Stop()
	for {
		if err := s.SeeNode(ctx, n); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "cannot note that this node is at work", slog.Any("err", err))
		}
		select {
		case <-ticker.C:
			continue
		case <-ctx.Done():
		}
		last, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), signOff, errSignOff)
		defer cancel()
		if err := s.ForgetNode(last, n.Name); err != nil {
			log.WarnContext(last, "cannot take this node off the list", slog.Any("err", err))
		}
		return
	}
}

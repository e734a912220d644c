package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/upkeep"
)

var _ upkeep.NodeStore = (*Store)(nil)

// nodeKept is how long a node without a sign is remembered.
const nodeKept = 24 * time.Hour

const (
	seeNode = `INSERT INTO nodes (name, version, started_at, seen_at) VALUES ($1, $2, $3, $4)
	ON CONFLICT (name) DO UPDATE SET version = excluded.version, started_at = excluded.started_at, seen_at = excluded.seen_at`
	dropNode     = `DELETE FROM nodes WHERE name = $1`
	dropOldNodes = `DELETE FROM nodes WHERE seen_at < $1`
	selectNodes  = `SELECT name, version, started_at, seen_at FROM nodes ORDER BY started_at, name`
)

// SeeNode implements upkeep.NodeStore.
func (s *Store) SeeNode(ctx context.Context, n upkeep.Node) error {
	return s.write(ctx, func(t *tx) error {
		if _, err := t.exec(seeNode, n.Name, n.Version, column.Micros(n.Started), column.Micros(t.now)); err != nil {
			return fmt.Errorf("note a node: %w", err)
		}
		if _, err := t.exec(dropOldNodes, column.Micros(t.now.Add(-nodeKept))); err != nil {
			return fmt.Errorf("forget old nodes: %w", err)
		}
		return nil
	})
}

// ForgetNode implements upkeep.NodeStore.
func (s *Store) ForgetNode(ctx context.Context, name string) error {
	return s.write(ctx, func(t *tx) error {
		if _, err := t.exec(dropNode, name); err != nil {
			return fmt.Errorf("forget a node: %w", err)
		}
		return nil
	})
}

// Nodes implements upkeep.NodeStore.
func (s *Store) Nodes(ctx context.Context) ([]upkeep.Node, error) {
	nodes, err := collect(s.pooled(ctx), scanNode, selectNodes)
	if err != nil {
		return nil, readError("list nodes", err)
	}
	return nodes, nil
}

func scanNode(rows scanner) (n upkeep.Node, err error) {
	var started, seen int64
	err = rows.Scan(&n.Name, &n.Version, &started, &seen)
	n.Started, n.Seen = column.FromMicros(started), column.FromMicros(seen)
	return n, err //nolint:wrapcheck // the caller says what it was doing
}

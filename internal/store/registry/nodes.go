package registry

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/upkeep"
)

var _ upkeep.NodeStore = (*Registry)(nil)

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
func (r *Registry) SeeNode(ctx context.Context, n upkeep.Node) error {
	return r.db.Write(ctx, func(t Tx) error {
		if _, err := t.Exec(seeNode, n.Name, n.Version, column.Micros(n.Started), column.Micros(t.Now())); err != nil {
			return fmt.Errorf("note a node: %w", err)
		}
		if _, err := t.Exec(dropOldNodes, column.Micros(t.Now().Add(-nodeKept))); err != nil {
			return fmt.Errorf("forget old nodes: %w", err)
		}
		return nil
	})
}

// ForgetNode implements upkeep.NodeStore.
func (r *Registry) ForgetNode(ctx context.Context, name string) error {
	return r.db.Write(ctx, func(t Tx) error {
		if _, err := t.Exec(dropNode, name); err != nil {
			return fmt.Errorf("forget a node: %w", err)
		}
		return nil
	})
}

// Nodes implements upkeep.NodeStore.
func (r *Registry) Nodes(ctx context.Context) ([]upkeep.Node, error) {
	nodes, err := Collect(r.db.Ask(ctx, 0), scanNode, selectNodes)
	if err != nil {
		return nil, r.db.ReadError("list nodes", err)
	}
	return nodes, nil
}

func scanNode(rows Row) (n upkeep.Node, err error) {
	var started, seen int64
	err = rows.Scan(&n.Name, &n.Version, &started, &seen)
	n.Started, n.Seen = column.FromMicros(started), column.FromMicros(seen)
	return n, err
}

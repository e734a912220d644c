package registry

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/internal/upkeep"
)

// Drop runs a statement that removes what is old, in a transaction of its own, and
// returns how many rows it changed.
func (r *Registry) Drop(ctx context.Context, query string, args ...any) (int, error) {
	var n int64
	err := r.db.Write(ctx, func(t Tx) (err error) {
		if n, err = t.Exec(query, args...); err != nil {
			return fmt.Errorf("remove what is old: %w", err)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return int(n), nil
}

// DropAll drops batch after batch until nothing is left. The query's last
// argument, which is added to args, bounds a batch.
func (r *Registry) DropAll(ctx context.Context, query string, args ...any) (int, error) {
	args = append(args, upkeep.SweepBatch)
	for total := 0; ; {
		n, err := r.Drop(ctx, query, args...)
		if total += n; err != nil || n < upkeep.SweepBatch {
			return total, err
		}
	}
}

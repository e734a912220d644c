package postgres

import (
	"context"
	"time"

	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/upkeep"
)

// Queues measures what waits. It reads indexes only, and as many entries as
// wait: call it at scrapes, not at requests.
func (s *Store) Queues(ctx context.Context) (upkeep.Queues, error) {
	now := column.Micros(s.Now())
	var delivery, post int64
	q, _, err := registry.First(s.pooled(ctx), func(row scanner) (q upkeep.Queues, err error) {
		err = row.Scan(&q.Deliveries, &delivery, &q.Callbacks, &post, &q.DeadCallbacks)
		return q, err
	}, `SELECT
		(SELECT count(*) FROM deliveries WHERE state = 1 AND due_at IS NOT NULL),
		(SELECT coalesce(min(due_at), $1::bigint) FROM deliveries WHERE state = 1 AND due_at IS NOT NULL),
		(SELECT count(*) FROM callbacks WHERE due_at IS NOT NULL),
		(SELECT coalesce(min(due_at), $1) FROM callbacks WHERE due_at IS NOT NULL),
		(SELECT count(*) FROM callbacks WHERE due_at IS NULL)`, now)
	if err != nil {
		return upkeep.Queues{}, readError("measure the queues", err)
	}
	q.DeliveryAge = time.Duration(max(0, now-delivery)) * time.Microsecond
	q.CallbackAge = time.Duration(max(0, now-post)) * time.Microsecond
	return q, nil
}

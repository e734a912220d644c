package sqlite

import (
	"context"
	"time"

	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/upkeep"
)

// Queues measures what waits. It reads indexes only, and as many entries as
// wait: call it at scrapes, not at requests.
func (s *Store) Queues(ctx context.Context) (upkeep.Queues, error) {
	var q upkeep.Queues
	now := column.Micros(s.clock.Now())
	var delivery, post int64
	err := s.read.QueryRowContext(ctx, `SELECT
		(SELECT count(*) FROM deliveries WHERE state = 1 AND due_at IS NOT NULL),
		(SELECT coalesce(min(due_at), ?1) FROM deliveries WHERE state = 1 AND due_at IS NOT NULL),
		(SELECT count(*) FROM callbacks WHERE due_at IS NOT NULL),
		(SELECT coalesce(min(due_at), ?1) FROM callbacks WHERE due_at IS NOT NULL),
		(SELECT count(*) FROM callbacks WHERE due_at IS NULL)`, now).
		Scan(&q.Deliveries, &delivery, &q.Callbacks, &post, &q.DeadCallbacks)
	if err != nil {
		return upkeep.Queues{}, s.readError("measure the queues", err)
	}
	q.DeliveryAge = time.Duration(max(0, now-delivery)) * time.Microsecond
	q.CallbackAge = time.Duration(max(0, now-post)) * time.Microsecond
	return q, nil
}

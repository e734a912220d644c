package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// group sends statements in one round trip and one transaction and returns
// when they are durable. queue queues them, with functions that read their
// results, on each try.
func (s *Store) group(queue func(*pgx.Batch)) error {
	for try := 1; ; try++ {
		err := s.groupOnce(queue)
		if err == nil {
			return nil
		}
		s.forget(err)
		// A server that was restarted says so on the old connection before it
		// has read anything.
		untouched := pgconn.SafeToRetry(err) || stateOf(err) == stateShutdown
		if try == maxTries || !again(err) && (!untouched || try > 1) {
			return failure("write", err, true)
		}
	}
}

func (s *Store) groupOnce(queue func(*pgx.Batch)) error {
	// No request's end cancels a commit (V-07).
	conn, err := acquire(context.Background(), s.groups)
	if err != nil {
		return err
	}
	defer conn.Release()
	var b pgx.Batch
	queue(&b)
	if err := conn.SendBatch(context.Background(), &b).Close(); err != nil {
		return err //nolint:wrapcheck // failure says what it was doing
	}
	return replicated(conn.Conn())
}

// finish gives every piece of work the group's error.
func finish[J groupable](group []J, err error) {
	for _, job := range group {
		job.base().err = err
	}
}

// started is when a group was begun.
func started() time.Time { return time.Now() } //nolint:forbidigo // how long a commit took

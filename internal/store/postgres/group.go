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
		commit, err := s.groupOnce(queue)
		if err == nil {
			return nil
		}
		if commit != unsent { // what no connection came for says nothing of those that are there, or come late
			s.forget(err)
		}
		// A server that was restarted says so on the old connection before it
		// has read anything.
		untouched := pgconn.SafeToRetry(err) || stateOf(err) == stateShutdown && commit != reached
		renumbered := s.renumbered(err)
		if renumbered {
			s.groups.Reset()
		}
		if try == maxTries || !again(err) && (!untouched && !renumbered || try > 1) {
			return failure("write", err, commit)
		}
	}
}

// groupOnce says how far the commit had come by an error. What is sent together
// is one transaction, which commits after its last statement.
func (s *Store) groupOnce(queue func(*pgx.Batch)) (commitment, error) {
	// No request's end cancels a commit (V-07).
	conn, err := acquire(context.Background(), s.groups)
	if err != nil {
		return unsent, err
	}
	defer conn.Release()
	var b pgx.Batch
	queue(&b)
	answered, err := exchange(conn.Conn(), &b)
	switch {
	case err == nil:
		return reached, replicated(conn.Conn())
	case answered == b.Len():
		return reached, err
	}
	return asked, err
}

// exchange sends statements in one round trip, with the functions that read their
// results, and returns how many the server had answered in full by an error.
func exchange(conn *pgx.Conn, b *pgx.Batch) (answered int, err error) {
	for _, q := range b.QueuedQueries {
		read := q.Fn
		q.Fn = func(results pgx.BatchResults) (err error) {
			if read == nil {
				_, err = results.Exec()
			} else {
				err = read(results)
			}
			if err == nil {
				answered++
			}
			return err
		}
	}
	err = conn.SendBatch(context.Background(), b).Close()
	return answered, err //nolint:wrapcheck // the caller says what it was doing
}

// finish gives every piece of work the group's error.
func finish[J groupable](group []J, err error) {
	for _, job := range group {
		job.base().err = err
	}
}

// started is when a group was begun.
func started() time.Time { return time.Now() } //nolint:forbidigo // how long a commit took

// Package registry keeps what people set up and look after: accounts, their
// keys and catalogs, the console's users, what carriers' test doubles hold, the
// nodes at work. Both stores keep it by the same statements; the rows that sends
// and checks touch are each store's own.
//
// Statements are PostgreSQL's with numbered arguments ($1), kept to what SQLite
// understands too.
package registry

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Database is what the registry needs of a store.
type Database interface {
	// Ask reads one account's rows, or what belongs to no one account where
	// account is 0.
	Ask(ctx context.Context, account int64) Ask
	// Snapshot lets f read with several queries what was true of the account at
	// one moment.
	Snapshot(ctx context.Context, account int64, f func(Ask) error) error
	// Write does f in a transaction and returns when it is durable. f may run
	// more than once, so it assigns its results anew each time, and after an
	// error it may be running still. If f returns an error, nothing that it wrote
	// is kept.
	Write(ctx context.Context, f func(Tx) error) error
	// Change is Write that also raises the version under key. Where f returns
	// ErrUnchanged, nothing is raised and Change returns nil.
	Change(ctx context.Context, key int64, f func(Tx) error) error
	// Version returns the number that changes under key raise.
	Version(ctx context.Context, key int64) (int64, error)
	// Changed makes the next Version under key read the database.
	Changed(key int64)
	// Now is the store's time.
	Now() time.Time
	// ReadError says what was being read, and marks errors that pass.
	ReadError(doing string, err error) error
}

// Tx is an open transaction.
type Tx interface {
	// Only narrows the transaction to one account's rows, in a database that can
	// (T-01).
	Only(account int64)
	// Now is the time that the transaction began at.
	Now() time.Time
	// Query is an Ask of the transaction.
	Query(each func(Row) error, query string, args ...any) error
	// Returning is Query for a statement that writes.
	Returning(each func(Row) error, query string, args ...any) error
	// Lock is Query that holds the rows it finds to the end of the transaction;
	// what Now returns from then on was read while they were held (V-03).
	Lock(each func(Row) error, query string, args ...any) error
	// Exec runs a statement that writes and returns how many rows it changed.
	Exec(query string, args ...any) (int64, error)
	// All runs statements that write, in order.
	All(statements ...Statement) error
	// Raise raises the version under key.
	Raise(key int64) error
}

// AccessKey stands for the version of accounts and keys beside the accounts'
// own numbers, which start at 1.
const AccessKey int64 = 0

// QuarantineKey stands for the quarantine among the numbers of versions, under
// QuarantineName; its number is when it began in microseconds, 0 for none.
const (
	QuarantineKey  int64 = -1
	QuarantineName       = "quarantine"
)

// ErrUnchanged is returned by what Change does where all is as wanted already.
var ErrUnchanged = errors.New("unchanged")

// Registry is the part of a store that both have in common. It is safe for
// concurrent use.
type Registry struct {
	db       Database
	rising   string
	accounts accountIDs
}

// New returns the registry in a database. rising names the column of api_keys
// that rises with each key that is added.
func New(db Database, rising string) *Registry { return &Registry{db: db, rising: rising} }

// Statement is a query with its arguments.
type Statement struct {
	Text string
	Args []any
}

func do(text string, args ...any) Statement { return Statement{text, args} }

// remove executes statements if ask finds a row, so that deleting what is not
// there changes nothing and costs no write.
func remove(t Tx, ask Ask, find Statement, statements ...Statement) error {
	some, err := Exists(ask, find.Text, find.Args...)
	if err != nil {
		return fmt.Errorf("look for catalog entry: %w", err)
	}
	if !some {
		return ErrUnchanged
	}
	return writeCatalog(t, statements...)
}

func writeCatalog(t Tx, statements ...Statement) error {
	if err := t.All(statements...); err != nil {
		return fmt.Errorf("write catalog: %w", err)
	}
	return nil
}

// orNow is how a time is stored that is the transaction's where none is given.
func orNow(t Tx, at time.Time) int64 {
	if at.IsZero() {
		return t.Now().UnixMicro()
	}
	return at.UnixMicro()
}

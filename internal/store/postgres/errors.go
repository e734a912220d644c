package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/countersign/countersign/internal/store/schema"
	"github.com/countersign/countersign/internal/verify"
)

// Errors of opening: what the operator must change.
var (
	// ErrURL: the URL cannot be read.
	ErrURL = errors.New("the database URL cannot be read: want postgres://USER@HOST/DATABASE?sslmode=verify-full")
	// ErrUnreachable: no server answers there, or it lets us not in.
	ErrUnreachable = errors.New("the database cannot be reached")
	// ErrTooOld: the server is older than PostgreSQL 14.
	ErrTooOld = errors.New("the server is too old: PostgreSQL 14 or later is needed")
	// ErrNotDurable: the server acknowledges before it has synced (D-01).
	ErrNotDurable = errors.New("what the server acknowledges could be lost: synchronous_commit has to be on or remote_apply, and fsync on")
	// ErrPooler: a pooler in between lends a session of the server for one
	// transaction, and statements are prepared under names. A pooler that is
	// changed under a running node makes its calls fail with this and
	// verify.ErrUnavailable.
	ErrPooler = errors.New("a pooler shares this connection by transaction: add default_query_exec_mode=cache_describe to the database URL")
	// ErrRights: the role may not do what is needed.
	ErrRights = errors.New("the database role lacks rights")
	// ErrSetting: a setting of the role or the database is in the way.
	ErrSetting = errors.New("a setting of the database role or of its database does not fit")
	// ErrClockSkew: this machine's clock and the database's differ too much.
	ErrClockSkew = errors.New("this machine's clock and the database's differ by more than 2 s")
	// ErrNewer: the schema is newer than this version knows.
	ErrNewer = schema.ErrNewer
	// ErrOlder: the schema is older and Config.Migrate is false.
	ErrOlder = schema.ErrOlder

	errNotSetUp = errors.New("the schema is not there")
	errPoolFull = errors.New("no database connection became free")
	errUndone   = errors.New("the transaction had failed before its commit")
)

// SQLSTATEs that the store acts on.
const (
	stateSerialization = "40001"
	stateDeadlock      = "40P01"
	stateLockTime      = "55P03"
	stateReadOnly      = "25006"
	stateIdle          = "25P03" // a transaction's next statement did not come in time
	stateLong          = "25P04" // a transaction took too long
	stateNoRights      = "42501"
	stateTaken         = "23505" // a unique key
	stateCancelled     = "57014"
	stateMalformed     = "22P02" // a value of another type
	stateOtherType     = "42804"
	stateInternal      = "XX000" // of an object that is gone, among others
	stateShutdown      = "57P01"
	stateStarting      = "57P03"
	stateProtocol      = "08P01" // at a connection's start, of a pooler: whatever it refuses
	stateUnknown       = "42704" // at a connection's start: a parameter
	statePrepared      = "42P05" // a name of a statement is taken: by another client of a pooler
	stateNotPrepared   = "26000" // a name of a statement is gone: to another session of a pooler
)

// serverError is what PostgreSQL said, without the values that its message
// and detail may quote (P-02).
type serverError struct {
	code       string
	constraint string
	fatal      bool // the connection is gone
	refused    bool // there never was a connection
}

func (e *serverError) Error() string {
	text := "PostgreSQL error " + e.code
	if e.constraint != "" {
		text += " (" + e.constraint + ")"
	}
	why := ""
	if e.refused {
		why = whyRefused(e.code)
	}
	if why == "" { // or what a new connection is asked first was ended
		why = whyEnded(e.code)
	}
	if why != "" {
		text += ": " + why
	}
	if e.pooled() {
		text += ": " + ErrPooler.Error()
	}
	return text
}

// Unwrap makes what only happens behind a pooler an ErrPooler.
func (e *serverError) Unwrap() error {
	if e.pooled() {
		return ErrPooler
	}
	return nil
}

// pooled reports whether a session of the server is not this connection's alone:
// the driver keeps account of the names that it gives to statements.
func (e *serverError) pooled() bool { return e.code == statePrepared || e.code == stateNotPrepared }

// whyEnded says what ended a statement where a setting may have, "" if that is
// not known.
func whyEnded(code string) string {
	switch code {
	case stateCancelled:
		return "the statement was cancelled, by the statement_timeout of the role or its database or by an operator"
	case stateLockTime:
		return "another transaction held a lock for longer than lock_timeout"
	case stateIdle:
		return "the transaction's next statement did not come within idle_in_transaction_session_timeout"
	case stateLong:
		return "the transaction took longer than the transaction_timeout of the role or its database"
	}
	return ""
}

// whyRefused says why a server lets nobody in, "" if that is not known.
func whyRefused(code string) string {
	switch code {
	case "28P01":
		return "the user or password is refused"
	case "28000":
		return "the user or password is refused, or pg_hba.conf lets no such connection in"
	case "3D000":
		return "there is no such database"
	case stateUnknown, "22023":
		return "a parameter of the URL is not known or has no such value"
	case stateProtocol:
		return "a pooler refuses the connection: often for a start parameter that its ignore_startup_parameters has to name"
	case "53300":
		return "too many connections"
	case stateStarting:
		return "it is starting or stopping"
	}
	return ""
}

// safe replaces what PostgreSQL said by a serverError and hides what other
// errors of the driver may quote; other errors pass.
func safe(err error) error {
	connecting, refused := errors.AsType[*pgconn.ConnectError](err)
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		fatal := e.Severity == "FATAL" || e.Severity == "PANIC" || e.SeverityUnlocalized == "FATAL"
		return &serverError{e.Code, e.ConstraintName, fatal, refused}
	}
	if refused {
		return fmt.Errorf("connect: %w", &lineError{errors.Unwrap(connecting)})
	}
	return err
}

// lineError tells in one line what went wrong at each address that was tried.
// The driver has a line for each, and two for one that it tries with TLS and
// without.
type lineError struct{ err error }

func (e *lineError) Error() string {
	var told []string
	for line := range strings.Lines(e.err.Error()) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(told, line) {
			told = append(told, line)
		}
	}
	return strings.Join(told, "; ")
}

func (e *lineError) Unwrap() error { return e.err }

func stateOf(err error) string {
	if e, ok := errors.AsType[*serverError](err); ok {
		return e.code
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// transient reports whether a state of the server says that it cannot work
// just now and has done nothing.
func transient(code string) bool {
	for _, class := range []string{"08", "53", "57", "58", "XX"} {
		if strings.HasPrefix(code, class) { // what stands between may tell no state at all
			return true
		}
	}
	return slices.Contains([]string{
		stateLockTime, stateReadOnly, stateIdle, stateLong, stateSerialization, stateDeadlock, statePrepared, stateNotPrepared,
	}, code)
}

// again reports whether a transaction that the server undid is worth a second
// try at once.
func again(err error) bool {
	state := stateOf(err)
	return state == stateSerialization || state == stateDeadlock
}

// ours reports whether err is of this program, not of the database.
func ours(err error) bool {
	return errors.Is(err, verify.ErrOverloaded) || errors.Is(err, verify.ErrUnavailable) || errors.Is(err, verify.ErrOutcomeUnknown)
}

// readError says what was being read; what keeps the database from answering
// becomes verify.ErrUnavailable.
func readError(doing string, err error) error { return failure(doing, err, unsent) }

// commitment is how far a commit had come when an error was told.
type commitment uint8

const (
	unsent  commitment = iota // the server was asked for none
	asked                     // the server was asked, and had not answered all that stands before
	reached                   // it had: the commit was next, or done
)

// failure says what was being done. Where a commit was asked for and no answer
// came, nobody knows whether it was done.
func failure(doing string, err error, commit commitment) error {
	if ours(err) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	kind := verify.ErrUnavailable
	var said *serverError
	switch clean := safe(err); {
	case errors.As(clean, &said):
		if said.code == stateNoRights {
			return fmt.Errorf("%s: %w: %w", doing, ErrRights, clean)
		}
		if !transient(said.code) {
			return fmt.Errorf("%s: %w", doing, clean)
		}
		// A server that waited too long for a transaction's next statement has begun
		// none since. One that shuts down, or finds that a transaction took too long,
		// ends what it is doing first, be that a commit, and says so where the next
		// answer would stand. Others that end a session, such as a pooler in between,
		// do not keep to the order.
		switch {
		case !said.fatal || commit == unsent || said.code == stateStarting || said.code == stateIdle:
		case said.code != stateShutdown && said.code != stateLong || commit == reached:
			kind = verify.ErrOutcomeUnknown
		}
		return fmt.Errorf("%s: %w: %w", doing, kind, clean)
	case broken(err):
		if commit != unsent && !pgconn.SafeToRetry(err) {
			kind = verify.ErrOutcomeUnknown
		}
		return fmt.Errorf("%s: %w: %w", doing, kind, clean)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// broken reports whether err is of the connection rather than of what was
// asked on it.
func broken(err error) bool {
	if errors.Is(err, pgx.ErrNoRows) {
		return false
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	return isNetwork(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, pgconn.ErrConnClosed) || pgconn.SafeToRetry(err)
}

// unreplicated marks a connection on which a commit's wait for the synchronous
// standby was cancelled, by an operator or a shutdown.
const unreplicated = "countersign.unreplicated"

// noteUnreplicated hears the warning that stands between a commit and its
// success: the change is there, but a failover would forget it (V-07).
func noteUnreplicated(conn *pgconn.PgConn, n *pgconn.Notice) {
	if n.Routine == "SyncRepWaitForLSN" { // it has no SQLSTATE of its own
		conn.CustomData()[unreplicated] = true
	}
}

// replicated returns verify.ErrOutcomeUnknown after a commit that a failover
// would forget.
func replicated(conn *pgx.Conn) error {
	if marked := conn.PgConn().CustomData(); marked[unreplicated] != nil {
		delete(marked, unreplicated)
		return fmt.Errorf("the wait for the synchronous standby was cancelled: %w", verify.ErrOutcomeUnknown)
	}
	return nil
}

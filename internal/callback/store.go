package callback

import (
	"context"
	"errors"
	"time"

	"github.com/countersign/countersign/internal/otp"
)

// ErrNotFound is returned for a dead letter that is not there.
var ErrNotFound = errors.New("not found")

// Post is a claimed callback: one event that is to be posted to one
// configuration, with the configuration as it is now.
type Post struct {
	ID        string // a UUID; "msg_" and this is the webhook-id
	Account   string
	ConfigID  string
	OTPID     string
	ProfileID string // of the OTP
	Event     otp.Event
	Attempts  int // made before this one

	URL           string
	Headers       []byte // sealed for the context "callback headers", account, ConfigID; nil for none
	Secret        []byte // sealed for the context "callback secret", account, ConfigID
	Previous      []byte // likewise; nil for none
	PreviousUntil time.Time
}

// Outcome is what an attempt came to.
type Outcome struct {
	ID       string
	ConfigID string
	Received bool
	Status   int           // HTTP status, 0 if there was no answer
	Latency  time.Duration // from the first connect to the answer's head
	Problem  string        // one of a fixed list of words when there was no answer, such as "timeout"
	// RetryAt is when to try again; zero makes a dead letter unless Received.
	RetryAt time.Time
}

// Letter is a callback as operators see it.
type Letter struct {
	ID          string
	Account     string
	ConfigID    string
	OTPID       string
	Kind        otp.EventKind
	Created     time.Time
	Attempts    int
	Due         time.Time // of the next attempt; zero if Dead
	Dead        bool
	LastStatus  int
	LastProblem string
}

// Letters lists callbacks of one configuration.
type Letters struct {
	Account, ConfigID string
	Dead              bool  // dead letters, else those that wait
	After             int64 // position to go on from, 0 for the oldest
	Limit             int   // at least 1
}

// Waiting counts the callbacks of a configuration.
type Waiting struct {
	Open int // to be posted, first attempts and retries
	Dead int // dead letters
}

// DeskStore is what people ask of the callbacks of one account.
type DeskStore interface {
	// ConfigLetters lists callbacks of a configuration, oldest first. next is the
	// position to go on from, 0 if there is nothing more.
	ConfigLetters(ctx context.Context, l Letters) (letters []Letter, next int64, err error)
	// CountLetters counts the account's callbacks by configuration.
	CountLetters(ctx context.Context, account string) (map[string]Waiting, error)
	// ReplayLetter is CommandStore.Replay for a dead letter of that account and
	// configuration.
	ReplayLetter(ctx context.Context, account, configID, id string) error
	// ReplayLetters replays every dead letter of a configuration and returns how
	// many there were.
	ReplayLetters(ctx context.Context, account, configID string) (int, error)
}

// CommandStore is what the operator's commands ask of callbacks.
type CommandStore interface {
	// Letters lists waiting and dead callbacks of an account ("" for all),
	// oldest first, at most limit; onlyDead leaves the waiting ones out.
	Letters(ctx context.Context, account string, onlyDead bool, limit int) ([]Letter, error)
	// Replay makes a dead letter due now with its attempts counted anew;
	// ErrNotFound if there is no such dead letter.
	Replay(ctx context.Context, id string) error
}

// Claim says what to lease.
type Claim struct {
	Node  string
	Limit int // callbacks in all, at least 1
	// PerConfig is how many callbacks of one configuration may be leased at a
	// time, those leased before by any node counted; 0 for none.
	PerConfig int
	// Places has other numbers than PerConfig, lower or higher, for some
	// configurations, by id; 0 for none now.
	Places map[string]int
	Lease  time.Duration // longer than an attempt and the writing of its outcome
}

// Store is what the pusher needs of a database. Callbacks are written by the
// transaction that records the event (D-02); the methods here are one
// transaction each. The store's clock decides what is due.
type Store interface {
	// ClaimCallbacks leases due callbacks, earliest first, fairly over
	// configurations: none gets an n+1st while another that may have one has
	// fewer than n. A callback is due for its first attempt only when the first
	// attempts of all earlier events of its OTP and configuration have ended
	// (W-08). next is the earliest time, after now, at which one that was not
	// claimed is due, zero if there is none; what is due now and waits for the
	// limits or for an earlier event does not count. It is in a few milliseconds
	// where another node was just claiming for a configuration with something
	// due: what came meanwhile that node may have missed.
	ClaimCallbacks(ctx context.Context, c Claim) (posts []Post, next time.Time, err error)
	// RecordPosts writes what attempts came to: received ones are removed, the
	// others wait for RetryAt or become dead letters. Callbacks that were
	// deleted meanwhile are passed over.
	RecordPosts(ctx context.Context, outcomes []Outcome) error
	// ReleaseCallbacks gives up node's leases.
	ReleaseCallbacks(ctx context.Context, node string) error
}

// Package audit keeps the list of what operators did to people's data and
// limits. Entries are only ever appended, and each carries an HMAC over the
// one before it and its own text (P-07), so that an entry that was changed,
// inserted or removed from the middle is found. That the newest entries are
// missing the list cannot tell by itself: checkpoints, kept elsewhere, do.
package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/countersign/countersign/internal/otp"
)

// Actions that are audited.
const (
	ActionClearLimit = "limit.clear" // L-02
	ActionErase      = "erase"       // P-05

	ActionBackup     = "backup"
	ActionRestore    = "restore"
	ActionQuarantine = "quarantine.begin" // D-10
	ActionRelease    = "quarantine.end"   // D-10

	ActionConsoleInvite = "console.invite"  // subject: the role
	ActionConsoleEnrol  = "console.enrol"   // a user was made; subject: the role
	ActionConsoleRemove = "console.remove"  // subject: the user's id
	ActionConsoleSignIn = "console.sign_in"
	ActionConsoleLock   = "console.lock"
	ActionUnmask        = "unmask"
	ActionSandboxOrder  = "sandbox.order"   // subject: what, and the recipient's keyed hash
)

// Entry is one thing that somebody did. It holds no number, address or code:
// a recipient is named by its keyed hash.
type Entry struct {
	Action  string `json:"action"`
	Actor   string `json:"actor"`             // who, such as "cli root"
	Account string `json:"account,omitempty"` // "" for all
	Subject string `json:"subject,omitempty"` // to what, such as a keyed hash in hexadecimal
}

// Sealed is an entry as stores keep it.
type Sealed struct {
	Seq  int64 // 1, 2, … without gaps
	At   time.Time
	Key  otp.KeyID // which key linked it
	Text string    // the Entry as JSON
	Link []byte    // HMAC over the previous link, Seq, At and Text
}

// Store is what the log needs of a database.
type Store interface {
	// AppendAudit adds the entry that seal makes, in one transaction: seal gets
	// its number, the link of the last entry (nil before the first) and the
	// time. It may run more than once.
	AppendAudit(ctx context.Context, seal func(seq int64, previous []byte, at time.Time) (Sealed, error)) error
	// AuditEntries returns at most limit entries with the number from or above,
	// lowest first. Whatever number is written there counts, also one below 1.
	AuditEntries(ctx context.Context, from int64, limit int) ([]Sealed, error)
}

// Keys link entries; the keyring does.
type Keys interface {
	Current() otp.KeyID
	// Audit is the keyed hash of the parts; false for an unknown key.
	Audit(key otp.KeyID, parts ...string) ([32]byte, bool)
}

// Log appends to the list and proves it. It is safe for concurrent use.
type Log struct {
	store Store
	keys  Keys
}

// New returns a log over a store.
func New(store Store, keys Keys) *Log { return &Log{store, keys} }

// Why a list, or a checkpoint, proves nothing.
var (
	// ErrChain: the list was tampered with.
	ErrChain = errors.New("the audit list does not hold together")
	// ErrKeyUnknown: the root key that something was made with is not listed. It
	// may be whole; or somebody wrote another key's id there.
	ErrKeyUnknown = errors.New("its root key is not listed, so it cannot be proven")
)

// Append adds an entry. It is durable when Append returns without an error;
// append before you act.
func (l *Log) Append(ctx context.Context, e Entry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write audit entry: %w", err)
	}
	err = l.store.AppendAudit(ctx, func(seq int64, previous []byte, at time.Time) (Sealed, error) {
		s := Sealed{Seq: seq, At: at, Key: l.keys.Current(), Text: string(text)}
		link, ok := l.link(s, previous)
		if !ok {
			return Sealed{}, ErrKeyUnknown
		}
		s.Link = link
		return s, nil
	})
	if err != nil {
		return fmt.Errorf("append audit entry: %w", err)
	}
	return nil
}

func (l *Log) link(s Sealed, previous []byte) ([]byte, bool) {
	sum, ok := l.keys.Audit(s.Key, string(previous), strconv.FormatInt(s.Seq, 10), strconv.FormatInt(s.At.UnixMicro(), 10), s.Text)
	return sum[:], ok
}

// verifyBatch bounds how many entries are in memory at a time.
const verifyBatch = 1000

// Verify reads the whole list and returns how many entries it has, or what
// Proof.Err says of the first that does not follow from those before.
func (l *Log) Verify(ctx context.Context) (int64, error) {
	p, err := l.Prove(ctx)
	if err == nil {
		err = p.Err()
	}
	return p.Entries, err
}

package server

import (
	"context"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/console/trail"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/report"
	"github.com/countersign/countersign/internal/store/postgres"
	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/upkeep"
	"github.com/countersign/countersign/internal/verify"
)

// Store is the database of a deployment: what every part that stands on it
// asks for, and what operators do to it.
type Store interface {
	verify.Store
	delivery.Store
	callback.Store
	catalog.Store
	catalog.WhatsAppNotes
	account.Store
	audit.Store
	report.Store
	sandbox.MessageStore
	sandbox.TemplateStore
	sandbox.OrderStore
	access.Store
	upkeep.Store
	upkeep.NodeStore
	callback.DeskStore
	callback.CommandStore
	trail.Store

	// Now is the database's time (V-10).
	Now() time.Time
	// Ping reports whether the database answers and its schema is this version's.
	Ping(ctx context.Context) error
	// BindKeys remembers current, the root key that new data is written under, and,
	// the first time, index, the one that recipients are indexed with. It refuses,
	// with nothing changed, a database whose own current one is not among known, or
	// whose index is another's.
	BindKeys(ctx context.Context, current, index otp.KeyID, known []otp.KeyID) error
	// LimitSteps sets the rules that a plan's fallback steps are counted by.
	LimitSteps(rules guard.Rules)
	// HideQuotes hides in what is told of deliveries what quotes finds.
	HideQuotes(quotes verify.Quoting)
	// Queues measures what waits; for scrapes, not for requests.
	Queues(ctx context.Context) (upkeep.Queues, error)
	// ClearLimits forgets what limits remember of a recipient and reports whether
	// there was anything (L-02).
	ClearLimits(ctx context.Context, account string, recipientKey [16]byte) (bool, error)
	// EraseRecipient removes every OTP sent to the recipient, whose keys are by
	// account name, and returns how many there were (P-05).
	EraseRecipient(ctx context.Context, keys map[string][16]byte) (int, error)
	// Quarantined returns since when the database is quarantined (D-10), zero if
	// it is not.
	Quarantined(ctx context.Context) (time.Time, error)
	// BeginQuarantine quarantines the database, for every process that uses it.
	BeginQuarantine(ctx context.Context) error
	// EndQuarantine releases the database and returns how many OTPs were open;
	// their time is over.
	EndQuarantine(ctx context.Context) (open int, err error)
	// Close waits for work under way and closes the database.
	Close() error
}

var (
	_ Store = (*sqlite.Store)(nil)
	_ Store = (*postgres.Store)(nil)
)

// Observer is told of group commits.
type Observer interface {
	// Committed tells how many callers' work one commit carried and how long the
	// whole group took.
	Committed(callers int, took time.Duration)
}

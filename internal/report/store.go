package report

import (
	"context"
	"errors"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
)

// ErrNotFound is returned for an OTP that the account does not have.
var ErrNotFound = errors.New("not found")

// Summary is an OTP as lists show it. The code is not in it.
type Summary struct {
	ID            string
	Origin        string // the API that sent it, such as "v4"
	State         otp.State
	Recipient     phone.Recipient
	Country       string // "" if it is not known
	Reference     string // the caller's own, "" for none
	ProfileID     string
	ApplicationID string
	Created       time.Time
	Expires       time.Time
	Ended         time.Time // zero while Active
	Attempts      int       // codes compared
	Allowed       int       // codes that may be compared

	// The newest delivery's.
	Channel  message.Channel
	Carrier  string // "" before one took it
	Delivery delivery.State
}

// Selection says which OTPs of one account a store is to find. Zero fields
// select nothing away; an OTP that is found matches all others.
type Selection struct {
	Account      string
	ID           string
	RecipientKey [16]byte
	Reference    string // the whole reference, or what stands in it before a blank
	State        otp.State
	Channel      message.Channel // of any of its deliveries
	Carrier      string          // that any of its deliveries was handed to
	From, To     time.Time       // of acceptance: From <= t < To
	Before       int64           // the position that an earlier answer ended at; 0 for the newest
	Limit        int             // at least 1
}

// Found is what a store found, newest first.
type Found struct {
	OTPs []Summary
	// Next is the position to go on from, 0 if there is nothing more. A store
	// looks at a bounded number of OTPs at a time, so that there may be more
	// though fewer than Limit were found.
	Next int64
	// Searched is when the last OTP was accepted that was looked at; zero
	// unless Next is set.
	Searched time.Time
}

// Delivery is one delivery of an OTP with what was noted of its tries.
type Delivery struct {
	delivery.Delivery
	Reported bool // a final receipt came
	Tries    []delivery.Try
	GaveUp   *GaveUp // nil if the carrier did not say that it gave up
}

// Event is an event of an OTP with the attempts to push it.
type Event struct {
	otp.Event
	Pushes []Push
}

// Waiting is a callback that was not received yet.
type Waiting struct {
	ConfigID string
	EventSeq int
	Attempts int
	Due      time.Time // of the next attempt; zero for a dead letter
	Status   int       // of the last attempt, 0 if there was no answer
	Problem  string
}

// Record is all that is kept of one OTP, as it was at Now.
type Record struct {
	Summary
	Life       time.Duration // what the OTP was accepted for
	Plan       delivery.Plan // the texts hold no code
	Deliveries []Delivery
	Events     []Event
	Callbacks  []Waiting
	// Addresses are where callbacks go, by configuration.
	Addresses map[string]string
	Now       time.Time
	// Zone is where times in words are; UTC if nil. Stores leave it nil.
	Zone *time.Location
}

// Row is one row of stored figures. Rows of the same Day and Value add up.
type Row struct {
	Day   int64 // whole days since 1970
	Value string
	Hours []byte // Day.Encode
}

// Each calls f for each hour, since 1970, that counts something. f must not
// keep what it gets. The error is ErrStored.
func (r Row) Each(f func(hour int64, c *Counts)) error {
	return eachHour(r.Hours, func(h int, c *Counts) { f(r.Day*hoursADay+int64(h), c) })
}

// Store is what the reports read. Every method reads one account only; both
// stores pass storetest.
type Store interface {
	// Now is the store's time.
	Now() time.Time
	// FindOTPs finds OTPs, newest first, in a bounded time however many there
	// are.
	FindOTPs(ctx context.Context, s Selection) (Found, error)
	// OTPRecord reads one OTP with all that belongs to it at one moment;
	// ErrNotFound if the account has none with that id.
	OTPRecord(ctx context.Context, account, id string) (Record, error)
	// Figures reads the rows of a dimension from one day to another, both
	// included.
	Figures(ctx context.Context, account string, d Dimension, from, to int64) ([]Row, error)
}

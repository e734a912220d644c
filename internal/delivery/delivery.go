package delivery

import (
	"time"

	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
)

// State is where a delivery stands. The zero State is not valid.
type State uint8

// The states of a delivery. The last three are final.
const (
	Queued State = iota + 1
	Dispatched
	Delivered
	Undeliverable
	TimedOut
)

// String returns the state's name as design and tables write it.
func (s State) String() string {
	switch s {
	case Queued:
		return "QUEUED"
	case Dispatched:
		return "DISPATCHED"
	case Delivered:
		return "DELIVERED"
	case Undeliverable:
		return "UNDELIVERABLE"
	case TimedOut:
		return "TIMED_OUT"
	}
	return "INVALID"
}

// Final reports whether the delivery is over.
func (s State) Final() bool { return s >= Delivered }

// Key names a delivery.
type Key struct {
	Account string
	OTPID   string
	Seq     int // 1 for an OTP's first delivery
}

// Withheld as a delivery's sender says that the phone is to be shown none. No
// channel has a sender of that form.
const Withheld = "(withheld)"

// Delivery is one step of a plan being carried out.
type Delivery struct {
	Key
	Dedupe  string // stable reference towards carriers, a UUID
	StepAt  int    // which step of the plan, as Plan.Step counts
	Next    int    // the step that follows a failure; -1 for none
	State   State
	Sender  string          // replaces the step's sender; "" keeps it, Withheld is none
	Channel message.Channel // the step's
	Carrier string          // who took it, was tried last or is to be tried next; "" before
	Ref     string          // the carrier's message id; see unsure and partly while Queued
	Tries   int             // submits begun and answered
	Queued  time.Time       // when the delivery was made
	// Due is when something is to be done next: a try while Queued, giving up
	// the wait while Dispatched. Zero: nothing more by itself.
	Due time.Time
	// AgainUntil is set once the delivery is to be handed over a second time
	// (callAgain): the end of the wait that its first dispatch began. While it is
	// Queued then, it counts as Dispatched to everybody but the dispatcher.
	AgainUntil time.Time
}

// Job is a claimed delivery: what the dispatcher needs to hand it over.
type Job struct {
	Delivery
	Recipient phone.Recipient
	Step      Step
	Sealed    []byte // the code, sealed for the context account, OTP id
	Expires   time.Time
}

// SubmitOutcome is what the dispatcher found out about a claimed delivery.
type SubmitOutcome struct {
	Key
	Carrier string
	Result  Result
	// Next is the carrier to begin with next, with Deferred; "" to begin where
	// this round began. Then Carrier is one that was looked at in this round, and
	// somebody was asked.
	Next string
	// RetryAt is when to try again; zero if the dispatcher gave up. Only with
	// the classes Retry, Config, Uncertain and Deferred.
	RetryAt time.Time
	// Tries are the carriers that were looked at, in order, for the story.
	Tries []Try
}

// Failure areas.
const (
	AreaInternal = "internal"
	AreaRouting  = "routing"
	AreaCarrier  = "carrier"
)

// HiddenCode stands for a carrier's code that cannot be told.
const HiddenCode = "undeliverable"

// Failures that the dispatcher itself reports.
var (
	NoRoute     = otp.Failure{Area: AreaRouting, Code: "404", Text: "No route for this channel and number"}
	Unreachable = otp.Failure{Area: AreaInternal, Code: "503", Text: "The channel's carrier could not be reached"}
	CapReached  = otp.Failure{Area: AreaRouting, Code: "404", Text: "A limit on messages to this recipient is used up"}
)

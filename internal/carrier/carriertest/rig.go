package carriertest

import (
	"context"
	"log/slog"
	"testing"

	"github.com/countersign/countersign/internal/delivery"
)

// Answer is what the upstream does with a submit.
type Answer int

// The answers. Each carrier's rig translates them to its protocol.
const (
	Accept   Answer = iota
	Refuse          // this recipient will never work
	Misfit          // the operator must act: credentials, sender, balance
	Throttle        // too many at a time
	Broken          // the upstream's own trouble: 500, or what the protocol has for it
	Silence         // the request is read and never answered
)

// Verdict is what the upstream hears of a receipt that it sent.
type Verdict int

// The verdicts.
const (
	Taken   Verdict = iota + 1 // recorded, or of no interest: do not send it again
	Again                      // not recorded: send it again
	Refused                    // not from you
)

// String returns the verdict's name.
func (v Verdict) String() string {
	switch v {
	case Taken:
		return "taken"
	case Again:
		return "again"
	case Refused:
		return "refused"
	}
	return "none"
}

// News is what a receipt tells, in the upstream's words.
type News int

// The news.
const (
	Arrived  News = iota + 1 // final: the person has it
	Failed                   // final: the person will not get it
	Underway                 // nothing final
)

// Deps are what the suite gives a carrier.
type Deps struct {
	// Receive is the dispatcher's.
	Receive func(ctx context.Context, r delivery.Receipt) (known bool, err error)
	// Log is searched for codes and numbers in the end (P-01).
	Log *slog.Logger
}

// Rig is a carrier, ready to submit, and its upstream, in the hands of a test.
// Every function of it is needed but those under "may lack", which are nil
// where the protocol has nothing of the kind; Lacks then says why, by the
// function's name.
type Rig struct {
	Carrier delivery.Carrier
	// Script says what becomes of the next submits, in order; Accept of all
	// later ones.
	Script func(answers ...Answer)
	// References returns what travelled of the dedupe reference, of every submit
	// that the upstream has read so far, in order.
	References func() []string
	// Receipt lets the upstream send a receipt, and returns what it hears.
	Receipt func(t testing.TB, ref string, news News) Verdict
	// Stop ends the carrier as the server's end does. It returns once that is
	// done.
	Stop func()
	// Restart ends the carrier as a crash does and returns a rig with a new one
	// at the same upstream.
	Restart func(t testing.TB, d Deps) Rig

	// May lack:

	// Forge sends a receipt with a signature that a stranger made.
	Forge func(t testing.TB, ref string) Verdict
	// Intrude sends a receipt with a token in its URL that is not ours.
	Intrude func(t testing.TB, ref string) Verdict
	// Rotate gives carrier and upstream a new secret and sends two receipts: one
	// signed with the new secret, one with the old.
	Rotate func(t testing.TB, ref string) (renewed, outdated Verdict)

	// Lacks says why a function is nil.
	Lacks map[string]string
}

package delivery

import (
	"context"
	"time"

	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
)

// Message is one delivery as a carrier gets it.
type Message struct {
	// Dedupe is the delivery's stable reference, a UUID: the same for every
	// try, so that a carrier that can recognises a second one.
	Dedupe    string
	Account   string
	OTPID     string
	Recipient phone.Recipient
	Step      Step
	Code      otp.Code
	Expires   time.Time // when the code is over, by the store's clock
	Try       int       // 1 for the first
	// Ahead is how far this process's wall clock is ahead of the store's.
	Ahead time.Duration
	// Taken is what the carrier said with its last Retry, by whichever process.
	Taken string
	// Over reports whether nothing of the message may leave any more, as the OTP has
	// ended (D-03), or as nobody knows whether it has. A carrier where messages wait
	// asks it when their turn comes, and answers Deferred. Only while Submit runs;
	// nil asks nobody.
	Over func(context.Context) bool
	// DefaultSender says that Step.Sender is the one that the server names where
	// nobody else names one. It is the configuration's then, and not a choice of
	// the account, whoever wrote it.
	DefaultSender bool
}

// Ends is when the code is over by the wall clock of this process: a carrier drops
// the message then, and gives it that long. Only the store's clock decides how long
// a code lives (V-10); this one may be wrong.
func (m Message) Ends() time.Time { return m.Expires.Add(m.Ahead) }

// Text is what the person is to read or hear.
func (m Message) Text() string {
	style := message.Plain
	if m.Step.Channel == message.Voice {
		style = message.Spelled
	}
	return m.Step.Text.Render(m.Code.Reveal(), style)
}

// Class is what a submit ended in.
type Class uint8

// The classes of a submit's end.
const (
	// Accepted: the carrier took it.
	Accepted Class = iota + 1
	// Retry: the same request may succeed later.
	Retry
	// Permanent: this recipient or content will never work on this carrier.
	Permanent
	// Config: the operator must act: credentials, balance, sender, template.
	Config
	// Uncertain: the request was written but no usable answer came.
	Uncertain
	// Deferred: nothing was tried, as the carrier has no room at the moment. Only
	// the dispatcher says so, and a carrier of a message that is Over.
	Deferred
)

// String returns the class's name as documents write it.
func (c Class) String() string {
	switch c {
	case Accepted:
		return "ACCEPTED"
	case Retry:
		return "RETRY"
	case Permanent:
		return "PERMANENT"
	case Config:
		return "CONFIG"
	case Uncertain:
		return "UNCERTAIN"
	case Deferred:
		return "DEFERRED"
	}
	return "INVALID"
}

// Result is what a submit ended in.
type Result struct {
	Class Class
	// Ref is the carrier's message id, with Accepted; "" where it gives none.
	// With Uncertain it is what receipts would name, if that is known. It may be
	// any octets.
	Ref string
	// After is how long to wait at least before a Retry; 0 leaves it to the
	// dispatcher.
	After time.Duration
	// Taken is, with Retry, what the carrier wants to know of this try at the
	// next, such as the parts that were taken: at most 1,024 characters of ASCII.
	Taken string
	// Failure says why, with all classes but Accepted.
	Failure otp.Failure
	// Own says, with Permanent and Config, that the cause is what this message
	// brought along - its sender, template, text or country - so that it tells
	// little of how the carrier does for others (D-14). A Permanent that the
	// carrier itself answered is not Own: it shows that the carrier works.
	Own bool
	// NoReceipt says, with Accepted, that no receipt will ever come, but for
	// Receipt.
	NoReceipt bool
	// ByID says, with Accepted, that receipts may name the message by its Dedupe
	// reference though Ref is another.
	ByID bool
	// MayBeBusy says, with Accepted, that a receipt may be Busy: the code is kept
	// until then.
	MayBeBusy bool
	// Receipt, with Accepted, is a receipt that came in with the answer itself;
	// nil for none. Its Carrier and Ref need not be set. It is recorded together
	// with the acceptance, so that it cannot come too early.
	Receipt *Receipt
}

// KnownAs is the result of a carrier whose receipts name a message by ref even if
// its answer was lost.
func (r Result) KnownAs(ref string) Result {
	if r.Class == Uncertain {
		r.Ref = ref
	}
	return r
}

// Carrier delivers on one or more channels. Submit is called by many
// goroutines at once, returns when ctx ends, and never panics on hostile
// answers. It reports through the Result and has no other error.
type Carrier interface {
	// Name is the carrier's name in the configuration: stable, unique, 1 to 64
	// characters.
	Name() string
	// Submit hands one message over.
	Submit(ctx context.Context, m Message) Result
	// Dedupes reports whether a second submit of one Dedupe reference is
	// recognised, so that an Uncertain one may be repeated.
	Dedupes() bool
}

// Router finds the carriers that serve a channel and recipient.
type Router interface {
	// Route returns the carriers to try, in order; none if there is no route.
	// spread decides among carriers that share the load: it is the delivery's
	// dedupe reference, so that every try of it finds the same order. "" for
	// callers to whom the order does not matter. The caller changes nothing in
	// what it gets.
	Route(channel message.Channel, to phone.Recipient, spread string) []Carrier
}

// ReceiptState is what a receipt says.
type ReceiptState uint8

// What receipts say. Intermediate news ("buffered", "sent") are no receipts.
const (
	ReceiptDelivered ReceiptState = iota + 1
	ReceiptUndeliverable
	ReceiptTimedOut
)

// Receipt is a carrier's later word on a delivery.
type Receipt struct {
	Carrier string
	// ID is the message's Dedupe reference, if the carrier names that, and Ref
	// its own id of it from Result.Ref. One of them is enough; ID goes first.
	ID, Ref string
	State   ReceiptState
	// Failure says why, with ReceiptUndeliverable. With ReceiptTimedOut it may be
	// set for the delivery's story; no event holds it.
	Failure otp.Failure
	// Busy says, with ReceiptUndeliverable, that the line was busy: the same
	// message is to be handed over once more, if time allows. Only of carriers
	// that recognise no repetition, which would be none, and give each call a Ref
	// of its own.
	Busy bool
}

// Refs are what the Ref of the receipt's delivery may be, the surest first. With
// ByID none of them is: then ID is the delivery's Dedupe.
func (r Receipt) Refs() []string {
	var refs []string
	for _, name := range []string{plainRef(r.ID), plainRef(r.Ref)} {
		if name != "" {
			refs = append(refs, name, unsure+name)
		}
	}
	return refs
}

package delivery

import (
	"time"

	"github.com/countersign/countersign/internal/message"
)

// Observer is told what a dispatcher does, for metrics. Many goroutines call
// it at once; it does not block.
type Observer interface {
	// Claimed: n deliveries were claimed, the oldest of those never tried
	// before being queued for oldest.
	Claimed(n int, oldest time.Duration)
	// Handed: a delivery was handed over for the first time, sinceQueued after it was
	// accepted.
	Handed(channel message.Channel, sinceQueued time.Duration)
	// Submitted: a carrier answered after took.
	Submitted(channel message.Channel, carrier string, class Class, took time.Duration)
	// Received: a receipt came; known says whether we know what it tells of.
	Received(carrier string, state ReceiptState, known bool)
	// TimedOut: n waits for receipts came to their end.
	TimedOut(n int)
	// Lost: what a carrier answered could not be recorded within the lease, so
	// that the delivery is handed over again.
	Lost()
}

// unobserved is nobody.
type unobserved struct{}

func (unobserved) Claimed(int, time.Duration)                              {}
func (unobserved) Handed(message.Channel, time.Duration)                   {}
func (unobserved) Submitted(message.Channel, string, Class, time.Duration) {}
func (unobserved) Received(string, ReceiptState, bool)                     {}
func (unobserved) TimedOut(int)                                            {}
func (unobserved) Lost()                                                   {}

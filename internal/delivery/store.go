package delivery

import (
	"context"
	"time"
)

// Store is what the dispatcher needs of a database. Every method is one
// transaction, durable when it returns without an error; all pass storetest.
type Store interface {
	// ClaimDeliveries leases up to limit Queued deliveries that are due to node
	// until lease has passed, oldest due first, and returns them. Deliveries of
	// ended OTPs are not returned; Delivery.TimeOver is applied to them. next is
	// when the earliest remaining work (a try or the end of a wait) is due, zero if
	// there is none.
	ClaimDeliveries(ctx context.Context, node string, limit int, lease time.Duration) (jobs []Job, next time.Time, err error)
	// MaySubmit reports whether a claimed delivery may be handed over still: its OTP
	// is open, whoever might have ended it.
	MaySubmit(ctx context.Context, key Key) (bool, error)
	// RecordSubmits applies the outcomes of submits (Delivery.Answered).
	// started reports whether a next step was queued.
	RecordSubmits(ctx context.Context, outcomes []SubmitOutcome) (started bool, err error)
	// EndWaits applies Delivery.WaitOver to up to limit deliveries whose wait is
	// over, and returns how many it changed and whether next steps were queued.
	EndWaits(ctx context.Context, limit int) (n int, started bool, err error)
	// RecordReceipt applies a receipt (Delivery.Told) and reports whether what it
	// names is known at all, and whether a next step was queued. It is of the
	// carrier's delivery whose Dedupe is ID, if a Change kept it ByID; else of the
	// newest with the first of Refs that there is.
	RecordReceipt(ctx context.Context, r Receipt) (known, started bool, err error)
	// ReleaseDeliveries gives up node's leases, so that claims need not wait for
	// their end. Called once while draining, after the last submit.
	ReleaseDeliveries(ctx context.Context, node string) error
}

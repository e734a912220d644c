// Package delivery carries codes to people: it takes the deliveries that are
// due, hands them to carriers, waits for receipts, and moves on to the plan's
// next step when one fails or stays silent.
//
// The delivery row is the job: there is no other queue. A delivery is claimed
// with a lease, so that a dead node's work is picked up when the lease ends,
// and handed over at least once under one dedupe reference (D-03).
//
//	QUEUED ──accepted──▶ DISPATCHED ──receipt──▶ DELIVERED
//	   │                    │  ├─────receipt──▶ UNDELIVERABLE ─▶ next step
//	   │                    │  └─wait over────▶ TIMED_OUT ─────▶ next step
//	   └─refused────────────┴──────────────────▶ UNDELIVERABLE ─▶ next step
//
// States only move forward. One exception is a report, not a move back:
// a receipt after TIMED_OUT is recorded and reported but starts nothing.
//
// The rules (rules.go) are pure and run inside the stores' transactions; the
// Dispatcher does the waiting and the talking to carriers.
package delivery

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
// A call to a busy line is made a second time, 20 s later. To be claimed for that
// the delivery is QUEUED again, and nothing of it is reported: to everybody else
// it stays DISPATCHED, and its wait ends when it would have ended.
//
// The rules (rules.go) are pure and run inside the stores' transactions; the
// Dispatcher does the waiting and the talking to carriers.
package delivery

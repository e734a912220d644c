// Package callback pushes events to the URLs that customers configured: it
// signs them (Standard Webhooks 1.0.0), guards which addresses are reached,
// keeps the first attempts of one OTP in order, retries, and keeps one bad
// endpoint from slowing another. Which events arise, and which configurations
// want them, is decided where events are recorded; the rows it finds there are
// a transactional outbox.
//
//	          attempt: 2xx                      removed
//	waiting ───────────────────────────────────────────▶
//	   ▲  │   attempt: anything else, 8th       dead
//	   │  ├───────────────────────────────────▶ letter
//	   │  │   attempt: anything else              │
//	   └──┘   waits for its next time             │
//	   ▲                replay                    │
//	   └──────────────────────────────────────────┘
package callback

// Package fleet makes the carriers that the configuration names, routes
// messages to them, runs them, takes their receipts, and replaces what a reload
// changed while deliveries go on.
//
// A reload builds everything new before it touches anything that runs: if any
// of it is wrong, nothing changes. A carrier whose configuration is as it was
// keeps running, binds and all. One that changed gets no further message; what
// it has in hand is waited for, it ends, and only then its successor begins, as
// message centres count binds. The successor takes over at once the receipts by
// HTTP, and what is remembered so that they can be read.
package fleet

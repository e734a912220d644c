// Package smpp carries SMS over SMPP 3.4: it binds to a carrier's message
// centre, submits with a window, and turns delivery receipts into those of
// package delivery.
//
// A Carrier has one or more binds, each a connection of its own (two in "pair"
// mode) that is kept up by itself:
//
//	        dial, TLS          bind_*_resp ok
//	DOWN ───────────▶ BINDING ───────────────▶ BOUND ──Run's context ends──▶ DRAINING
//	  ▲                  │                       │                              │ window empty
//	  └─── 1 s, doubled to 60 s, full jitter ────┘                              │ or 5 s
//	       (30 s or more if the operator must act)                              ▼
//	                                                       closed ◀── unbind, 2 s
//
// A bind is lost when the peer closes, unbinds, sends what is no PDU, does not
// answer enquire_link for 10 s, or leaves three submits in a row unanswered.
//
// A submit that was written and not answered is Uncertain and never repeated
// blindly, as SMPP recognises no repetition. The dedupe reference travels as
// user_message_reference, 16 bits of its hash, for the operator's eyes.
//
// # Long messages and receipts
//
// Every part of a long message has a message id of its own. The delivery's
// reference is the first part's; which other parts belong to it is kept in
// memory. The delivery is DELIVERED when all parts are and UNDELIVERABLE or
// TIMED_OUT when one is. A part's receipt that is faster than its answer waits for
// that; one of a failure ends the message though other parts are still to be
// submitted or were not answered. An id that the message centre gives again is the
// newest message's. After a restart only the first part's receipt is
// recognised and speaks for all; a receipt of another part is then unknown, and
// a delivery whose first part was reported before the restart and the others
// not ends by time-out.
package smpp

// Package sandbox is a carrier that sends nothing: it keeps what a person would
// have got in an inbox, to be read back while somebody tries the server or
// writes against it. With it come a router that leads everywhere to it and a
// double of WhatsApp's template review.
//
// The last digits of the recipient choose what happens to a message:
//
//	0001  accepted, then reported undeliverable at once, failure code 1   SMS only
//	0002  accepted, never reported                                        SMS only
//	0003  refused at submit, failure code 3; not in the inbox             SMS only
//	0004  two temporary errors at submit, then accepted and delivered
//	0005  accepted, delivered after 3 s
//	else  accepted and delivered at once
//
// Of an e-mail address those before the @ count. An Order for a recipient goes
// before its digits, on every channel. Messages hold codes, so they
// are stored encrypted, for a day and up to a number an account. Whether there
// is a sandbox at all is decided where carriers are configured (K-05).
package sandbox

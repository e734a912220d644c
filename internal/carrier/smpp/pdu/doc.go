// Package pdu reads and writes the protocol data units of SMPP 3.4 and the
// text of its delivery receipts. It does no I/O of its own beyond reading one
// PDU from a reader, and knows no session.
//
// A peer is not trusted: a length is checked before anything is made of
// it, no text is longer than its field allows, and whatever cannot be read is an
// error and never a panic. An identifier that the package does not know is no
// error: its PDU has a Raw body, so that the session can answer generic_nack.
package pdu

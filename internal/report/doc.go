// Package report is what people read of OTPs: a search, the story of one OTP,
// and figures by country, channel, carrier and template. It changes nothing
// and never holds a code.
//
// Figures count messages. One is sent when a carrier took it, delivered or
// undeliverable when that is reported, and verified when the right code is
// typed after it: a code that was sent twice counts for the later message. All
// belong to the hour in which the OTP was accepted, so that conversion compares
// like with like. Stores write them in the transaction that records the event.
package report

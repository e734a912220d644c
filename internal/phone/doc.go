// Package phone knows who a message goes to: phone numbers in E.164 form, what
// their number plan says about them, and e-mail addresses.
//
// A [Number], an [Address] and a [Recipient] are personal data. However they
// are printed they stay masked; only Reveal and Key return them. They compare
// with ==, and the text that limits are counted by is the text that is sent.
//
// The package does no I/O and knows no clock. Which of the readers below an API
// uses, and which error code it answers with, is a matter of its facade:
//
//	Syntax              any number that is written like one; no number plan
//	Resolve             possible numbers, national ones with a country
//	ResolveWithDefault  possible numbers, read as leniently as can be
//	FromE164            what Reveal returned
package phone

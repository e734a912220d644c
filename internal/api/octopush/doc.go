// Package octopush is the facade for clients of the Octopush-compatible OTP API
// (Octopush OTP). It translates its two operations to the services below and
// their answers back; it keeps nothing itself.
//
// This API tries to understand rather than refuse: a parameter of the wrong
// type is cast, one of the wrong form is repaired, and what cannot be repaired
// is as if it were not there. Who calls, which OTP is meant, where its user sits
// and what code was typed are never guessed at.
//
//	config.go      what the facade is made of
//	facade.go      the routes and the gates they share
//	answers.go     every answer: return codes, statuses, messages
//	body.go        a body as an object, from JSON or a form
//	parameters.go  the parameters as tables
//	casts.go       how one value is understood
//	generate.go    sending a code
//	text.go        what the person gets to read
//	validate.go    checking a code
//	binding.go     the end user's address
package octopush

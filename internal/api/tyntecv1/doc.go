// Package tyntecv1 is the facade for clients of the tyntec-compatible 2FA API,
// version 1 (contract v1), which the Power Platform connector speaks too. It
// translates its operations to the services below and their answers back; it
// keeps nothing itself.
//
// A request passes these gates, and the first that refuses answers: key, rate
// of the key, path and method, size and syntax of the body. What follows is the
// operation's: a check and a resend look at their parameters before the OTP,
// the operations on applications at the application before the parameters.
//
//	routes.go       the operations and the parameters that each of them reads
//	facade.go       the gates that all operations share
//	params.go       parameters from query, form or JSON, in any letter case
//	rules.go        what a parameter has to be, as small functions
//	errors.go       every error body
//	plan.go         channel, language and text selection
//	entities.go     every other body
package tyntecv1

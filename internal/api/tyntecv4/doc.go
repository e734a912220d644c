// Package tyntecv4 is the facade for clients of the tyntec-compatible 2FA API,
// version 4 (contract v4). It translates its operations to the services below
// and their answers back; it keeps nothing itself.
//
// A request passes these gates, and the first that refuses answers: key, rate
// of the key, path and method, media type, size and syntax, rules of the
// members, existence of the target, WhatsApp configuration, references to other
// resources, conflicts, limits on the recipient (contract v4 §2).
//
//	routes.go    the operations
//	facade.go    the gates that all operations share
//	body.go      how members of a body are coerced
//	rules.go     the rules of members, as small functions
//	problem.go   every error body
//	plan.go      channel, language and sender selection
package tyntecv4

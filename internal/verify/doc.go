// Package verify is the service that every facade stands on: it sends, resends,
// checks, reads, lists and deletes OTPs, in the core's own words. A facade
// translates its dialect to and from these; the service knows none of them.
//
// An OTP is reached only through the account and the origin (facade) that
// sent it: elsewhere its id is unknown.
package verify

// Package httpsubmit is what carriers with an HTTP API have in common: a client
// that writes one request once and knows whether the upstream can have read it, and
// what HTTP statuses mean where a carrier's own rules say nothing.
//
// It follows no redirects, knows no proxy and puts neither URLs nor bodies into
// what it returns, as both can hold a code (P-02).
package httpsubmit

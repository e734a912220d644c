// Package kannel sends SMS through the sendsms interface of a Kannel gateway,
// or of one that speaks like it.
//
// Kannel returns no message id. It is told to report on a URL that holds the
// delivery's reference instead, and signs nothing: the token in the URL is all
// that shows a report to be genuine.
package kannel

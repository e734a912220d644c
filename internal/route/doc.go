// Package route decides which carriers serve a channel and a recipient, and in
// which order.
//
// A Rule names channels, the recipients it is for, and carriers. Of the rules
// that fit, one decides alone: the one with the longest prefix of the
// recipient's number. A country counts as a little longer than its calling
// code: it comes before a rule for "+1" and after one for "+1204". A rule that
// names neither prefix nor country fits everybody and comes last. Among equals
// the first in the list decides.
//
// The carriers of that rule are tried in its order. Where it gives weights, they
// say how often a carrier is the first; the others follow in the list's order.
//
// What is not here: when a carrier is skipped as it fails. The dispatcher knows
// that.
package route

// Package carriertest is the suite that every carrier passes: what it makes of
// an upstream's answers, of a lost one, and of receipts that come late, twice,
// in the wrong order, for nobody or from a stranger.
package carriertest

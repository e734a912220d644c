// Package wire holds what every facade reads from HTTP and writes to it in the
// same way: paths and the ids in them, a body of bounded size, JSON without loss,
// the idempotency key, a key that came in the query. What a facade makes of it is
// its own matter; the packages of the facades know this one and never each other.
package wire

// Package endtoend holds tests of whole journeys: a request at the API of a real
// server, carriers from a TOML file, an upstream of another author, receipts and
// callbacks over real sockets.
package endtoend

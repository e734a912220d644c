//go:build !race

package testdb

// raced says that the race detector watches this run.
const raced = false

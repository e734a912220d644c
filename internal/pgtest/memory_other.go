//go:build unix && !linux

package pgtest

// inMemory knows no directory in memory on this system.
func inMemory() string { return "" }

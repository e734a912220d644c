//go:build unix && !linux

package pgtest

// Memory knows no directory in memory on this system.
func Memory() string { return "" }

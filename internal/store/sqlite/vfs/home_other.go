//go:build !linux

package vfs

// writeOut leaves it to the sync at a checkpoint's end.
func writeOut(uintptr, int64, int64) bool { return true }

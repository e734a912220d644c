//go:build unix

package secret

// TrustedOwner is trusted.
var TrustedOwner = trusted

// ReadRootFileWith is readRootFile: stat tells who owns what.
var ReadRootFileWith = readRootFile

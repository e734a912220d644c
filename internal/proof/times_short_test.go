//go:build !soak

package proof_test

const timesCount = false

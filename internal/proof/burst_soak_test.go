//go:build soak

package proof_test

import "testing"

func TestSoakAThousandBurstsAreCountedExactly(t *testing.T) {
	t.Parallel()
	overHTTP1(t, 1000)
}

func TestSoakAThousandHTTP2BurstsAreCountedExactly(t *testing.T) {
	t.Parallel()
	overHTTP2(t, 1000)
}

//go:build soak

package proof_test

import "testing"

func TestSoakAThousandBurstsAreCountedExactly(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir())
	p.configure(limit)
	bursts(t, p, withheld{p, newWires(t, p, 100)}, 1000)
}

func TestSoakAThousandHTTP2BurstsAreCountedExactly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := certificate(t, dir)
	p := serve(t, dir, "COUNTERSIGN_TLS_CERT="+cert, "COUNTERSIGN_TLS_KEY="+key)
	p.configure(limit)
	bursts(t, p, newCorked(t, p), 1000)
}

//go:build soak

package proof_test

import "testing"

func TestSoakNothingAcknowledgedIsLostByKills(t *testing.T) {
	t.Parallel()
	killLoop(t, 200)
}

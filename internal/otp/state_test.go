package otp_test

import (
	"testing"

	"github.com/countersign/countersign/internal/otp"
)

func TestAllStatesButActiveAreFinalAndAllThatAreNoExpirySettled(t *testing.T) {
	t.Parallel()
	for state, want := range map[otp.State]struct{ final, settled bool }{
		otp.Active:          {},
		otp.Verified:        {final: true, settled: true},
		otp.Expired:         {final: true},
		otp.TooManyAttempts: {final: true, settled: true},
	} {
		if final, settled := state.Final(), state.Settled(); final != want.final || settled != want.settled {
			t.Errorf("%v: final %v, settled %v; want %v, %v", state, final, settled, want.final, want.settled)
		}
	}
}

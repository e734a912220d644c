package fleet

import (
	"slices"

	"github.com/countersign/countersign/internal/carrier/fitness"
	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

// readFitness reads the keys about SMS that every type of carriers has.
func readFitness(r *config.Reader) fitness.Rules {
	f := fitness.Rules{AndroidPrefix: true}
	r.Text("unfit_sender", &f.UnfitSender)
	r.Int("max_segments", &f.MaxSegments)
	r.Text("webotp_domain", &f.WebOTPDomain)
	r.Text("android_hash", &f.AndroidHash)
	r.Bool("android_prefix", &f.AndroidPrefix)
	return f
}

// checkFitness refuses rules for SMS at a carrier that has none.
func checkFitness(c config.Carrier, f fitness.Rules, opened delivery.Carrier) error {
	if k := f.SetKey(); k != "" && !slices.Contains(channelsOf(opened), message.SMS) {
		return c.Wrong(k, "has a meaning for SMS only, which this carrier does not carry") //nolint:wrapcheck // it names file and line
	}
	return nil
}

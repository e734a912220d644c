package otps

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/console/page"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/report"
)

// tag is a state as pages show it.
type tag struct{ Text, Kind string }

// StateTag shows an OTP's state.
func (results) StateTag(s otp.State) tag { return stateTag(s) }

// StateTag shows the OTP's state.
func (s story) StateTag() tag { return stateTag(s.State) }

func stateTag(s otp.State) tag {
	switch s {
	case otp.Active:
		return tag{"active", "info"}
	case otp.Verified:
		return tag{"verified", "good"}
	case otp.Expired:
		return tag{"expired", ""}
	case otp.TooManyAttempts:
		return tag{"too many attempts", "bad"}
	}
	return tag{"–", ""}
}

// DeliveryTag shows a delivery's state.
func (results) DeliveryTag(s delivery.State) tag {
	switch s {
	case delivery.Queued:
		return tag{"queued", "info"}
	case delivery.Dispatched:
		return tag{"dispatched", "info"}
	case delivery.Delivered:
		return tag{"delivered", "good"}
	case delivery.Undeliverable:
		return tag{"undeliverable", "bad"}
	case delivery.TimedOut:
		return tag{"timed out", "warn"}
	}
	return tag{"–", ""}
}

// States are the choices of the search.
func (results) States() []page.Option {
	all := []page.Option{{Value: "", Label: "Any"}}
	for _, s := range states() {
		all = append(all, page.Option{Value: s.String(), Label: stateTag(s).Text})
	}
	return all
}

// Channels are the choices of the search.
func (results) Channels() []page.Option {
	all := []page.Option{{Value: "", Label: "Any"}}
	for _, c := range message.Channels() {
		all = append(all, page.Option{Value: string(c), Label: string(c)})
	}
	return all
}

// story is a report.Story for the templates.
type story struct{ report.Story }

// ownReference returns the caller's reference without what the Octopush API keeps
// behind it for itself, an address of the person's.
func ownReference(o report.Summary) string {
	if o.Origin != "octopush" {
		return o.Reference
	}
	own, _, _ := strings.Cut(o.Reference, " ")
	return own
}

// OnPhone reports whether the sandbox took a message of the OTP, so that there is
// a virtual phone that shows it, if there are phones at all.
func (s story) OnPhone() bool {
	return slices.ContainsFunc(s.Deliveries, func(d report.Delivery) bool { return d.Carrier == sandbox.Name })
}

// Mark is the style of a tone.
func (story) Mark(t report.Tone) string {
	if t == report.Doubt {
		return "warn"
	}
	return string(t)
}

// Took shows how long something took, "" if that says nothing.
func (story) Took(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < time.Second:
		return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 1, 64) + " ms"
	}
	return strconv.FormatFloat(d.Seconds(), 'f', 2, 64) + " s"
}

// Since shows how long after its acceptance something happened to the OTP.
func (s story) Since(at time.Time) string {
	d := at.Sub(s.Created)
	switch {
	case d < otp.EventStep:
		return ""
	case d < 2*time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) + " s after it was accepted"
	}
	return strconv.FormatFloat(d.Minutes(), 'f', 1, 64) + " min after it was accepted"
}

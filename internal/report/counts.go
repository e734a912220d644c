package report

import (
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
)

// Dimension is what figures are told apart by.
type Dimension uint8

// The dimensions. Their numbers are stored.
const (
	ByCountry Dimension = iota + 1
	ByChannel
	ByCarrier
	ByTemplate
)

// Dimensions returns every dimension in a fixed order. The caller owns the
// slice.
func Dimensions() []Dimension { return []Dimension{ByCountry, ByChannel, ByCarrier, ByTemplate} }

// String returns the dimension's name as addresses of pages write it.
func (d Dimension) String() string {
	switch d {
	case ByCountry:
		return "country"
	case ByChannel:
		return "channel"
	case ByCarrier:
		return "carrier"
	case ByTemplate:
		return "template"
	}
	return "invalid"
}

// Counts are figures. The zero value counts nothing.
type Counts struct {
	Sent          int64 // messages that a carrier took
	Delivered     int64
	Undeliverable int64 // messages that no carrier took, and those reported so
	Verified      int64 // messages after which the right code was typed
	Times         Histogram
}

// Add adds what o counts.
func (c *Counts) Add(o *Counts) {
	c.Sent += o.Sent
	c.Delivered += o.Delivered
	c.Undeliverable += o.Undeliverable
	c.Verified += o.Verified
	for i, n := range o.Times {
		c.Times[i] += n
	}
}

// Conversion is the share of sent messages after which the right code was
// typed, 0 to 1; false if none was sent.
func (c *Counts) Conversion() (float64, bool) {
	if c.Sent == 0 {
		return 0, false
	}
	return float64(c.Verified) / float64(c.Sent), true
}

// Fact is one event as figures count it.
type Fact struct {
	Account int64 // the store's number of the account
	Hour    int64 // whole hours since 1970 of the OTP's acceptance
	Country string
	Channel string
	Carrier string
	Label   string // the template; "" for none
	Kind    otp.EventKind
	Took    time.Duration // from dispatch to verification, with EventVerified
}

// Counted reports whether figures count events of the kind.
func Counted(k otp.EventKind) bool {
	switch k {
	case otp.EventDispatched, otp.EventDelivered, otp.EventUndeliverable, otp.EventVerified:
		return true
	case otp.EventTimedOut, otp.EventWrongCode, otp.EventTooManyAttempts, otp.EventExpired:
	}
	return false
}

// HourOf returns the hour that figures of an OTP belong to.
func HourOf(accepted time.Time) int64 { return accepted.Unix() / int64(time.Hour/time.Second) }

// OfMessage is the fact of an event e that tells of a message.
func OfMessage(account int64, accepted time.Time, country string, plan delivery.Plan, e otp.Event) Fact {
	return Fact{
		Account: account, Hour: HourOf(accepted), Country: country, Channel: e.Channel, Carrier: e.Carrier,
		Label: plan.Label(message.Channel(e.Channel)), Kind: e.Kind,
	}
}

// OfVerification is the fact of a right code, e, typed after the message that
// the event sent tells of: the OTP's last one of kind EventDispatched, the zero
// Event if there was none yet.
func OfVerification(account int64, accepted time.Time, country string, plan delivery.Plan, sent, e otp.Event) Fact {
	f := OfMessage(account, accepted, country, plan, sent)
	f.Kind = otp.EventVerified
	from := sent.At
	if from.IsZero() {
		from, f.Label = accepted, ""
	}
	f.Took = e.At.Sub(from)
	return f
}

// value is what the fact counts for in a dimension.
func (f *Fact) value(d Dimension) string {
	switch d {
	case ByCountry:
		return f.Country
	case ByChannel:
		return f.Channel
	case ByCarrier:
		return f.Carrier
	case ByTemplate:
		return f.Label
	}
	return ""
}

// count adds n such facts, whose Took is in bucket.
func (c *Counts) count(k otp.EventKind, bucket int, n int64) {
	switch k {
	case otp.EventDispatched:
		c.Sent += n
	case otp.EventDelivered:
		c.Delivered += n
	case otp.EventUndeliverable:
		c.Undeliverable += n
	case otp.EventVerified:
		c.Verified += n
		c.Times[min(max(bucket, 0), Buckets-1)] += n
	case otp.EventTimedOut, otp.EventWrongCode, otp.EventTooManyAttempts, otp.EventExpired:
	}
}

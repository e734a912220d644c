package tyntecv1

import (
	"regexp"
	"time"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/verify"
)

// timeForm is how times are written as text: UTC, always three decimals.
const timeForm = "2006-01-02T15:04:05.000Z"

func formatTime(t time.Time) string { return t.UTC().Format(timeForm) }

// optional returns nil for "": members without a value are null, never left
// out.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// otpEntity is an OtpStatusEntity (contract v1 §2.3).
type otpEntity struct {
	AccountID        string  `json:"accountId"`
	ApplicationID    string  `json:"applicationId"`
	ID               string  `json:"otpId"`
	Number           string  `json:"number"`
	AttemptCount     int     `json:"attemptCount"`
	Status           string  `json:"otpStatus"` // the core's names are this API's
	ReferenceID      *string `json:"referenceId"`
	Expire           int64   `json:"expire"`
	Created          int64   `json:"created"`
	TimestampCreated string  `json:"timestampCreated"`
	TimestampExpire  string  `json:"timestampExpire"`
}

func otpEntityOf(r verify.Record) otpEntity {
	return otpEntity{
		AccountID: r.Account, ApplicationID: r.ApplicationID, ID: r.ID, Number: r.Recipient.Reveal(),
		AttemptCount: r.Attempts, Status: r.State.String(), ReferenceID: optional(r.Reference),
		Expire: r.Expires.UnixMilli(), Created: r.Created.UnixMilli(),
		TimestampCreated: formatTime(r.Created), TimestampExpire: formatTime(r.Expires),
	}
}

// applicationEntity is contract v1 §2.5.
type applicationEntity struct {
	AccountID    string            `json:"accountId"`
	ID           string            `json:"applicationId"`
	Name         string            `json:"name"`
	PINLength    int               `json:"pinLength"`
	Alphanumeric bool              `json:"alphanumeric"`
	Attempts     int               `json:"attempts"`
	Expire       int64             `json:"expire"`
	Template     map[string]string `json:"template"`
	Sender       string            `json:"sender"`
	Caller       *string           `json:"caller"`
	Created      int64             `json:"created"`
}

func applicationEntityOf(account string, a catalog.Application) applicationEntity {
	return applicationEntity{
		AccountID: account, ID: a.ID, Name: a.Name, PINLength: a.CodeLength, Alphanumeric: a.Alphanumeric,
		Attempts: a.Attempts, Expire: int64(a.Life / time.Second), Template: a.Texts,
		Sender: a.Sender, Caller: optional(a.Caller), Created: a.Created.UnixMilli(),
	}
}

// statusEvent is contract v1 §2.4.
type statusEvent struct {
	Type             string  `json:"type"`
	Status           *string `json:"status"`
	StatusText       *string `json:"statusText"`
	Created          int64   `json:"created"`
	TimestampCreated string  `json:"timestampCreated"`
}

// statusEventsOf tells of deliveries only; that a receipt never came is no
// event (contract v1 §3.13). What a channel refused was handed to it, though
// the core tells of the failure alone.
func statusEventsOf(all []otp.Event) []statusEvent {
	list := []statusEvent{}
	handed := map[int]bool{} // deliveries that were handed to a channel
	for _, e := range all {
		if e.Kind == otp.EventUndeliverable && !handed[e.Delivery] && e.Failure != nil && e.Failure.Area == delivery.AreaCarrier {
			list = append(list, handedOver(e))
		}
		s := statusEvent{Created: e.At.UnixMilli(), TimestampCreated: formatTime(e.At)}
		switch e.Kind {
		case otp.EventDispatched:
			handed[e.Delivery] = true
			s = handedOver(e)
		case otp.EventDelivered:
			s.Type, s.Status, s.StatusText = "DELIVER_OTP_RES_SUCCESS", optional("success"), optional("DELIVERED")
		case otp.EventUndeliverable:
			s.Type, s.Status, s.StatusText = "DELIVER_OTP_RES_FAIL", optional("failed"), optional(reason(e.Failure))
		case otp.EventTimedOut, otp.EventVerified, otp.EventWrongCode, otp.EventTooManyAttempts, otp.EventExpired:
			continue
		}
		list = append(list, s)
	}
	return list
}

// handedOver tells that the delivery of e was handed to its channel.
func handedOver(e otp.Event) statusEvent {
	return statusEvent{
		Type: "DELIVER_OTP_REQ", StatusText: optional(e.Channel), Created: e.At.UnixMilli(), TimestampCreated: formatTime(e.At),
	}
}

var token = regexp.MustCompile(`^[A-Z][A-Z_]+$`)

// reason is what the delivery system said: a carrier's token, such as BUSY, or
// its words; its numbers would tell nobody anything.
func reason(f *otp.Failure) string {
	switch {
	case f == nil:
	case token.MatchString(f.Code):
		return f.Code
	case f.Text != "":
		return f.Text
	}
	return "UNDELIVERABLE"
}

package callback_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/otp"
)

func TestBodiesAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 4, 9, 30, 0, 310_999_999, time.UTC)
	head := func(channel, status, timestamp string) string {
		return `{"channel":"` + channel + `","otpId":"7b0a5f3c-52a9-4c0e-9d1e-0f6d6f1f0a11",` +
			`"profileId":"0c7a1d8e-1f2b-4c3d-9e4f-5a6b7c8d9e0f","status":"` + status + `","timestamp":"` + timestamp + `"`
	}
	failure := func(area, code, text string) *otp.Failure { return &otp.Failure{Area: area, Code: code, Text: text} }
	for _, c := range []struct {
		name   string
		event  otp.Event
		prefix string
		want   string
	}{
		{
			"dispatched",
			otp.Event{Kind: otp.EventDispatched, Channel: "SMS", At: at},
			"tyntec",
			head("SMS", "DISPATCHED", "2026-05-04T09:30:00.310Z") + `}`,
		},
		{
			"whole seconds keep their milliseconds",
			otp.Event{Kind: otp.EventDelivered, Channel: "VOICE", At: at.Truncate(time.Second)},
			"tyntec",
			head("VOICE", "DELIVERED", "2026-05-04T09:30:00.000Z") + `}`,
		},
		{
			"another zone is written in UTC",
			otp.Event{Kind: otp.EventTimedOut, Channel: "VIBER", At: at.In(time.FixedZone("", 3600))},
			"tyntec",
			head("VIBER", "TIMED_OUT", "2026-05-04T09:30:00.310Z") + `}`,
		},
		{
			"only failures have an error",
			otp.Event{Kind: otp.EventTimedOut, Channel: "SMS", At: at, Failure: failure("carrier", "1", "x")},
			"tyntec",
			head("SMS", "TIMED_OUT", "2026-05-04T09:30:00.310Z") + `}`,
		},
		{
			"carrier's area is the channel",
			otp.Event{Kind: otp.EventUndeliverable, Channel: "WHATSAPP", At: at, Failure: failure("carrier", "131026", "Recipient cannot be reached on WhatsApp")},
			"tyntec",
			head("WHATSAPP", "UNDELIVERABLE", "2026-05-04T09:30:00.310Z") +
				`,"error":{"code":"tyntec::whatsapp::131026","message":"Recipient cannot be reached on WhatsApp"}}`,
		},
		{
			"other areas as they are, another prefix",
			otp.Event{Kind: otp.EventUndeliverable, Channel: "SMS", At: at, Failure: failure("routing", "404", "No route")},
			"acme",
			head("SMS", "UNDELIVERABLE", "2026-05-04T09:30:00.310Z") + `,"error":{"code":"acme::routing::404","message":"No route"}}`,
		},
		{
			"what a carrier left out is never empty",
			otp.Event{Kind: otp.EventUndeliverable, Channel: "SMS", At: at, Failure: failure("carrier", "", "")},
			"tyntec",
			head("SMS", "UNDELIVERABLE", "2026-05-04T09:30:00.310Z") +
				`,"error":{"code":"tyntec::sms::unknown","message":"The message could not be delivered"}}`,
		},
		{
			"no failure recorded",
			otp.Event{Kind: otp.EventUndeliverable, Channel: "SMS", At: at},
			"tyntec",
			head("SMS", "UNDELIVERABLE", "2026-05-04T09:30:00.310Z") +
				`,"error":{"code":"tyntec::internal::500","message":"The message could not be delivered"}}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := callback.Post{
				OTPID: "7b0a5f3c-52a9-4c0e-9d1e-0f6d6f1f0a11", ProfileID: "0c7a1d8e-1f2b-4c3d-9e4f-5a6b7c8d9e0f", Event: c.event,
			}
			got, err := callback.Render(p, c.prefix)
			if string(got) != c.want || err != nil {
				t.Errorf("body %s, %v\nwant %s", got, err, c.want)
			}
		})
	}
}

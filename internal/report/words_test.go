package report_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/report"
)

func TestAStorySaysInWordsWhatCameOfPosting(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		push report.Push
		want string
	}{
		{report.Push{Status: 204, Received: true}, "Attempt 1: 204 No Content."},
		{report.Push{Status: 599}, "Attempt 1: 599."},
		{report.Push{Problem: "connect"}, "Attempt 1: no connection."},
		{report.Push{Problem: "timeout"}, "Attempt 1: no answer in time."},
		{report.Push{Problem: "tls"}, "Attempt 1: TLS failed, or the certificate is not trusted."},
		{report.Push{Problem: "name"}, "Attempt 1: the host's name was not found."},
		{report.Push{Problem: "address"}, "Attempt 1: the address may not be reached."},
	} {
		s := report.Tell(record(func(r *report.Record) {
			happened(r, time.Second, otp.EventDelivered, "a", nil)
			c.push.At = after(2 * time.Second)
			r.Events[0].Pushes = []report.Push{c.push}
		}))
		if got := s.Timeline[len(s.Timeline)-1].Detail; got != c.want {
			t.Errorf("%+v is told as %q, want %q", c.push, got, c.want)
		}
	}
}

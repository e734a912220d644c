package octopush_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/countersign/countersign/internal/api/octopush"
	"github.com/countersign/countersign/internal/verify"
)

// missed counts the checks that find no OTP, where metrics count them.
type missed struct {
	octopush.OTPs

	n *atomic.Int32
}

func (m missed) Check(ctx context.Context, r verify.CheckRequest) (verify.Checked, error) {
	c, err := m.OTPs.Check(ctx, r)
	if errors.Is(err, verify.ErrNotFound) {
		m.n.Add(1)
	}
	return c, err
}

func TestEveryCheckThatFindsNoOTPIsCounted(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	h := startWith(t, options{
		settings: map[string]string{"octopush.recipient_ip": "if_present"},
		config:   func(c *octopush.Config) { c.OTPs = missed{c.OTPs, &n} },
	})
	s := h.send("")
	for i, body := range []string{
		`{"otp_request_token":"otp_000000000000000000000000","recipient_ip":"192.0.2.7","code":"1"}`,
		`{"otp_request_token":"otp_000000000000000000000000","code":"1"}`, // whose address would be looked up
		`{"otp_request_token":"otp_000000000000000000000000","phone_number":"+33612345678","code":"1"}`,
		`{"otp_request_token":"` + s.Token + `","phone_number":"+447400123456","code":"` + s.code + `"}`,
		`{"phone_number":"+447400123456","code":"1"}`,
	} {
		h.validate(body).wants(http.StatusBadRequest, 198)
		if got := int(n.Load()); got != i+1 {
			t.Fatalf("after %s: %d checks found nothing; want %d", body, got, i+1)
		}
	}
	if r := h.record(s.Token); r.Attempts != 0 {
		t.Errorf("%d attempts were counted", r.Attempts)
	}
	h.check(s.Token, s.code).right()
}

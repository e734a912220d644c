package octopush_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/admission"
	"github.com/countersign/countersign/internal/api/octopush"
	"github.com/countersign/countersign/internal/verify"
)

// failing is a service that fails with err, if there is one, where it would
// send, check, read or list.
type failing struct {
	octopush.OTPs

	err error
}

func (f *failing) Send(ctx context.Context, r verify.SendRequest) (verify.Record, error) {
	if f.err != nil {
		return verify.Record{}, f.err
	}
	return f.OTPs.Send(ctx, r)
}

func (f *failing) Check(ctx context.Context, r verify.CheckRequest) (verify.Checked, error) {
	if f.err != nil {
		return verify.Checked{}, f.err
	}
	return f.OTPs.Check(ctx, r)
}

func (f *failing) Get(ctx context.Context, r verify.Ref) (verify.Record, error) {
	if f.err != nil {
		return verify.Record{}, f.err
	}
	return f.OTPs.Get(ctx, r)
}

func (f *failing) List(ctx context.Context, q verify.ListQuery) ([]verify.Record, error) {
	if f.err != nil {
		return nil, f.err
	}
	return f.OTPs.List(ctx, q)
}

func TestFailuresOfTheServiceSayNothingOfTheirCause(t *testing.T) {
	t.Parallel()
	service := &failing{}
	h := startWith(t, options{config: func(c *octopush.Config) {
		service.OTPs = c.OTPs
		c.OTPs = service
	}})
	s := h.send("")
	cause := errors.New("the cause, which is nobody's business")
	for _, c := range []struct {
		err    error
		status int
		code   int
		retry  string
	}{
		{cause, 500, 125, ""},
		{&verify.Error{Kind: verify.Internal, Code: "internal", Err: cause}, 500, 125, ""},
		{&verify.Error{Kind: verify.Invalid, Err: cause}, 500, 125, ""},
		{&verify.Error{Kind: verify.Unavailable, RetryAfter: 1500 * time.Millisecond, Err: cause}, 503, 125, "2"},
		{&verify.Error{Kind: verify.OutcomeUnknown, Err: cause}, 503, 125, "1"},
		{&verify.Error{Kind: verify.Throttled, RetryAfter: 61 * time.Second, Err: cause}, 429, 128, "61"},
		{&verify.Error{Kind: verify.Mismatch, Err: cause}, 422, 100, ""},
		{&verify.Error{Kind: verify.Running, Err: cause}, 409, 100, ""},
		{verify.ErrOverloaded, 503, 125, "1"},
		{verify.ErrUnavailable, 503, 125, "5"},
		{context.DeadlineExceeded, 503, 125, "1"},
	} {
		service.err = c.err
		for _, a := range []reply{
			h.generate(`{"phone_number":"+33612345678"}`),
			h.check(s.Token, s.code),
			h.validate(`{"phone_number":"+33612345678","code":"` + s.code + `"}`),
			h.validate(`{"phone_number":"+33612345678","otp_request_token":"` + s.Token + `","code":"` + s.code + `"}`),
		} {
			a.wants(c.status, c.code)
			if got := a.header.Get("Retry-After"); got != c.retry || strings.Contains(a.body, "business") {
				t.Errorf("%v: %s, Retry-After %q; want %q", c.err, a.body, got, c.retry)
			}
		}
	}
	if log := h.log.String(); !strings.Contains(log, `route="PUT /v1/public/service/otp/validate"`) || !strings.Contains(log, "business") {
		t.Errorf("the log lacks the failure: %s", log)
	}
	service.err = nil
	h.check(s.Token, s.code).right()
}

// brokenAccounts cannot tell who calls.
type brokenAccounts struct{}

func (brokenAccounts) AuthenticateLogin(context.Context, string, string) (account.Identity, error) {
	return account.Identity{}, verify.ErrUnavailable
}

func TestAnAccountThatCannotBeReadIsNoWrongKey(t *testing.T) {
	t.Parallel()
	h := startWith(t, options{config: func(c *octopush.Config) { c.Accounts = brokenAccounts{} }})
	h.generate(`{"phone_number":"+33612345678"}`).wants(http.StatusServiceUnavailable, 125)
}

func TestAKeyThatCallsTooOftenIsToldToWait(t *testing.T) {
	t.Parallel()
	h := startWith(t, options{config: func(c *octopush.Config) {
		c.Admit = func(k account.Key) time.Duration {
			if k.ID == "ops" {
				return time.Minute
			}
			return 0
		}
	}})
	const body = `{"phone_number":"+33612345678"}`
	if a := h.generate(body).wants(http.StatusTooManyRequests, 128); a.header.Get("Retry-After") != "60" {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	h.generate(body, header{"api-key", "wrong"}).wants(http.StatusUnauthorized, 101)
	h.generate(body, header{"api-login", "other@example.org"}, header{"api-key", otherKey}).wants(http.StatusOK, 0)
}

func TestWhatWouldWaitTooLongIsRefusedUnread(t *testing.T) {
	t.Parallel()
	var full admission.Work
	h := startWith(t, options{config: func(c *octopush.Config) {
		c.Room = func(w admission.Work) error {
			if w == full {
				return verify.ErrOverloaded
			}
			return nil
		}
	}})
	full = admission.Send
	if a := h.generate(`{`).wants(http.StatusServiceUnavailable, 125); a.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	h.validate(`{`).wants(http.StatusBadRequest, 100)
	full = admission.Check
	h.validate(`{`).wants(http.StatusServiceUnavailable, 125)
	h.generate(`{`).wants(http.StatusBadRequest, 100)
}

func TestARepeatedGenerateIsAnsweredAsTheFirstAndSendsNothing(t *testing.T) {
	t.Parallel()
	h := startWith(t, options{settings: map[string]string{"octopush.recipient_ip": "if_present"}})
	once := header{"Idempotency-Key", "a-1"}
	const body = `{"phone_number":"+33612345678","recipient_ip":"192.0.2.7"}`
	s := h.sendBody(body, once)
	if again := h.generate(body, once); again.body != s.body {
		t.Errorf("answered %s, then %s", s.body, again.body)
	}
	h.generate(`{"phone_number":"+447400123456"}`, once).wants(http.StatusUnprocessableEntity, 100)
	h.validate(body, once).wants(http.StatusBadRequest, 195) // reads the body before anything is stored
	h.settle()
	if n := len(h.carrier.all()); n != 1 {
		t.Errorf("%d messages were sent; want 1", n)
	}
	for _, bad := range []string{"a b", "é", strings.Repeat("x", 256)} {
		h.generate(body, header{"Idempotency-Key", bad}).wants(http.StatusBadRequest, 100)
	}
}

func TestASimulationWithAnotherRequestsKeyIsRefusedAndKeepsNone(t *testing.T) {
	t.Parallel()
	h := start(t)
	once, other := header{"Idempotency-Key", "a-1"}, header{"Idempotency-Key", "a-2"}
	s := h.sendBody(`{"phone_number":"+33612345678"}`, once)
	simulation := `{"phone_number":"+33612345678","simulation_mode":true}`
	h.generate(simulation, once).wants(http.StatusUnprocessableEntity, 100)
	h.generate(simulation, other).wants(http.StatusOK, 0)
	h.generate(simulation).wants(http.StatusOK, 0)
	if again := h.sendBody(`{"phone_number":"+33612345678"}`, other); again.Token == s.Token {
		t.Errorf("the key of a simulation is answered as another: %s", again.body)
	}
}

func TestARepetitionIsAnsweredAsTheFirstThoughTheAccountsCountryIsAnother(t *testing.T) {
	t.Parallel()
	h := startWith(t, options{settings: map[string]string{"country": "FR"}})
	const national = `"phone_number":"0612345678"`
	once, checked, used := header{"Idempotency-Key", "a-1"}, header{"Idempotency-Key", "v-1"}, header{"Idempotency-Key", "v-2"}
	s := h.sendBody("{"+national+"}", once)
	byNumber := func(code string) string { return "{" + national + `,"code":"` + code + `"}` }
	byBoth := func(code string) string {
		return "{" + national + `,"otp_request_token":"` + s.Token + `","code":"` + code + `"}`
	}
	h.validate(byNumber(wrong(s.code)), checked).leaves(2)
	h.validate(byBoth(s.code), used).right()
	for _, country := range []string{"DE", ""} { // the last is none
		h.must(h.store.SetSettings(t.Context(), "ops", map[string]string{"country": country}))
		h.wall.Add(time.Second) // what is known of an account is asked for anew
		if again := h.generate("{"+national+"}", once).wants(http.StatusOK, 0); again.body != s.body {
			t.Errorf("country %q: answered %s, then %s", country, s.body, again.body)
		}
		h.validate(byNumber(wrong(s.code)), checked).leaves(2)
		h.validate(byBoth(s.code), used).right()
		h.validate(byNumber(s.code), checked).wants(http.StatusUnprocessableEntity, 100)
	}
	// What is no repetition is refused as without a key.
	fresh := header{"Idempotency-Key", "a-2"}
	h.generate("{"+national+"}", fresh).wants(http.StatusBadRequest, 150)
	h.validate(byNumber(s.code), fresh).wants(http.StatusBadRequest, 194)
	h.validate(byBoth(s.code), fresh).wants(http.StatusBadRequest, 198)
	h.settle()
	if n := len(h.carrier.all()); n != 1 {
		t.Errorf("%d messages were sent; want 1", n)
	}
}

func TestARepeatedValidateIsAnsweredAsTheFirstAndCountsOnce(t *testing.T) {
	t.Parallel()
	h := start(t)
	s := h.send("")
	body := func(code string) string { return `{"otp_request_token":"` + s.Token + `","code":"` + code + `"}` }
	for range 3 {
		h.validate(body(wrong(s.code)), header{"Idempotency-Key", "v-1"}).leaves(2)
	}
	h.validate(body(s.code), header{"Idempotency-Key", "v-1"}).wants(http.StatusUnprocessableEntity, 100)
	for range 3 {
		h.validate(body(s.code), header{"Idempotency-Key", "v-2"}).right()
	}
	h.validate(body(s.code)).wants(http.StatusBadRequest, 198)
}

func TestTooManyWrongCodesForANumberAreRefusedAcrossItsOTPs(t *testing.T) {
	t.Parallel()
	h := startWith(t, options{limited: true})
	for range 3 {
		s := h.send("")
		for left := 2; left >= 0; left-- {
			h.check(s.Token, wrong(s.code)).leaves(left)
		}
	}
	s := h.send("")
	h.check(s.Token, wrong(s.code)).leaves(2)
	a := h.check(s.Token, s.code).wants(http.StatusTooManyRequests, 128)
	if got := a.header.Get("Retry-After"); got != "3600" {
		t.Errorf("Retry-After %q; want 3600", got)
	}
	h.validate(`{"phone_number":"+33612345678","code":"1"}`).wants(http.StatusTooManyRequests, 128)
	h.check("otp_000000000000000000000000", "1").wants(http.StatusBadRequest, 198)
	h.wall.Add(time.Hour)
	h.check(s.Token, s.code).wants(http.StatusBadRequest, 197) // a final state answers as ever
}

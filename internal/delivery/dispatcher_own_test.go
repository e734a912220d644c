package delivery_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
)

// picky is a carrier a that refuses what the accounts of a list ask for, as
// their own doing, and takes everything else.
func picky(accounts ...string) *carrier {
	return &carrier{name: "a", answer: func(_ context.Context, m delivery.Message) delivery.Result {
		if slices.Contains(accounts, m.Account) {
			return delivery.Result{Class: delivery.Config, Own: true, Failure: otp.Failure{Area: delivery.AreaCarrier, Code: "sender"}}
		}
		return delivery.Result{Class: delivery.Accepted, Ref: m.Dedupe}
	}}
}

// accountFirst takes an OTP's account from its id, which is account-number.
func accountFirst(id string) string {
	account, _, _ := strings.Cut(id, "-")
	return account
}

// sending runs a dispatcher and returns what sends an OTP and waits until it is
// handed over, and where the log goes.
func sending(t *testing.T, r routes) (d *delivery.Dispatcher, m *memory, send func(id string), log *bytes.Buffer) {
	t.Helper()
	m, log = newMemory(), &bytes.Buffer{}
	m.account = accountFirst
	cfg := config(m, r)
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	d, stop := run(t, cfg)
	t.Cleanup(func() { _ = stop() })
	return d, m, func(id string) {
		m.send(id, someone(t), 5*time.Minute, sms())
		d.Wake()
		synctest.Wait()
	}, log
}

func TestWhatOneAccountAsksForClosesTheCarrierToNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := picky("odd")
		d, m, send, log := sending(t, routes{message.SMS: {a}})
		for _, id := range []string{"odd-1", "odd-2", "acme-1", "odd-3", "acme-2"} {
			send(id)
		}
		if s := circuitOf(t, d); s.Open || s.Operator || s.Why.Code != "sender" {
			t.Errorf("circuit = %+v; want it closed, the reason remembered", s)
		}
		want := []string{
			"SMS UNDELIVERABLE carrier::sender", "SMS UNDELIVERABLE carrier::sender", "SMS DISPATCHED", "SMS UNDELIVERABLE carrier::sender", "SMS DISPATCHED",
		}
		if got := m.told(); !slices.Equal(got, want) {
			t.Errorf("events %q; want %q", got, want)
		}
		const alarm = `msg="a carrier refuses what an account asks for" carrier=a account=odd code=sender`
		if n := strings.Count(log.String(), alarm); n != 1 {
			t.Errorf("the operator was told %d times, want once:\n%s", n, log)
		}
		time.Sleep(10 * time.Minute)
		send("odd-4")
		if n := strings.Count(log.String(), alarm); n != 2 {
			t.Errorf("the operator was told %d times after ten minutes more, want twice:\n%s", n, log)
		}
	})
}

func TestWhatOneAccountAsksForGoesToTheNextCarrier(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := picky("odd"), accepting("b")
		_, _, send, _ := sending(t, routes{message.SMS: {a, b}})
		send("odd-1")
		send("odd-2")
		send("acme-1")
		if got, want := b.refs(), []string{"odd-1/1", "odd-2/1"}; !slices.Equal(got, want) {
			t.Errorf("b got %v; want %v", got, want)
		}
		if got, want := a.refs(), []string{"odd-1/1", "odd-2/1", "acme-1/1"}; !slices.Equal(got, want) {
			t.Errorf("a got %v; want %v", got, want)
		}
	})
}

func TestWhatTwoAccountsAskForInARowMakesRoutesSkipTheCarrierWhereThereIsAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := picky("odd", "rum"), accepting("b")
		d, _, send, _ := sending(t, routes{message.SMS: {a, b}})
		send("odd-1")
		send("rum-1")
		if s := circuitOf(t, d); !s.Open || s.Operator {
			t.Errorf("circuit = %+v; want it open, and not closed for the operator", s)
		}
		send("acme-1")
		if a.asked() != 2 || !slices.Contains(b.refs(), "acme-1/1") {
			t.Errorf("a was asked %d times, b got %v; want the third at b at once", a.asked(), b.refs())
		}
		time.Sleep(time.Minute)
		send("acme-2") // the probe
		send("odd-2")
		if s := circuitOf(t, d); s.Open {
			t.Errorf("circuit = %+v; want it closed once a message was taken", s)
		}
	})
}

func TestACarrierWithoutAnAlternativeServesOthersThoughTwoAccountsAskForWhatItRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := picky("odd", "rum")
		_, m, send, _ := sending(t, routes{message.SMS: {a}})
		send("odd-1")
		send("rum-1")
		send("acme-1")
		want := []string{"SMS UNDELIVERABLE carrier::sender", "SMS UNDELIVERABLE carrier::sender", "SMS DISPATCHED"}
		if got := m.told(); !slices.Equal(got, want) {
			t.Errorf("events %q; want %q", got, want)
		}
	})
}

func TestAMessageTakenInBetweenShowsThatAccountsAreToBlame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := picky("odd", "rum"), accepting("b")
		d, _, send, _ := sending(t, routes{message.SMS: {a, b}})
		send("odd-1")
		send("acme-1")
		send("rum-1")
		if s := circuitOf(t, d); s.Open {
			t.Errorf("circuit = %+v; want it closed", s)
		}
	})
}

func TestARefusalBeforeTheCarrierWasAskedSaysNothingOfIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := answering("a",
			delivery.Result{Class: delivery.Config, Failure: otp.Failure{Code: "password"}},
			delivery.Result{Class: delivery.Permanent, Own: true, Failure: otp.Failure{Code: "segments"}},
		)
		d, _, send, log := sending(t, routes{message.SMS: {a}})
		send("acme-1")
		time.Sleep(time.Minute)
		send("acme-2") // the probe never reaches the carrier
		if s := circuitOf(t, d); !s.Open || !s.Operator || s.Why.Code != "password" {
			t.Errorf("circuit = %+v; want it still closed by the operator's matter", s)
		}
		if strings.Contains(log.String(), "a carrier works again") {
			t.Errorf("the log says that it works:\n%s", log)
		}
	})
}

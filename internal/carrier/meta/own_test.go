package meta_test

import (
	"net/http"
	"testing"

	"github.com/countersign/countersign/internal/carrier/meta"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/delivery"
)

func TestWhatAMessageBroughtAlongIsToldFromWhatTheCarrierLacks(t *testing.T) {
	t.Parallel()
	numbers := func(c *meta.Config) {
		c.Accounts[0].Numbers = map[string]string{business: phoneID, "4930999999": "9"}
		c.Accounts[0].Sender = business
	}
	accounts := func(c *meta.Config) {
		c.Accounts = append(c.Accounts, meta.Account{ID: "7", Numbers: map[string]string{"4930999999": "9"}})
	}
	tokens := func(c *meta.Config) {
		accounts(c)
		c.Accounts[0].Token, c.Token = c.Token, setting.NewSecret("of the other")
	}
	alone := func(*meta.Config) {}
	for _, s := range []struct {
		name          string
		change        func(*meta.Config)
		code, subcode int
		own           bool
	}{
		{"a template that does not exist", alone, 132001, 0, true},
		{"a parameter", alone, 100, 0, true},
		{"the only number is unknown", alone, 100, 33, false},
		{"one of several numbers is unknown", numbers, 100, 33, true},
		{"the only number's spam limit", alone, 131048, 0, false},
		{"the spam limit of one of several numbers", numbers, 131048, 0, true},
		{"the only account cannot pay", numbers, 131042, 0, false},
		{"one of several accounts cannot pay", accounts, 131042, 0, true},
		{"the token", accounts, 190, 0, false},
		{"the token of one of several accounts", tokens, 190, 0, true},
		{"a lost permission of the token", accounts, 200, 0, false},
	} {
		g := newGraph(t)
		cfg := config(g)
		s.change(&cfg)
		c := open(t, cfg, newDesk().deps())
		g.answer(refusal(http.StatusBadRequest, s.code, s.subcode))
		if r := c.Submit(t.Context(), text(t)); r.Class != delivery.Config || r.Own != s.own {
			t.Errorf("%s: Submit = %+v; want Config, the message's own: %t", s.name, r, s.own)
		}
	}
}

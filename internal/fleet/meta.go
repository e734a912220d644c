package fleet

import (
	"github.com/countersign/countersign/internal/carrier/meta"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/config"
)

func readMeta(r *config.Reader, name string) meta.Config {
	c := meta.Config{Name: name}
	r.Text("base_url", &c.BaseURL)
	r.Text("version", &c.Version)
	r.Secret("token", func(s string) { c.Token = setting.NewSecret(s) })
	r.Secret("app_secret", func(s string) { c.AppSecret = setting.NewSecret(s) })
	r.Secret("verify_token", func(s string) { c.VerifyToken = setting.NewSecret(s) })
	for _, s := range r.Sections("accounts", "account") {
		inner := s.Read()
		var a meta.Account
		inner.Text("id", &a.ID)
		inner.Texts("refs", &a.Refs)
		inner.Texts("api_accounts", &a.APIAccounts)
		inner.TextMap("numbers", &a.Numbers)
		inner.Text("sender", &a.Sender)
		inner.Bool("zero_tap_terms_accepted", &a.ZeroTapTermsAccepted)
		inner.Secret("token", func(s string) { a.Token = setting.NewSecret(s) })
		inner.Secret("app_secret", func(s string) { a.AppSecret = setting.NewSecret(s) })
		r.Add(inner.End())
		c.Accounts = append(c.Accounts, a)
	}
	r.Bool("no_callback_data", &c.NoCallbackData)
	r.TextMap("errors", &c.Errors)
	return c
}

func openMeta(c meta.Config, e env) (*meta.Carrier, error) {
	return meta.New(c, meta.Deps{ //nolint:wrapcheck // its caller finds the key
		Receive: e.receive, Log: e.log, Now: e.now, Version: e.version, ReceiptURL: e.receiptURL, Notes: e.notes, Changed: e.changed,
		Noticed: func(carrier string, n meta.Notice) { e.observer.Noticed(carrier, string(n)) },
	})
}

package main

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/server"
)

type accountCmd struct {
	Create  accountCreateCmd  `cmd:"" help:"Make an account."`
	List    accountListCmd    `cmd:"" help:"List accounts: name, state, time of creation."`
	Suspend accountSuspendCmd `cmd:"" help:"Refuse an account's keys."`
	Enable  accountEnableCmd  `cmd:"" help:"Accept an account's keys again."`
	Show    accountShowCmd    `cmd:"" help:"Show an account's settings, defaults included."`
	Set     accountSetCmd     `cmd:"" help:"Change an account's settings."`
}

type accountCreateCmd struct {
	Name string `arg:"" help:"[a-z0-9][a-z0-9_-]{0,62}, never changed."`
}

func (c accountCreateCmd) Run(e *environment) error {
	if !account.ValidName(c.Name) {
		return useError{"account name " + fmt.Sprintf("%q", c.Name) + "; expected [a-z0-9][a-z0-9_-]{0,62}"}
	}
	return e.withNew(func(d *server.Deployment) error {
		if err := d.Store.CreateAccount(e.ctx, account.Account{Name: c.Name, Created: d.Store.Now()}); err != nil {
			return fmt.Errorf("create account %s: %w", c.Name, err)
		}
		return e.say(c.Name)
	})
}

type accountListCmd struct{}

func (accountListCmd) Run(e *environment) error {
	return e.with(func(d *server.Deployment) error {
		all, err := d.Store.Accounts(e.ctx)
		if err != nil {
			return fmt.Errorf("list accounts: %w", err)
		}
		for _, a := range all {
			state := "active"
			if a.Suspended {
				state = "suspended"
			}
			if err := e.say(a.Name, state, stamp(a.Created)); err != nil {
				return err
			}
		}
		return nil
	})
}

// stamp writes a time as results show it, "-" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

type accountSuspendCmd struct {
	Name string `arg:""`
}

func (c accountSuspendCmd) Run(e *environment) error { return setSuspended(e, c.Name, true) }

type accountEnableCmd struct {
	Name string `arg:""`
}

func (c accountEnableCmd) Run(e *environment) error { return setSuspended(e, c.Name, false) }

func setSuspended(e *environment, name string, suspended bool) error {
	return e.with(func(d *server.Deployment) error {
		if err := d.Store.SetSuspended(e.ctx, name, suspended); err != nil {
			return fmt.Errorf("%s: %w", called(name), err)
		}
		return nil
	})
}

type accountShowCmd struct {
	Name string `arg:""`
}

func (c accountShowCmd) Run(e *environment) error {
	return e.with(func(d *server.Deployment) error {
		a, err := existing(e.ctx, d, c.Name)
		if err != nil {
			return err
		}
		all := server.AccountSettings()
		for _, s := range all {
			if err := e.say(s.Key + "=" + all.Of(a, s.Key)); err != nil {
				return err
			}
		}
		return nil
	})
}

type accountSetCmd struct {
	Name     string   `arg:""`
	Settings []string `arg:"" name:"key=value" help:"Settings to change; KEY= restores a default."`
}

func (c accountSetCmd) Run(e *environment) error {
	changes := map[string]string{}
	for i, s := range c.Settings {
		key, value, ok := strings.Cut(s, "=")
		if !ok {
			return useError{"setting " + strconv.Itoa(i+1) + " is none; expected KEY=VALUE"}
		}
		if err := server.AccountSettings().Validate(key, value); err != nil {
			return err
		}
		changes[key] = value
	}
	return e.with(func(d *server.Deployment) error {
		if err := d.Store.SetSettings(e.ctx, c.Name, changes); err != nil {
			return fmt.Errorf("%s: %w", called(c.Name), err)
		}
		return nil
	})
}

type keyCmd struct {
	Create keyCreateCmd `cmd:"" help:"Make an API key and print it, once."`
	List   keyListCmd   `cmd:"" help:"List keys: id, account, state, login, name, time of creation."`
	Revoke keyRevokeCmd `cmd:"" help:"Refuse a key from now on."`
}

type keyCreateCmd struct {
	Account  string `required:"" placeholder:"NAME" help:"Whose key."`
	Login    string `placeholder:"LOGIN" help:"Login paired with the key, where an API wants one."`
	Name     string `placeholder:"N" help:"A note for operators."`
	Throttle bool   `help:"Allow 100 calls in 60 s."`
}

func (c keyCreateCmd) Run(e *environment) error {
	if strings.ContainsFunc(c.Name, unicode.IsControl) || !utf8.ValidString(c.Name) { // key list prints it
		return useError{"--name holds control characters; expected plain text"}
	}
	return e.with(func(d *server.Deployment) error {
		secret, key, err := account.NewKey(rand.Reader, account.Key{
			Account: c.Account, Name: c.Name, Login: c.Login, Throttle: c.Throttle, Created: d.Store.Now(),
		})
		if err != nil {
			return fmt.Errorf("make key: %w", err)
		}
		if err := d.Store.CreateKey(e.ctx, key); err != nil {
			return fmt.Errorf("create key of %s: %w", called(c.Account), err)
		}
		if err := e.say(secret.Reveal()); err != nil {
			return fmt.Errorf("the key was made, but nobody has seen it; countersign key revoke %s ends it: print it: %w", key.ID, err)
		}
		return nil
	})
}

type keyListCmd struct {
	Account *string `placeholder:"NAME" help:"Only this account's keys."`
}

func (c keyListCmd) Run(e *environment) error {
	only, err := named("--account", c.Account)
	if err != nil {
		return err
	}
	return e.with(func(d *server.Deployment) error {
		if only != "" {
			if _, err := existing(e.ctx, d, only); err != nil {
				return err
			}
		}
		keys, err := d.Store.Keys(e.ctx, only)
		if err != nil {
			return fmt.Errorf("list keys: %w", err)
		}
		for _, k := range keys {
			state := "active"
			switch {
			case !k.Revoked.IsZero():
				state = "revoked"
			case !k.Usable(d.Store.Now()):
				state = "expired"
			}
			if err := e.say(k.ID, k.Account, state, dash(k.Login), dash(k.Name), stamp(k.Created)); err != nil {
				return err
			}
		}
		return nil
	})
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

type keyRevokeCmd struct {
	ID string `arg:"" help:"As key list prints it."`
}

func (c keyRevokeCmd) Run(e *environment) error {
	return e.with(func(d *server.Deployment) error {
		if err := d.Store.RevokeKey(e.ctx, c.ID); err != nil {
			return fmt.Errorf("revoke the key of this id: %w", err) // ID may be a key that somebody chose
		}
		return nil
	})
}

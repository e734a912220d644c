package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/countersign/countersign/internal/server"
)

type callbackCmd struct {
	List   callbackListCmd   `cmd:"" help:"List callbacks that wait and dead letters: id, state, account, configuration, OTP, event, attempts, next attempt, last answer."`
	Replay callbackReplayCmd `cmd:"" help:"Post a dead letter again."`
	Secret callbackSecretCmd `cmd:"" help:"Print the signing secret of a callback configuration."`
}

// maxLetters bounds the list; what is beyond it is said to be missing.
const maxLetters = 100_000

type callbackListCmd struct {
	Dead    bool    `help:"Dead letters only."`
	Account *string `placeholder:"NAME" help:"Only this account's."`
}

func (c callbackListCmd) Run(e *environment) error {
	only, err := named("--account", c.Account)
	if err != nil {
		return err
	}
	return e.with(func(d *server.Deployment) error {
		letters, err := d.Store.Letters(e.ctx, only, c.Dead, maxLetters+1)
		if err != nil {
			return fmt.Errorf("list callbacks: %w", err)
		}
		if len(letters) > maxLetters {
			letters = letters[:maxLetters]
			defer fmt.Fprintf(e.err, "there are more than these %d\n", maxLetters)
		}
		for _, l := range letters {
			state, last := "waiting", l.LastProblem
			if l.Dead {
				state = "dead"
			}
			if l.LastStatus != 0 {
				last = strconv.Itoa(l.LastStatus)
			}
			if err := e.say(l.ID, state, l.Account, l.ConfigID, l.OTPID, l.Kind.String(), strconv.Itoa(l.Attempts), stamp(l.Due), dash(last)); err != nil {
				return err
			}
		}
		return nil
	})
}

type callbackReplayCmd struct {
	ID string `arg:"" help:"As callback list prints it, or the webhook-id."`
}

func (c callbackReplayCmd) Run(e *environment) error {
	return e.with(func(d *server.Deployment) error {
		if err := d.Store.Replay(e.ctx, strings.TrimPrefix(c.ID, "msg_")); err != nil {
			return fmt.Errorf("replay the callback of this id: %w", err)
		}
		return nil
	})
}

type callbackSecretCmd struct {
	ID     string `arg:"" help:"Id of the callback configuration."`
	Rotate bool   `help:"Make a new secret first; the one before signs too for 24 h."`
}

func (c callbackSecretCmd) Run(e *environment) error {
	return e.with(func(d *server.Deployment) error {
		find := d.Catalog().CallbackSecret
		if c.Rotate {
			find = d.Catalog().RotateCallbackSecret
		}
		signing, err := find(e.ctx, strings.ToLower(c.ID))
		if err != nil {
			return fmt.Errorf("the configuration of this id: %w", err)
		}
		return e.say(signing.Secret.Reveal())
	})
}

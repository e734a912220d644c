package main

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/server"
)

type limitCmd struct {
	Clear limitClearCmd `cmd:"" help:"Forget what limits remember of a recipient; audited."`
}

type limitClearCmd struct {
	Account string `required:"" placeholder:"NAME" help:"Whose recipient."`
	To      string `required:"" placeholder:"NUMBER|ADDRESS" help:"The recipient."`
}

func (c limitClearCmd) Run(e *environment) error {
	to, err := recipient(c.To)
	if err != nil {
		return err
	}
	return e.with(func(d *server.Deployment) error {
		if err := d.Indexed(); err != nil {
			return err
		}
		if _, err := existing(e.ctx, d, c.Account); err != nil {
			return err
		}
		key := d.RecipientKey(c.Account, to)
		err := d.Audit().Append(e.ctx, audit.Entry{
			Action: audit.ActionClearLimit, Actor: actor(), Account: c.Account, Subject: hex.EncodeToString(key[:]),
		})
		if err != nil {
			return err
		}
		had, err := d.Store.ClearLimits(e.ctx, c.Account, key)
		if err != nil {
			return err
		}
		if !had {
			return e.say("nothing was counted")
		}
		return e.say("cleared")
	})
}

type eraseCmd struct {
	To      string  `required:"" placeholder:"NUMBER|ADDRESS" help:"The recipient."`
	Account *string `placeholder:"NAME" help:"Only what this account sent."`
}

func (c eraseCmd) Run(e *environment) error {
	to, err := recipient(c.To)
	if err != nil {
		return err
	}
	only, err := named("--account", c.Account)
	if err != nil {
		return err
	}
	return e.with(func(d *server.Deployment) error {
		if err := d.Indexed(); err != nil {
			return err
		}
		names := []string{only}
		if only == "" {
			all, err := d.Store.Accounts(e.ctx)
			if err != nil {
				return fmt.Errorf("list accounts: %w", err)
			}
			names = names[:0]
			for _, a := range all {
				names = append(names, a.Name)
			}
		} else if _, err := existing(e.ctx, d, only); err != nil {
			return err
		}
		keys := map[string][16]byte{}
		for _, name := range names {
			key := d.RecipientKey(name, to)
			keys[name] = key
			err := d.Audit().Append(e.ctx, audit.Entry{
				Action: audit.ActionErase, Actor: actor(), Account: name, Subject: hex.EncodeToString(key[:]),
			})
			if err != nil {
				return err
			}
		}
		n, err := d.Store.EraseRecipient(e.ctx, keys)
		if err != nil {
			return fmt.Errorf("erase: %w", err)
		}
		inbox := sandbox.NewInbox(d.Store, d.Keys, d.Log) // there may be messages though the sandbox is off now
		orders := sandbox.NewOrders(d.Store, d.Keys, d.Log)
		for _, name := range names {
			if _, err := inbox.Erase(e.ctx, name, to); err != nil {
				return fmt.Errorf("erase sandbox messages: %w", err)
			}
			if err := orders.Put(e.ctx, name, inbox.KeyOf(to), sandbox.NoOrder); err != nil {
				return fmt.Errorf("erase sandbox orders: %w", err)
			}
		}
		return e.say("erased " + strconv.Itoa(n))
	})
}

type inboxCmd struct {
	To     *string `placeholder:"NUMBER|ADDRESS" help:"Only what this recipient got."`
	Follow bool    `help:"Show the newest 50 and go on with what comes, until interrupted."`
}

// How inbox reads, and how often it looks for more.
const (
	inboxFollows = 50 // of what was there before
	inboxBatch   = 200
	inboxEvery   = 300 * time.Millisecond
)

func (c inboxCmd) Run(e *environment) error {
	q := sandbox.Query{OldestFirst: true, Limit: inboxBatch}
	given, err := named("--to", c.To)
	if err != nil {
		return err
	}
	if given != "" {
		if q.To, err = recipient(given); err != nil {
			return err
		}
	}
	return e.with(func(d *server.Deployment) error {
		box := d.Sandbox()
		if box.Inbox == nil {
			return useError{"there is no sandbox; expected COUNTERSIGN_SANDBOX other than off, and on beside real carriers"}
		}
		if c.Follow {
			newest, err := box.Inbox.Read(e.ctx, sandbox.Query{To: q.To, Limit: inboxFollows})
			if err != nil {
				return err
			}
			slices.Reverse(newest.Messages)
			if err := e.sayBatch(newest, &q); err != nil {
				return err
			}
		}
		for {
			batch, err := box.Inbox.Read(e.ctx, q)
			if err != nil {
				if e.ctx.Err() != nil {
					return nil //nolint:nilerr // it was interrupted, as it says
				}
				return err
			}
			if err := e.sayBatch(batch, &q); err != nil {
				return err
			}
			if batch.More {
				continue
			}
			if !c.Follow {
				return nil
			}
			select {
			case <-e.ctx.Done():
				return nil
			case <-time.After(inboxEvery):
			}
		}
	})
}

// sayBatch prints messages and lets q go on after all that was read.
func (e *environment) sayBatch(b sandbox.Batch, q *sandbox.Query) error {
	q.After = b.Last
	for _, m := range b.Messages {
		if err := e.sayMessage(m); err != nil {
			return err
		}
	}
	return nil
}

// sayMessage prints a message on one line.
func (e *environment) sayMessage(m sandbox.Message) error {
	text := strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ", "\t", " ").Replace(m.Text.Reveal())
	return e.say(stamp(m.Created), m.Account, string(m.Channel), m.To.Reveal(), dash(m.From), text)
}

package main

import (
	"errors"
	"fmt"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/fleet"
	"github.com/countersign/countersign/internal/server"
)

type consoleCmd struct {
	Invite consoleInviteCmd `cmd:"" help:"Print a one-time link that lets somebody into the console."`
	Users  consoleUsersCmd  `cmd:"" help:"List who signs in with a password: id, account, role, name, time of creation."`
	Remove consoleRemoveCmd `cmd:"" help:"Remove a user and end its sessions."`
}

type consoleInviteCmd struct {
	Account string `required:"" placeholder:"NAME" help:"Whose console."`
	Role    string `required:"" enum:"owner,support" placeholder:"owner|support" help:"owner changes things; support reads, with numbers masked."`
}

func (c consoleInviteCmd) Run(e *environment) error {
	return e.with(func(d *server.Deployment) error {
		doors := consoleDoors(d)
		token, err := doors.Invite(e.ctx, actor(), c.Account, access.Role(c.Role), access.InviteLife)
		if err != nil {
			return fmt.Errorf("invite to account %s: %w", c.Account, err)
		}
		return e.say(d.ConsoleLink(d.Config.Listen, token))
	})
}

// consoleDoors lets people into the console, as the server of the same settings
// would.
func consoleDoors(d *server.Deployment) *access.Service {
	return d.Access(func() bool { return d.Sandbox().Inbox != nil && !fleet.Real(d.Config.Carriers) })
}

type consoleUsersCmd struct {
	Account *string `placeholder:"NAME" help:"Only this account's."`
}

func (c consoleUsersCmd) Run(e *environment) error {
	only, err := named("--account", c.Account)
	if err != nil {
		return err
	}
	return e.with(func(d *server.Deployment) error {
		accounts, err := e.accounts(d, only)
		if err != nil {
			return err
		}
		for _, a := range accounts {
			users, err := d.Store.Users(e.ctx, a.Name)
			if err != nil {
				return fmt.Errorf("list console users: %w", err)
			}
			for _, u := range users {
				if err := e.say(u.ID, u.Account, string(u.Role), u.Name, stamp(u.Created)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// accounts are the one of that name, or all of them with "".
func (e *environment) accounts(d *server.Deployment, only string) ([]account.Account, error) {
	if only != "" {
		one, err := existing(e.ctx, d, only)
		return []account.Account{one}, err
	}
	all, err := d.Store.Accounts(e.ctx)
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	return all, nil
}

type consoleRemoveCmd struct {
	ID string `arg:"" help:"As console users prints it."`
}

// errNoUser: no account has the user.
var errNoUser = errors.New("no such console user")

func (c consoleRemoveCmd) Run(e *environment) error {
	return e.with(func(d *server.Deployment) error {
		accounts, err := d.Store.Accounts(e.ctx)
		if err != nil {
			return fmt.Errorf("list accounts: %w", err)
		}
		for _, a := range accounts {
			err := consoleDoors(d).Remove(e.ctx, actor(), a.Name, c.ID)
			if err == nil || !errors.Is(err, access.ErrNotFound) {
				return err
			}
		}
		return fmt.Errorf("%s: %w", c.ID, errNoUser)
	})
}

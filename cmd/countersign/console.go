package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
			return fmt.Errorf("invite to %s: %w", called(c.Account), err)
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
		users, err := consoleUsers(e.ctx, d, only)
		if err != nil {
			return err
		}
		for _, u := range users {
			if err := e.say(u.ID, u.Account, string(u.Role), u.Name, stamp(u.Created)); err != nil {
				return err
			}
		}
		return nil
	})
}

// consoleUsers are the users of the account of that name, or of all with "": of
// these in one query, as there may be thousands of accounts.
func consoleUsers(ctx context.Context, d *server.Deployment, only string) (users []access.User, err error) {
	if only == "" {
		users, err = d.Store.AllUsers(ctx)
	} else {
		if _, err := existing(ctx, d, only); err != nil {
			return nil, err
		}
		users, err = d.Store.Users(ctx, only)
	}
	if err != nil {
		return nil, fmt.Errorf("list console users: %w", err)
	}
	return users, nil
}

type consoleRemoveCmd struct {
	ID string `arg:"" help:"As console users prints it."`
}

// errNoUser: no account has the user.
var errNoUser = errors.New("no such console user")

func (c consoleRemoveCmd) Run(e *environment) error {
	return e.with(func(d *server.Deployment) error {
		users, err := consoleUsers(e.ctx, d, "")
		if err != nil {
			return err
		}
		i := slices.IndexFunc(users, func(u access.User) bool { return u.ID == c.ID })
		if i < 0 {
			return errNoUser
		}
		err = consoleDoors(d).Remove(e.ctx, actor(), users[i].Account, c.ID)
		if errors.Is(err, access.ErrNotFound) { // it was removed meanwhile
			return errNoUser
		}
		return err
	})
}

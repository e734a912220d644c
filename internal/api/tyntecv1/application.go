package tyntecv1

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/api/wire"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/otp"
)

// defaultName names the default application in paths and in Send.
const defaultName = "default"

// newApplication returns an application as it is created (contract v1 §2.5).
func (f *facade) newApplication() (catalog.Application, error) {
	id, err := f.Catalog.NewID()
	if err != nil {
		return catalog.Application{}, fmt.Errorf("new application: %w", err)
	}
	return catalog.Application{
		ID: id, CodeLength: 4, Attempts: 3, Life: 300 * time.Second, Sender: "VERIFY",
		Texts: map[string]string{english: "OTP code: {{OTP}}. Valid for {{SEC}} seconds."},
	}, nil
}

// ensureDefault returns the account's default application, which comes to be
// when it is first needed.
func (f *facade) ensureDefault(ctx context.Context, account string) (catalog.Application, error) {
	a, err := f.newApplication()
	if err != nil {
		return catalog.Application{}, err
	}
	a.Name = defaultName
	if a, err = f.Catalog.EnsureDefaultApplication(ctx, account, a); err != nil {
		return catalog.Application{}, fmt.Errorf("default application: %w", err)
	}
	return a, nil
}

// applicationOf returns what an OTP is sent with: the application of an id or
// numeric alias; the default one for "", 0 and the word. It is errApplication if
// there is none. It is asked at every Send and Check, so it asks the database
// only where what is remembered does not do.
func (f *facade) applicationOf(ctx context.Context, account, name string) (catalog.Application, error) {
	if n, err := strconv.ParseUint(name, 10, 64); err == nil && n == 0 {
		name = defaultName // what a flow sends that leaves an integer blank
	}
	if name == "" {
		name = defaultName
	}
	known, err := f.Catalog.KnownApplications(ctx, account)
	if err != nil {
		return catalog.Application{}, fmt.Errorf("known applications: %w", err)
	}
	if i := slices.IndexFunc(known, called(name)); i >= 0 {
		return known[i], nil
	}
	return f.application(ctx, account, name)
}

// application returns the application of an id, a numeric alias or the word
// default as it is in the database; errApplication if there is none.
func (f *facade) application(ctx context.Context, account, name string) (catalog.Application, error) {
	id, ok := wire.CanonicalID(name)
	if !ok {
		all, err := f.applications(ctx, account)
		if err != nil {
			return catalog.Application{}, err
		}
		return named(all, name)
	}
	if a, err := f.ensureDefault(ctx, account); err != nil || a.ID == id {
		return a, err
	}
	a, err := f.Catalog.Application(ctx, account, id)
	if errors.Is(err, catalog.ErrNotFound) {
		return catalog.Application{}, errApplication
	}
	if err != nil {
		return catalog.Application{}, fmt.Errorf("read application: %w", err)
	}
	return a, nil
}

// named returns the application that name names, errApplication if none does.
func named(all []catalog.Application, name string) (catalog.Application, error) {
	i := slices.IndexFunc(all, called(name))
	if i < 0 {
		return catalog.Application{}, errApplication
	}
	return all[i], nil
}

// applications lists the account's applications; there is always one.
func (f *facade) applications(ctx context.Context, account string) ([]catalog.Application, error) {
	if _, err := f.ensureDefault(ctx, account); err != nil {
		return nil, err
	}
	all, err := f.Catalog.Applications(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("list applications: %w", err)
	}
	return all, nil
}

// called tells the application that name names.
func called(name string) func(catalog.Application) bool {
	if strings.EqualFold(name, defaultName) {
		return func(a catalog.Application) bool { return a.Default }
	}
	if id, ok := wire.CanonicalID(name); ok {
		return func(a catalog.Application) bool { return a.ID == id }
	}
	alias, err := strconv.ParseInt(name, 10, 64)
	return func(a catalog.Application) bool {
		return err == nil && otp.AllDigits(name) && alias > 0 && a.Alias == alias
	}
}

// listApplications is contract v1 §3.7.
func (f *facade) listApplications(ctx context.Context, c *call) (reply, error) {
	all, err := f.applications(ctx, c.account.Name)
	if err != nil {
		return reply{}, err
	}
	list := make([]applicationEntity, len(all))
	for i, a := range all {
		list[i] = applicationEntityOf(c.account.Name, a)
	}
	return reply{status: http.StatusOK, body: list}, nil
}

func (c *call) application(a catalog.Application) reply {
	return reply{status: http.StatusOK, body: applicationEntityOf(c.account.Name, a)}
}

// settle sets in a what the parameters say; the first that is not acceptable,
// in the order of contract v1 §3.8, is the error. others are the account's
// applications.
func (p params) settle(a *catalog.Application, alphanumeric string, others []catalog.Application) (err error) {
	if name, ok := p["name"]; ok {
		switch {
		case a.Default:
			return errRename
		case strings.EqualFold(strings.TrimSpace(name), defaultName):
			return errReserved
		case !fits(name, maxName):
			return errName
		case slices.ContainsFunc(others, func(o catalog.Application) bool { return o.Name == name && o.ID != a.ID }):
			return errNameTaken
		}
		a.Name = name
	}
	if a.CodeLength, err = p.integer("pinLength", a.CodeLength, minPIN, maxPIN, errPINLength); err != nil {
		return err
	}
	if a.Alphanumeric, err = p.boolean(alphanumeric, a.Alphanumeric); err != nil {
		return err
	}
	if a.Attempts, err = p.integer("attempts", a.Attempts, minAttempts, maxAttempts, errAttempts); err != nil {
		return err
	}
	seconds, err := p.integer("expire", int(a.Life/time.Second), minExpire, maxExpire, errExpire)
	if err != nil {
		return err
	}
	a.Life = time.Duration(seconds) * time.Second
	if a.Sender, err = p.matching("sender", a.Sender, senderForm, errSender); err != nil {
		return err
	}
	if a.Caller, err = p.matching("caller", a.Caller, callerForm, errCaller); err != nil {
		return err
	}
	anonymous, err := p.boolean("deleteCaller", false)
	if anonymous {
		a.Caller = ""
	}
	return err
}

// maxNameless is how many applications without a name of their own can be
// created in one millisecond.
const maxNameless = 100

// createApplication is contract v1 §3.8.
func (f *facade) createApplication(ctx context.Context, c *call) (reply, error) {
	a, err := f.newApplication()
	if err != nil {
		return reply{}, err
	}
	others, err := f.Catalog.Applications(ctx, c.account.Name)
	if err != nil {
		return reply{}, fmt.Errorf("list applications: %w", err)
	}
	if err := c.params.settle(&a, "alphanumeric", others); err != nil {
		return reply{}, err
	}
	a.Created = f.Now().UTC().Truncate(time.Millisecond)
	if _, err := f.ensureDefault(ctx, c.account.Name); err != nil {
		return reply{}, err // it is the oldest
	}
	hasName := a.Name != ""
	for range maxNameless {
		if !hasName {
			a.Name = "App-" + strconv.FormatInt(a.Created.UnixMilli(), 10)
		}
		err = f.Catalog.CreateApplication(ctx, c.account.Name, a)
		if hasName || !errors.Is(err, catalog.ErrNameTaken) {
			break
		}
		a.Created = a.Created.Add(time.Millisecond)
	}
	if err != nil {
		return reply{}, fmt.Errorf("create application: %w", err)
	}
	return c.application(a), nil
}

// readApplication is contract v1 §3.9.
func (f *facade) readApplication(ctx context.Context, c *call) (reply, error) {
	a, err := f.application(ctx, c.account.Name, c.id)
	if err != nil {
		return reply{}, err
	}
	return c.application(a), nil
}

// editApplication is contract v1 §3.10.
func (f *facade) editApplication(ctx context.Context, c *call) (reply, error) {
	return f.change(ctx, c, func(a *catalog.Application, all []catalog.Application) error {
		return c.params.settle(a, "alphaNumeric", all)
	})
}

// change applies a change to the path's application, unless there is nothing
// to change; an error of apply, which is also told all the account's
// applications, changes nothing.
func (f *facade) change(ctx context.Context, c *call, apply func(_ *catalog.Application, all []catalog.Application) error) (reply, error) {
	all, err := f.applications(ctx, c.account.Name)
	if err != nil {
		return reply{}, err
	}
	a, err := named(all, c.id)
	if err != nil {
		return reply{}, err
	}
	if len(c.params) == 0 {
		return c.application(a), nil
	}
	var changed catalog.Application // read only if the update returned no error: else it may still be running
	err = f.Catalog.UpdateApplication(ctx, c.account.Name, a.ID, func(a catalog.Application) (catalog.Application, error) {
		err := apply(&a, all)
		changed = a
		return a, err
	})
	if err != nil {
		return reply{}, fmt.Errorf("change application: %w", err)
	}
	return c.application(changed), nil
}

// deleteApplication is contract v1 §3.11.
func (f *facade) deleteApplication(ctx context.Context, c *call) (reply, error) {
	a, err := f.application(ctx, c.account.Name, c.id)
	if err != nil {
		return reply{}, err
	}
	if a.Default {
		return reply{}, errKeepDefault
	}
	if a, err = f.Catalog.DeleteApplication(ctx, c.account.Name, a.ID); err != nil {
		return reply{}, fmt.Errorf("delete application: %w", err)
	}
	return c.application(a), nil
}

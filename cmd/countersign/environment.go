package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/fleet"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/server"
)

// fileVariable names the settings file where no flag does.
const fileVariable = "COUNTERSIGN_CONFIG"

// environment is what every command gets.
type environment struct {
	streams

	ctx     context.Context //nolint:containedctx // lives as long as the one command that is run
	environ []string
	file    string
	flags   config.Flags
	queue   *logQueue // what err is since it was queued; nil before
}

// queued lets nothing wait for good for standard error from now on.
func (e *environment) queued(c config.Config) *slog.Logger {
	straight := e.err
	told := &failing{to: straight}
	lines := newLog(told, c, terminal(straight))
	e.queue = newLogQueue(straight, func(lost int) error {
		told.err = nil
		lines.WarnContext(e.ctx, "lines of this log were dropped, as they could not be written", slog.Int("lines", lost))
		return told.err
	})
	e.err = e.queue
	return newLog(e.err, c, terminal(straight))
}

// close ends what the environment began.
func (e *environment) close() {
	if e.queue != nil {
		e.queue.close()
	}
}

// load reads the settings and makes the log that they ask for.
func (e *environment) load() (config.Config, *slog.Logger, error) {
	return e.loadFrom(config.Sources{})
}

// loadKeyless is load for a command that finds the root key elsewhere where the
// settings have none.
func (e *environment) loadKeyless() (config.Config, *slog.Logger, error) {
	return e.loadFrom(config.Sources{Keyless: true})
}

func (e *environment) loadFrom(from config.Sources) (config.Config, *slog.Logger, error) {
	from.File, from.Environ, from.Flags = e.file, e.environ, e.flags
	for _, v := range e.environ {
		if value, ok := strings.CutPrefix(v, fileVariable+"="); ok && from.File == "" {
			from.File = value
		}
	}
	alone := strings.TrimRight(from.File, "\r\n")
	if strings.ContainsAny(alone, "\r\n") { // what is in a settings file may be secret
		return config.Config{}, nil, useError{"--config or " + fileVariable + " holds settings; expected the path of their file"}
	}
	if from.File != alone {
		return config.Config{}, nil, useError{"--config or " + fileVariable + " ends with a line break; expected the path of a file alone"}
	}
	c, err := config.Load(from)
	if err != nil {
		return config.Config{}, nil, err
	}
	return c, newLog(e.err, c, terminal(e.err)), nil
}

// newLog returns a log in the form that c asks for. terminal says whether people
// read it as it comes.
func newLog(w io.Writer, c config.Config, terminal bool) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == config.LogText || c.LogFormat == config.LogAuto && terminal {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// with opens the deployment of the settings, which has to be there, runs do and
// closes it.
func (e *environment) with(do func(*server.Deployment) error) error {
	return e.opened(server.Options{Existing: true}, do)
}

// withNew is with, but makes the deployment if it does not exist.
func (e *environment) withNew(do func(*server.Deployment) error) error {
	return e.opened(server.Options{}, do)
}

func (e *environment) opened(o server.Options, do func(*server.Deployment) error) error {
	o.Beside = true
	c, log, err := e.load()
	if err != nil {
		return err
	}
	d, err := server.Open(e.ctx, c, log, o)
	if err != nil {
		return err
	}
	return errors.Join(do(d), d.CloseWithin(e.ctx))
}

// withCarriers is withNew for what looks at the carriers, which may be before the
// first start. What is wrong with them is said before a database is made.
func (e *environment) withCarriers(do func(*fleet.Fleet) error) error {
	c, log, err := e.load()
	if err != nil {
		return err
	}
	if err := server.CheckCarriers(c, log); err != nil {
		return err
	}
	return e.withNew(func(d *server.Deployment) error {
		f, err := d.Carriers()
		if err != nil {
			return err
		}
		return do(f)
	})
}

// say prints a line of results, its fields separated by tabs.
func (e *environment) say(fields ...string) error {
	_, err := fmt.Fprintln(e.out, strings.Join(fields, "\t"))
	return err
}

// named is what an optional name says, "" where it was not given. One that is
// given and empty was asked for too, and a script lost it: without it the command
// would mean everything.
func named(what string, name *string) (string, error) {
	if name == nil {
		return "", nil
	}
	if *name == "" {
		return "", useError{what + " is empty; expected a value, or to be left out"}
	}
	return *name, nil
}

// existing returns the account, or an error that says which is not there.
func existing(ctx context.Context, d *server.Deployment, name string) (account.Account, error) {
	a, err := d.Store.Account(ctx, name)
	if err != nil {
		return account.Account{}, fmt.Errorf("%s: %w", called(name), err)
	}
	return a, nil
}

// recipient reads a number or an e-mail address.
func recipient(text string) (phone.Recipient, error) {
	if strings.Contains(text, "@") {
		a, err := phone.ParseAddress(text)
		if err != nil {
			return phone.Recipient{}, useError{"--to is no e-mail address; expected one such as user@example.com"}
		}
		return a.Recipient(), nil
	}
	n, err := phone.Syntax(text)
	if err != nil {
		return phone.Recipient{}, useError{"--to is no phone number; expected one in international form such as +4915112345678, or an e-mail address"}
	}
	return n.Recipient(), nil
}

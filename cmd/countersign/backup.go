package main

import (
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/server"
)

type backupCmd struct {
	Out string `required:"" placeholder:"FILE" help:"A new file. The key file is not in it."`
}

func (c backupCmd) Run(e *environment) error {
	path, err := filepath.Abs(c.Out)
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	return e.with(func(d *server.Deployment) error {
		if err := d.CheckBackup(path); err != nil { // before the list says that there is one
			return err
		}
		if err := d.Audit().Append(e.ctx, audit.Entry{Action: audit.ActionBackup, Actor: actor()}); err != nil {
			return err
		}
		if err := d.Backup(e.ctx, path); err != nil {
			return err
		}
		return e.say(path)
	})
}

type restoreCmd struct {
	From string `required:"" placeholder:"FILE" help:"What backup made."`
}

func (c restoreCmd) Run(e *environment) error {
	settings, log, err := e.load()
	if err != nil {
		return err
	}
	keyed, err := server.Restore(e.ctx, settings, c.From, server.Options{}, log)
	if err != nil {
		return err
	}
	if !keyed {
		return e.say("restored and quarantined; put the secret.key of this backup into " + settings.DataDir + " before the start")
	}
	// The list is in the database that restore makes, so it is told only then; the
	// quarantine holds until somebody, who is in the list, ends it.
	err = e.with(func(d *server.Deployment) error {
		return d.Audit().Append(e.ctx, audit.Entry{Action: audit.ActionRestore, Actor: actor()})
	})
	if err != nil {
		return err
	}
	return e.say("restored and quarantined; countersign quarantine release ends that")
}

type quarantineCmd struct {
	Do string `arg:"" optional:"" enum:"on,release," default:"" help:"on: send nothing, post no callback and accept no code until release. Nothing: say which."`
}

func (c quarantineCmd) Run(e *environment) error {
	return e.with(func(d *server.Deployment) error {
		switch c.Do {
		case "on":
			if err := d.Audit().Append(e.ctx, audit.Entry{Action: audit.ActionQuarantine, Actor: actor()}); err != nil {
				return err
			}
			if err := d.Store.BeginQuarantine(e.ctx); err != nil {
				return err
			}
		case "release":
			if err := d.Audit().Append(e.ctx, audit.Entry{Action: audit.ActionRelease, Actor: actor()}); err != nil {
				return err
			}
			open, err := d.Store.EndQuarantine(e.ctx)
			if err != nil {
				return err
			}
			if _, err := d.Store.ExpireOTPs(e.ctx); err != nil {
				return fmt.Errorf("end open one-time passwords: %w", err)
			}
			return e.say("off", "ended "+strconv.Itoa(open))
		}
		since, err := d.Store.Quarantined(e.ctx)
		if err != nil {
			return err
		}
		if since.IsZero() {
			return e.say("off")
		}
		return e.say("on", stamp(since))
	})
}

package main

import (
	"cmp"
	"encoding/hex"
	"strconv"

	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/server"
)

type migrateCmd struct {
	From *string `placeholder:"sqlite:PATH" help:"Copy this database, which no server uses, into PostgreSQL."`
	To   *string `placeholder:"postgres://…" help:"The empty database to copy into; that of the settings by default."`
}

func (m migrateCmd) Run(e *environment) error {
	if m.From != nil || m.To != nil {
		return m.move(e)
	}
	c, log, err := e.load()
	if err != nil {
		return err
	}
	c.Migrate = true
	d, err := server.Open(e.ctx, c, log, server.Options{})
	if err != nil {
		return err
	}
	if err := d.CloseWithin(e.ctx); err != nil {
		return err
	}
	return e.say("the database has this version's schema")
}

// move copies a whole database.
func (m migrateCmd) move(e *environment) error {
	from, errFrom := named("--from", m.From)
	to, errTo := named("--to", m.To)
	if err := cmp.Or(errFrom, errTo); err != nil {
		return err
	}
	path, ok := config.SQLitePath(from)
	if !ok {
		return useError{"--from is no SQLite database; expected sqlite:PATH"} // perhaps --to's, with a password
	}
	c, log, err := e.loadKeyless()
	if err != nil {
		return err
	}
	target := server.NameDatabase(c)
	if to != "" {
		target = "the database of --to"
		c.DatabaseURL = config.Hide(to)
	}
	if !config.IsPostgres(c.DatabaseURL.Reveal()) {
		return useError{"--to is no PostgreSQL database; expected postgres://USER@HOST/DATABASE"}
	}
	report, err := server.MoveIn(e.ctx, c, path, target, log)
	if err != nil {
		return err
	}
	for _, t := range report.Tables {
		if err := e.say(t.Name, strconv.FormatInt(t.Rows, 10), hex.EncodeToString(t.Hash[:8])); err != nil {
			return err
		}
	}
	if report.Again {
		return e.say("moved before, all of it; " + from + " is quarantined")
	}
	if err := e.say("moved " + strconv.FormatInt(report.Rows, 10) + " rows; " + from + " is quarantined"); err != nil || !report.Quarantined {
		return err
	}
	return e.say("the PostgreSQL database is quarantined too: what was moved is a copy of what may be in use; countersign quarantine release on it ends that")
}

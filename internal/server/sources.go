package server

import (
	"errors"
	"path/filepath"
	"strings"

	"github.com/countersign/countersign/internal/config"
)

// sourced adds to a refusal where the settings that it speaks of came from.
func sourced(err error, c config.Config, settings ...string) error {
	r, ok := errors.AsType[*RefusalError](err)
	if !ok {
		return err
	}
	from := make([]string, len(settings))
	for i, name := range settings {
		from[i] = name + " from " + c.Source(name)
	}
	return &RefusalError{r.What + " (" + strings.Join(from, ", ") + ")", r.Expected, r.Err}
}

// placed are the settings that say where an SQLite deployment is.
func placed(c config.Config) []string {
	if same(filepath.Dir(c.DatabasePath), c.DataDir) {
		return []string{"data_dir"}
	}
	return []string{"database_url", "data_dir"}
}

// NameDatabase names the settings' PostgreSQL database in refusals by where its
// URL came from: the URL may hold a password.
func NameDatabase(c config.Config) string { return "the database of " + c.Source("database_url") }

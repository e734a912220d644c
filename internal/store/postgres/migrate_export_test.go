package postgres

import (
	"context"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/countersign/countersign/internal/store/schema"
)

// MigrateTo makes the migrations up to a version, as setting up that is cut short
// does.
func MigrateTo(ctx context.Context, url string, version int64) error {
	c, err := pgx.ParseConfig(url)
	if err != nil {
		return err
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	db := stdlib.OpenDB(*c)
	defer db.Close()
	p, err := goose.NewProvider(goose.DialectPostgres, db, files)
	if err != nil {
		return err
	}
	_, err = p.UpTo(ctx, version)
	return err
}

// NewestSchema is the version of the last migration.
func NewestSchema() (int64, error) { return schema.Newest(migrations) }

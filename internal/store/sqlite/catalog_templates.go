package sqlite

import (
	"context"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/message"
)

const templateColumns = "SELECT id, channel, name, language, message, minutes FROM templates"

const (
	readTemplates = templateColumns + " WHERE account_id = ? ORDER BY seq"
	readTemplate  = templateColumns + " WHERE account_id = ? AND id = ?" // uses templates_id_key
	// This uses templates_name_key.
	templateNamed = "SELECT 1 FROM templates WHERE account_id = ? AND channel = ? AND name = ? AND id <> ?"
	addTemplate   = `INSERT INTO templates (account_id, id, channel, name, language, message, minutes)
		VALUES (?, ?, ?, ?, ?, ?, ?)`
	changeTemplate = "UPDATE templates SET name = ?, message = ?, minutes = ? WHERE account_id = ? AND id = ?"
	findTemplate   = "SELECT 1 FROM templates WHERE account_id = ? AND id = ? AND channel = ?"
	dropTemplate   = "DELETE FROM templates WHERE account_id = ? AND id = ? AND channel = ?"
	// This uses profile_links_template_idx.
	renameLinks = `UPDATE profile_links SET template = ?
		WHERE account_id = ? AND channel = ? AND template = ? AND language = ?`
)

// Templates implements catalog.Store.
func (s *Store) Templates(ctx context.Context, account string) ([]catalog.Template, error) {
	return list(ctx, s, account, scanTemplate, readTemplates)
}

// Template implements catalog.Store.
func (s *Store) Template(ctx context.Context, account, id string) (catalog.Template, error) {
	return entry(ctx, s, account, id, scanTemplate, readTemplate)
}

// CreateTemplate implements catalog.Store.
func (s *Store) CreateTemplate(ctx context.Context, account string, n catalog.Template) error {
	return s.changeCatalog(ctx, account, func(t *tx, owner int64) error {
		if err := free(t.query, catalog.ErrNameTaken, templateNamed, owner, n.Channel, n.Name, ""); err != nil {
			return err
		}
		return t.all(do(addTemplate, owner, n.ID, n.Channel, n.Name, n.Language, n.Message, n.Minutes))
	})
}

// UpdateTemplate implements catalog.Store.
func (s *Store) UpdateTemplate(
	ctx context.Context, account, id string, apply func(catalog.Template) (catalog.Template, error),
) error {
	return s.changeCatalog(ctx, account, func(t *tx, owner int64) error {
		was, err := must(t.query, scanTemplate, readTemplate, owner, id)
		if err != nil {
			return err
		}
		is, err := apply(was)
		if err != nil {
			return err
		}
		if err := free(t.query, catalog.ErrNameTaken, templateNamed, owner, was.Channel, is.Name, id); err != nil {
			return err
		}
		return t.all(
			do(changeTemplate, is.Name, is.Message, is.Minutes, owner, id),
			do(renameLinks, is.Name, owner, was.Channel, was.Name, was.Language),
		)
	})
}

// DeleteTemplate implements catalog.Store.
func (s *Store) DeleteTemplate(ctx context.Context, account, id string, channel message.Channel) error {
	return s.changeCatalog(ctx, account, func(t *tx, owner int64) error {
		return t.remove(do(findTemplate, owner, id, channel), do(dropTemplate, owner, id, channel))
	})
}

func scanTemplate(rows rower) (n catalog.Template, err error) {
	err = rows.Scan(&n.ID, &n.Channel, &n.Name, &n.Language, &n.Message, &n.Minutes)
	return n, err //nolint:wrapcheck // the caller says what it was doing
}

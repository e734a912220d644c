package registry

import (
	"context"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/message"
)

const templateColumns = "SELECT id, channel, name, language, message, minutes FROM templates"

const (
	readTemplates = templateColumns + " WHERE account_id = $1 ORDER BY seq"
	readTemplate  = templateColumns + " WHERE account_id = $1 AND id = $2" // uses templates_id_key
	// Both use templates_name_key.
	readNamed     = templateColumns + " WHERE account_id = $1 AND channel = $2 AND name = $3 ORDER BY seq"
	templateNamed = "SELECT 1 FROM templates WHERE account_id = $1 AND channel = $2 AND name = $3 AND id <> $4"
	addTemplate   = `INSERT INTO templates (account_id, id, channel, name, language, message, minutes)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`
	changeTemplate = "UPDATE templates SET name = $1, message = $2, minutes = $3 WHERE account_id = $4 AND id = $5"
	findTemplate   = "SELECT 1 FROM templates WHERE account_id = $1 AND id = $2 AND channel = $3"
	dropTemplate   = "DELETE FROM templates WHERE account_id = $1 AND id = $2 AND channel = $3"
	// This uses profile_links_template_idx; SQLite reads all of the account's links,
	// by profile_links_pkey.
	renameLinks = `UPDATE profile_links SET template = $1
		WHERE account_id = $2 AND channel = $3 AND template = $4 AND language = $5`
)

// Templates implements catalog.Store.
func (r *Registry) Templates(ctx context.Context, account string) ([]catalog.Template, error) {
	return list(ctx, r, account, scanTemplate, readTemplates)
}

// Template implements catalog.Store.
func (r *Registry) Template(ctx context.Context, account, id string) (catalog.Template, error) {
	return entry(ctx, r, account, id, scanTemplate, readTemplate)
}

// TemplatesNamed implements catalog.Store.
func (r *Registry) TemplatesNamed(ctx context.Context, account string, channel message.Channel, name string) ([]catalog.Template, error) {
	return list(ctx, r, account, scanTemplate, readNamed, channel, name)
}

// CreateTemplate implements catalog.Store.
func (r *Registry) CreateTemplate(ctx context.Context, account string, n catalog.Template) error {
	return r.changeCatalog(ctx, account, func(t Tx, owner int64) error {
		if err := free(t.Query, catalog.ErrNameTaken, templateNamed, owner, n.Channel, n.Name, ""); err != nil {
			return err
		}
		return writeCatalog(t, do(addTemplate, owner, n.ID, n.Channel, n.Name, n.Language, n.Message, n.Minutes))
	})
}

// UpdateTemplate implements catalog.Store.
func (r *Registry) UpdateTemplate(
	ctx context.Context, account, id string, apply func(catalog.Template) (catalog.Template, error),
) error {
	return r.changeCatalog(ctx, account, func(t Tx, owner int64) error {
		was, err := must(t.Query, scanTemplate, readTemplate, owner, id)
		if err != nil {
			return err
		}
		is, err := apply(was)
		if err != nil {
			return err
		}
		if err := free(t.Query, catalog.ErrNameTaken, templateNamed, owner, was.Channel, is.Name, id); err != nil {
			return err
		}
		return writeCatalog(t,
			do(changeTemplate, is.Name, is.Message, is.Minutes, owner, id),
			do(renameLinks, is.Name, owner, was.Channel, was.Name, was.Language),
		)
	})
}

// DeleteTemplate implements catalog.Store.
func (r *Registry) DeleteTemplate(ctx context.Context, account, id string, channel message.Channel) error {
	return r.changeCatalog(ctx, account, func(t Tx, owner int64) error {
		return remove(t, t.Query, do(findTemplate, owner, id, channel), do(dropTemplate, owner, id, channel))
	})
}

func scanTemplate(rows Row) (n catalog.Template, err error) {
	err = rows.Scan(&n.ID, &n.Channel, &n.Name, &n.Language, &n.Message, &n.Minutes)
	return n, err
}

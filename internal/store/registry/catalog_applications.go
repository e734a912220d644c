package registry

import (
	"context"
	"time"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/store/column"
)

const applicationColumns = `SELECT id, is_default, name, code_length, alphanumeric, attempts, life, texts, sender,
	caller, alias, created_at FROM applications`

const (
	readApplications   = applicationColumns + " WHERE account_id = $1 ORDER BY is_default DESC, created_at, seq"
	readApplication    = applicationColumns + " WHERE account_id = $1 AND id = $2" // uses applications_id_key
	defaultApplication = applicationColumns + " WHERE account_id = $1 AND is_default"
	applicationNamed   = "SELECT 1 FROM applications WHERE account_id = $1 AND name = $2 AND id <> $3"
	applicationAliased = "SELECT 1 FROM applications WHERE account_id = $1 AND alias = $2 AND alias <> 0 AND id <> $3"
	addApplication     = `INSERT INTO applications (account_id, id, is_default, name, code_length, alphanumeric, attempts,
		life, texts, sender, caller, alias, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
	changeApplication = `UPDATE applications SET name = $1, code_length = $2, alphanumeric = $3, attempts = $4, life = $5,
		texts = $6, sender = $7, caller = $8, alias = $9 WHERE account_id = $10 AND id = $11`
	dropApplication = "DELETE FROM applications WHERE account_id = $1 AND id = $2"
)

// Applications implements catalog.Store.
func (r *Registry) Applications(ctx context.Context, account string) ([]catalog.Application, error) {
	return list(ctx, r, account, scanApplication, readApplications)
}

// Application implements catalog.Store.
func (r *Registry) Application(ctx context.Context, account, id string) (catalog.Application, error) {
	return entry(ctx, r, account, id, scanApplication, readApplication)
}

// EnsureDefaultApplication implements catalog.Store.
func (r *Registry) EnsureDefaultApplication(
	ctx context.Context, account string, a catalog.Application,
) (catalog.Application, error) {
	owner, err := r.owner(ctx, account)
	if err != nil {
		return catalog.Application{}, err
	}
	// It is there but for the first time: no need to ask the writer.
	there, ok, err := First(r.db.Ask(ctx, owner), scanApplication, defaultApplication, owner)
	if err != nil {
		return catalog.Application{}, r.db.ReadError("read default application", err)
	}
	if ok {
		return there, nil
	}
	a.Default = true
	var result catalog.Application // read only if the change returned no error: else it may still be running
	err = r.changeCatalog(ctx, account, func(t Tx, owner int64) error {
		there, ok, err := First(t.Query, scanApplication, defaultApplication, owner)
		if err != nil {
			return err
		}
		if result = there; ok {
			return ErrUnchanged
		}
		result, err = newApplication(t, owner, a)
		return err
	})
	if err != nil {
		return catalog.Application{}, err
	}
	return result, nil
}

// CreateApplication implements catalog.Store.
func (r *Registry) CreateApplication(ctx context.Context, account string, a catalog.Application) error {
	if a.Default {
		return catalog.ErrExists
	}
	return r.changeCatalog(ctx, account, func(t Tx, owner int64) error {
		_, err := newApplication(t, owner, a)
		return err
	})
}

// UpdateApplication implements catalog.Store.
func (r *Registry) UpdateApplication(
	ctx context.Context, account, id string, apply func(catalog.Application) (catalog.Application, error),
) error {
	return r.changeCatalog(ctx, account, func(t Tx, owner int64) error {
		was, err := must(t.Query, scanApplication, readApplication, owner, id)
		if err != nil {
			return err
		}
		is, err := apply(was)
		if err != nil {
			return err
		}
		if err := applicationFree(t, owner, is, id); err != nil {
			return err
		}
		texts, err := encodeJSON(is.Texts)
		if err != nil {
			return err
		}
		return writeCatalog(t, do(changeApplication, is.Name, is.CodeLength, is.Alphanumeric, is.Attempts, is.Life.Microseconds(),
			texts, is.Sender, is.Caller, is.Alias, owner, id))
	})
}

// DeleteApplication implements catalog.Store.
func (r *Registry) DeleteApplication(ctx context.Context, account, id string) (catalog.Application, error) {
	var was catalog.Application // read only if the change returned no error: else it may still be running
	err := r.changeCatalog(ctx, account, func(t Tx, owner int64) error {
		var err error
		if was, err = must(t.Query, scanApplication, readApplication, owner, id); err != nil {
			return err
		}
		return writeCatalog(t, do(dropApplication, owner, id))
	})
	if err != nil {
		return catalog.Application{}, err
	}
	return was, nil
}

// newApplication adds a and returns it as it is stored.
func newApplication(t Tx, owner int64, a catalog.Application) (catalog.Application, error) {
	if err := applicationFree(t, owner, a, ""); err != nil {
		return catalog.Application{}, err
	}
	texts, err := encodeJSON(a.Texts)
	if err != nil {
		return catalog.Application{}, err
	}
	if err := writeCatalog(t, do(addApplication, owner, a.ID, a.Default, a.Name, a.CodeLength, a.Alphanumeric, a.Attempts,
		a.Life.Microseconds(), texts, a.Sender, a.Caller, a.Alias, orNow(t, a.Created))); err != nil {
		return catalog.Application{}, err
	}
	return must(t.Query, scanApplication, readApplication, owner, a.ID)
}

// applicationFree returns an error if another application than that of the id
// but has the name or alias.
func applicationFree(t Tx, owner int64, a catalog.Application, but string) error {
	if err := free(t.Query, catalog.ErrNameTaken, applicationNamed, owner, a.Name, but); err != nil {
		return err
	}
	return free(t.Query, catalog.ErrAliasTaken, applicationAliased, owner, a.Alias, but)
}

func scanApplication(rows Row) (a catalog.Application, err error) {
	var life, created int64
	var texts string
	if err := rows.Scan(&a.ID, &a.Default, &a.Name, &a.CodeLength, &a.Alphanumeric, &a.Attempts, &life, &texts,
		&a.Sender, &a.Caller, &a.Alias, &created); err != nil {
		return catalog.Application{}, err
	}
	if err := decodeJSON(texts, &a.Texts); err != nil {
		return catalog.Application{}, err
	}
	a.Life, a.Created = time.Duration(life)*time.Microsecond, column.FromMicros(created)
	return a, nil
}

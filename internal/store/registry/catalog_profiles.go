package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/countersign/countersign/internal/catalog"
)

const profileColumns = "SELECT id, name, alphanumeric, attempts, code_length FROM profiles"

const (
	readProfiles = profileColumns + " WHERE account_id = $1 ORDER BY seq"
	readProfile  = profileColumns + " WHERE account_id = $1 AND id = $2" // uses profiles_id_key
	profileNamed = "SELECT 1 FROM profiles WHERE account_id = $1 AND name = $2 AND id <> $3"
	addProfile   = `INSERT INTO profiles (account_id, id, name, alphanumeric, attempts, code_length)
		VALUES ($1, $2, $3, $4, $5, $6)`
	changeProfile = `UPDATE profiles SET name = $1, alphanumeric = $2, attempts = $3, code_length = $4
		WHERE account_id = $5 AND id = $6`
	findProfile = "SELECT 1 FROM profiles WHERE account_id = $1 AND id = $2"
	dropProfile = "DELETE FROM profiles WHERE account_id = $1 AND id = $2"

	allLinks = `SELECT profile_id, channel, template, language FROM profile_links
		WHERE account_id = $1 ORDER BY profile_id, position` // uses profile_links_pkey
	linksOf = `SELECT profile_id, channel, template, language FROM profile_links
		WHERE account_id = $1 AND profile_id = $2 ORDER BY position` // uses profile_links_pkey
	dropLinks = "DELETE FROM profile_links WHERE account_id = $1 AND profile_id = $2"
	// This uses templates_name_key.
	linkable = "SELECT 1 FROM templates WHERE account_id = $1 AND channel = $2 AND name = $3 AND language = $4"
	addLink  = `INSERT INTO profile_links (account_id, profile_id, position, channel, template, language)
		VALUES ($1, $2, $3, $4, $5, $6)`
)

// Profiles implements catalog.Store.
func (r *Registry) Profiles(ctx context.Context, account string) (profiles []catalog.Profile, err error) {
	owner, err := r.owner(ctx, account)
	if err != nil {
		return nil, err
	}
	err = r.db.Snapshot(ctx, owner, func(q Ask) error {
		if profiles, err = Collect(q, scanProfile, readProfiles, owner); err != nil {
			return err
		}
		return addLinks(q, profiles, allLinks, owner)
	})
	if err != nil {
		return nil, r.db.ReadError("list profiles", err)
	}
	return profiles, nil
}

// Profile implements catalog.Store.
func (r *Registry) Profile(ctx context.Context, account, id string) (p catalog.Profile, err error) {
	owner, err := r.owner(ctx, account)
	if err != nil {
		return catalog.Profile{}, err
	}
	err = r.db.Snapshot(ctx, owner, func(q Ask) error {
		p, err = wholeProfile(q, owner, readProfile, id)
		return err
	})
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return catalog.Profile{}, r.db.ReadError("read profile", err)
	}
	return p, err
}

// wholeProfile reads the one profile that a query for account and key finds.
func wholeProfile(q Ask, owner int64, query, key string) (catalog.Profile, error) {
	p, err := must(q, scanProfile, query, owner, key)
	if err != nil {
		return catalog.Profile{}, err
	}
	one := []catalog.Profile{p}
	err = addLinks(q, one, linksOf, owner, p.ID)
	return one[0], err
}

// addLinks gives each profile its links.
func addLinks(q Ask, profiles []catalog.Profile, query string, args ...any) error {
	type link struct {
		profile string
		catalog.Link
	}
	links, err := Collect(q, func(rows Row) (l link, err error) {
		err = rows.Scan(&l.profile, &l.Channel, &l.Template, &l.Language)
		return l, err
	}, query, args...)
	if err != nil {
		return err
	}
	byProfile := make(map[string][]catalog.Link, len(profiles))
	for _, l := range links {
		byProfile[l.profile] = append(byProfile[l.profile], l.Link)
	}
	for i := range profiles {
		profiles[i].Links = byProfile[profiles[i].ID]
	}
	return nil
}

// CreateProfile implements catalog.Store.
func (r *Registry) CreateProfile(ctx context.Context, account string, p catalog.Profile) error {
	return r.changeCatalog(ctx, account, func(t Tx, owner int64) error {
		if err := free(t.Query, catalog.ErrNameTaken, profileNamed, owner, p.Name, ""); err != nil {
			return err
		}
		if err := templatesExist(t, owner, p.New); err != nil {
			return err
		}
		return writeCatalog(t, append([]Statement{
			do(addProfile, owner, p.ID, p.Name, p.Alphanumeric, p.Attempts, p.CodeLength),
		}, linking(owner, p.ID, p.Links)...)...)
	})
}

// UpdateProfile implements catalog.Store.
func (r *Registry) UpdateProfile(
	ctx context.Context, account, id string, apply func(catalog.Profile) (catalog.Profile, error),
) error {
	return r.changeCatalog(ctx, account, func(t Tx, owner int64) error {
		was, err := wholeProfile(t.Query, owner, readProfile, id)
		if err != nil {
			return err
		}
		is, err := apply(was)
		if err != nil {
			return err
		}
		if err := free(t.Query, catalog.ErrNameTaken, profileNamed, owner, is.Name, id); err != nil {
			return err
		}
		if err := templatesExist(t, owner, is.New); err != nil {
			return err
		}
		return writeCatalog(t, append([]Statement{
			do(changeProfile, is.Name, is.Alphanumeric, is.Attempts, is.CodeLength, owner, id),
			do(dropLinks, owner, id),
		}, linking(owner, id, is.Links)...)...)
	})
}

// DeleteProfile implements catalog.Store.
func (r *Registry) DeleteProfile(ctx context.Context, account, id string) error {
	return r.changeCatalog(ctx, account, func(t Tx, owner int64) error {
		return remove(t, t.Query, do(findProfile, owner, id), do(dropLinks, owner, id), do(dropProfile, owner, id))
	})
}

// templatesExist asks for the templates of new links in the transaction that
// adds them: a rename before it is seen, and one after it takes the links along.
func templatesExist(t Tx, owner int64, links []catalog.Link) error {
	for _, l := range links {
		some, err := Exists(t.Query, linkable, owner, l.Channel, l.Template, l.Language)
		if err != nil {
			return fmt.Errorf("look for a template: %w", err)
		}
		if !some {
			return catalog.ErrNoTemplate
		}
	}
	return nil
}

// linking adds a profile's links in their order.
func linking(owner int64, id string, links []catalog.Link) []Statement {
	statements := make([]Statement, 0, len(links))
	for at, l := range links {
		statements = append(statements, do(addLink, owner, id, at, l.Channel, l.Template, l.Language))
	}
	return statements
}

func scanProfile(rows Row) (p catalog.Profile, err error) {
	err = rows.Scan(&p.ID, &p.Name, &p.Alphanumeric, &p.Attempts, &p.CodeLength)
	return p, err
}

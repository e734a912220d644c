package sqlite

import (
	"context"
	"errors"

	"github.com/countersign/countersign/internal/catalog"
)

const profileColumns = "SELECT id, name, alphanumeric, attempts, code_length FROM profiles"

const (
	readProfiles = profileColumns + " WHERE account_id = ? ORDER BY seq"
	readProfile  = profileColumns + " WHERE account_id = ? AND id = ?" // uses profiles_id_key
	profileNamed = "SELECT 1 FROM profiles WHERE account_id = ? AND name = ? AND id <> ?"
	addProfile   = `INSERT INTO profiles (account_id, id, name, alphanumeric, attempts, code_length)
		VALUES (?, ?, ?, ?, ?, ?)`
	changeProfile = `UPDATE profiles SET name = ?, alphanumeric = ?, attempts = ?, code_length = ?
		WHERE account_id = ? AND id = ?`
	findProfile = "SELECT 1 FROM profiles WHERE account_id = ? AND id = ?"
	dropProfile = "DELETE FROM profiles WHERE account_id = ? AND id = ?"

	allLinks = `SELECT profile_id, channel, template, language FROM profile_links
		WHERE account_id = ? ORDER BY profile_id, position` // uses profile_links_pkey
	linksOf = `SELECT profile_id, channel, template, language FROM profile_links
		WHERE account_id = ? AND profile_id = ? ORDER BY position` // uses profile_links_pkey
	dropLinks = "DELETE FROM profile_links WHERE account_id = ? AND profile_id = ?"
	addLink   = `INSERT INTO profile_links (account_id, profile_id, position, channel, template, language)
		VALUES (?, ?, ?, ?, ?, ?)`
)

// Profiles implements catalog.Store.
func (s *Store) Profiles(ctx context.Context, account string) (profiles []catalog.Profile, err error) {
	owner, err := s.owner(ctx, account)
	if err != nil {
		return nil, err
	}
	err = s.snapshot(ctx, func(q ask) error {
		if profiles, err = collect(q, scanProfile, readProfiles, owner); err != nil {
			return err
		}
		return addLinks(q, profiles, allLinks, owner)
	})
	if err != nil {
		return nil, s.readError("list profiles", err)
	}
	return profiles, nil
}

// Profile implements catalog.Store.
func (s *Store) Profile(ctx context.Context, account, id string) (p catalog.Profile, err error) {
	owner, err := s.owner(ctx, account)
	if err != nil {
		return catalog.Profile{}, err
	}
	err = s.snapshot(ctx, func(q ask) error {
		p, err = wholeProfile(q, owner, readProfile, id)
		return err
	})
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return catalog.Profile{}, s.readError("read profile", err)
	}
	return p, err
}

// wholeProfile reads the one profile that a query for account and key finds.
func wholeProfile(q ask, owner int64, query, key string) (catalog.Profile, error) {
	p, err := must(q, scanProfile, query, owner, key)
	if err != nil {
		return catalog.Profile{}, err
	}
	one := []catalog.Profile{p}
	err = addLinks(q, one, linksOf, owner, p.ID)
	return one[0], err
}

// addLinks gives each profile its links.
func addLinks(q ask, profiles []catalog.Profile, query string, args ...any) error {
	type link struct {
		profile string
		catalog.Link
	}
	links, err := collect(q, func(rows rower) (l link, err error) {
		err = rows.Scan(&l.profile, &l.Channel, &l.Template, &l.Language)
		return l, err //nolint:wrapcheck // the caller says what it was doing
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
func (s *Store) CreateProfile(ctx context.Context, account string, p catalog.Profile) error {
	return s.changeCatalog(ctx, account, func(t *tx, owner int64) error {
		if err := free(t.query, catalog.ErrNameTaken, profileNamed, owner, p.Name, ""); err != nil {
			return err
		}
		return t.all(append([]statement{
			do(addProfile, owner, p.ID, p.Name, p.Alphanumeric, p.Attempts, p.CodeLength),
		}, linking(owner, p.ID, p.Links)...)...)
	})
}

// UpdateProfile implements catalog.Store.
func (s *Store) UpdateProfile(
	ctx context.Context, account, id string, apply func(catalog.Profile) (catalog.Profile, error),
) error {
	return s.changeCatalog(ctx, account, func(t *tx, owner int64) error {
		was, err := wholeProfile(t.query, owner, readProfile, id)
		if err != nil {
			return err
		}
		is, err := apply(was)
		if err != nil {
			return err
		}
		if err := free(t.query, catalog.ErrNameTaken, profileNamed, owner, is.Name, id); err != nil {
			return err
		}
		return t.all(append([]statement{
			do(changeProfile, is.Name, is.Alphanumeric, is.Attempts, is.CodeLength, owner, id),
			do(dropLinks, owner, id),
		}, linking(owner, id, is.Links)...)...)
	})
}

// DeleteProfile implements catalog.Store.
func (s *Store) DeleteProfile(ctx context.Context, account, id string) error {
	return s.changeCatalog(ctx, account, func(t *tx, owner int64) error {
		return t.remove(do(findProfile, owner, id), do(dropLinks, owner, id), do(dropProfile, owner, id))
	})
}

// linking adds a profile's links in their order.
func linking(owner int64, id string, links []catalog.Link) []statement {
	statements := make([]statement, 0, len(links))
	for at, l := range links {
		statements = append(statements, do(addLink, owner, id, at, l.Channel, l.Template, l.Language))
	}
	return statements
}

func scanProfile(rows rower) (p catalog.Profile, err error) {
	err = rows.Scan(&p.ID, &p.Name, &p.Alphanumeric, &p.Attempts, &p.CodeLength)
	return p, err //nolint:wrapcheck // the caller says what it was doing
}

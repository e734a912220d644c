package registry

import (
	"context"
	"errors"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/message"
)

const (
	profileByName  = profileColumns + " WHERE account_id = $1 AND name = $2"                                     // uses profiles_name_key
	priorityByName = priorityColumns + " WHERE account_id = $1 AND name = $2"                                    // uses priorities_name_key
	templateLinked = templateColumns + " WHERE account_id = $1 AND channel = $2 AND name = $3 AND language = $4" // uses templates_name_key
)

// FindSources implements catalog.Store.
func (r *Registry) FindSources(ctx context.Context, account, profile, priority string) (found catalog.Sources, err error) {
	owner, err := r.owner(ctx, account)
	if err != nil {
		return catalog.Sources{}, err
	}
	err = r.db.Snapshot(ctx, owner, func(q Ask) error {
		found, err = findSources(q, owner, profile, priority)
		return err
	})
	if err != nil {
		return catalog.Sources{}, r.db.ReadError("read sources", err)
	}
	return found, nil
}

func findSources(q Ask, owner int64, profile, priority string) (found catalog.Sources, err error) {
	switch p, err := wholeProfile(q, owner, profileByName, profile); {
	case err == nil:
		found.Profile = &p
	case !errors.Is(err, catalog.ErrNotFound):
		return catalog.Sources{}, err
	}
	switch p, err := must(q, scanPriority, priorityByName, owner, priority); {
	case err == nil:
		found.Priority = &p
	case !errors.Is(err, catalog.ErrNotFound):
		return catalog.Sources{}, err
	}
	if found.WhatsAppAccount, _, err = First(q, ScanText, readWhatsApp, owner); err != nil {
		return catalog.Sources{}, err
	}
	if found.Profile == nil {
		return found, nil
	}
	for _, l := range found.Profile.Links {
		if l.Channel == message.WhatsApp {
			continue
		}
		n, ok, err := First(q, scanTemplate, templateLinked, owner, l.Channel, l.Template, l.Language)
		if err != nil {
			return catalog.Sources{}, err
		}
		if ok {
			found.Templates = append(found.Templates, n)
		}
	}
	return found, nil
}

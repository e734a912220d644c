package registry

import (
	"context"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/message"
)

const priorityColumns = "SELECT id, name, channels FROM priorities"

const (
	readPriorities = priorityColumns + " WHERE account_id = $1 ORDER BY seq"
	readPriority   = priorityColumns + " WHERE account_id = $1 AND id = $2" // uses priorities_id_key
	priorityNamed  = "SELECT 1 FROM priorities WHERE account_id = $1 AND name = $2 AND id <> $3"
	addPriority    = "INSERT INTO priorities (account_id, id, name, channels) VALUES ($1, $2, $3, $4)"
	changePriority = "UPDATE priorities SET name = $1, channels = $2 WHERE account_id = $3 AND id = $4"
	findPriority   = "SELECT 1 FROM priorities WHERE account_id = $1 AND id = $2"
	dropPriority   = "DELETE FROM priorities WHERE account_id = $1 AND id = $2"
)

// Priorities implements catalog.Store.
func (r *Registry) Priorities(ctx context.Context, account string) ([]catalog.Priority, error) {
	return list(ctx, r, account, scanPriority, readPriorities)
}

// Priority implements catalog.Store.
func (r *Registry) Priority(ctx context.Context, account, id string) (catalog.Priority, error) {
	return entry(ctx, r, account, id, scanPriority, readPriority)
}

// CreatePriority implements catalog.Store.
func (r *Registry) CreatePriority(ctx context.Context, account string, p catalog.Priority) error {
	return r.changeCatalog(ctx, account, func(t Tx, owner int64) error {
		if err := free(t.Query, catalog.ErrNameTaken, priorityNamed, owner, p.Name, ""); err != nil {
			return err
		}
		channels, err := encodeRanks(p.Channels)
		if err != nil {
			return err
		}
		return writeCatalog(t, do(addPriority, owner, p.ID, p.Name, channels))
	})
}

// UpdatePriority implements catalog.Store.
func (r *Registry) UpdatePriority(
	ctx context.Context, account, id string, apply func(catalog.Priority) (catalog.Priority, error),
) error {
	return r.changeCatalog(ctx, account, func(t Tx, owner int64) error {
		was, err := must(t.Query, scanPriority, readPriority, owner, id)
		if err != nil {
			return err
		}
		is, err := apply(was)
		if err != nil {
			return err
		}
		if err := free(t.Query, catalog.ErrNameTaken, priorityNamed, owner, is.Name, id); err != nil {
			return err
		}
		channels, err := encodeRanks(is.Channels)
		if err != nil {
			return err
		}
		return writeCatalog(t, do(changePriority, is.Name, channels, owner, id))
	})
}

// DeletePriority implements catalog.Store.
func (r *Registry) DeletePriority(ctx context.Context, account, id string) error {
	return r.changeCatalog(ctx, account, func(t Tx, owner int64) error {
		return remove(t, t.Query, do(findPriority, owner, id), do(dropPriority, owner, id))
	})
}

// rankText is a catalog.Rank as it is stored.
type rankText struct {
	Channel message.Channel `json:"channel"`
	Rank    int             `json:"rank"`
}

func encodeRanks(ranks []catalog.Rank) (string, error) {
	stored := make([]rankText, 0, len(ranks))
	for _, r := range ranks {
		stored = append(stored, rankText(r))
	}
	return encodeJSON(stored)
}

func scanPriority(rows Row) (p catalog.Priority, err error) {
	var text string
	if err := rows.Scan(&p.ID, &p.Name, &text); err != nil {
		return catalog.Priority{}, err
	}
	var stored []rankText
	if err := decodeJSON(text, &stored); err != nil {
		return catalog.Priority{}, err
	}
	for _, r := range stored {
		p.Channels = append(p.Channels, catalog.Rank(r))
	}
	return p, nil
}

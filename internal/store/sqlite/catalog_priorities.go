package sqlite

import (
	"context"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/message"
)

const priorityColumns = "SELECT id, name, channels FROM priorities"

const (
	readPriorities = priorityColumns + " WHERE account_id = ? ORDER BY seq"
	readPriority   = priorityColumns + " WHERE account_id = ? AND id = ?" // uses priorities_id_key
	priorityNamed  = "SELECT 1 FROM priorities WHERE account_id = ? AND name = ? AND id <> ?"
	addPriority    = "INSERT INTO priorities (account_id, id, name, channels) VALUES (?, ?, ?, ?)"
	changePriority = "UPDATE priorities SET name = ?, channels = ? WHERE account_id = ? AND id = ?"
	findPriority   = "SELECT 1 FROM priorities WHERE account_id = ? AND id = ?"
	dropPriority   = "DELETE FROM priorities WHERE account_id = ? AND id = ?"
)

// Priorities implements catalog.Store.
func (s *Store) Priorities(ctx context.Context, account string) ([]catalog.Priority, error) {
	return list(ctx, s, account, scanPriority, readPriorities)
}

// Priority implements catalog.Store.
func (s *Store) Priority(ctx context.Context, account, id string) (catalog.Priority, error) {
	return entry(ctx, s, account, id, scanPriority, readPriority)
}

// CreatePriority implements catalog.Store.
func (s *Store) CreatePriority(ctx context.Context, account string, p catalog.Priority) error {
	return s.changeCatalog(ctx, account, func(t *tx, owner int64) error {
		if err := free(t.query, catalog.ErrNameTaken, priorityNamed, owner, p.Name, ""); err != nil {
			return err
		}
		channels, err := encodeRanks(p.Channels)
		if err != nil {
			return err
		}
		return t.all(do(addPriority, owner, p.ID, p.Name, channels))
	})
}

// UpdatePriority implements catalog.Store.
func (s *Store) UpdatePriority(
	ctx context.Context, account, id string, apply func(catalog.Priority) (catalog.Priority, error),
) error {
	return s.changeCatalog(ctx, account, func(t *tx, owner int64) error {
		was, err := must(t.query, scanPriority, readPriority, owner, id)
		if err != nil {
			return err
		}
		is, err := apply(was)
		if err != nil {
			return err
		}
		if err := free(t.query, catalog.ErrNameTaken, priorityNamed, owner, is.Name, id); err != nil {
			return err
		}
		channels, err := encodeRanks(is.Channels)
		if err != nil {
			return err
		}
		return t.all(do(changePriority, is.Name, channels, owner, id))
	})
}

// DeletePriority implements catalog.Store.
func (s *Store) DeletePriority(ctx context.Context, account, id string) error {
	return s.changeCatalog(ctx, account, func(t *tx, owner int64) error {
		return t.remove(do(findPriority, owner, id), do(dropPriority, owner, id))
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

func scanPriority(rows rower) (p catalog.Priority, err error) {
	var text string
	if err := rows.Scan(&p.ID, &p.Name, &text); err != nil {
		return catalog.Priority{}, err //nolint:wrapcheck // the caller says what it was doing
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

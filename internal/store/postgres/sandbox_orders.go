package postgres

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/store/column"
)

const (
	putSandboxOrder = `INSERT INTO sandbox_orders (account_id, recipient_key, does, created_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (account_id, recipient_key) DO UPDATE SET does = excluded.does, created_at = excluded.created_at`
	dropSandboxOrder   = "DELETE FROM sandbox_orders WHERE account_id = $1 AND recipient_key = $2"
	sweepSandboxOrders = "DELETE FROM sandbox_orders WHERE created_at <= $1"
	readSandboxOrders  = `SELECT a.name, o.recipient_key, o.does, o.created_at FROM sandbox_orders o JOIN accounts a ON a.id = o.account_id
		WHERE o.created_at > $1 ORDER BY o.created_at DESC LIMIT $2`
)

// PutOrder implements sandbox.OrderStore.
func (s *Store) PutOrder(ctx context.Context, account string, recipientKey [16]byte, does sandbox.Order) error {
	owner, err := s.accountID(ctx, account)
	if err != nil {
		return err
	}
	return s.write(ctx, func(t *tx) error {
		if _, err := t.exec(sweepSandboxOrders, column.Micros(t.now.Add(-sandbox.Keep))); err != nil {
			return fmt.Errorf("remove sandbox orders: %w", err)
		}
		if does == sandbox.NoOrder {
			_, err = t.exec(dropSandboxOrder, owner, recipientKey[:])
		} else {
			_, err = t.exec(putSandboxOrder, owner, recipientKey[:], int64(does), column.Micros(t.now))
		}
		if err != nil {
			return fmt.Errorf("put sandbox order: %w", err)
		}
		return nil
	})
}

// Orders implements sandbox.OrderStore.
func (s *Store) Orders(ctx context.Context) ([]sandbox.StoredOrder, error) {
	all, err := collect(s.pooled(ctx), scanSandboxOrder, readSandboxOrders, column.Micros(s.Now().Add(-sandbox.Keep)), sandbox.MostOrders)
	if err != nil {
		return nil, readError("read sandbox orders", err)
	}
	return all, nil
}

func scanSandboxOrder(rows scanner) (sandbox.StoredOrder, error) {
	var o sandbox.StoredOrder
	var key []byte
	var created int64
	err := rows.Scan(&o.Account, &key, &o.Does, &created)
	copy(o.RecipientKey[:], key)
	o.Created = column.FromMicros(created)
	return o, err //nolint:wrapcheck // the caller says what it was doing
}

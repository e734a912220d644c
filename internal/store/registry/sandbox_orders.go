package registry

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
func (r *Registry) PutOrder(ctx context.Context, account string, recipientKey [16]byte, does sandbox.Order) error {
	owner, err := r.AccountID(ctx, account)
	if err != nil {
		return err
	}
	return r.db.Write(ctx, func(t Tx) error {
		if _, err := t.Exec(sweepSandboxOrders, column.Micros(t.Now().Add(-sandbox.Keep))); err != nil {
			return fmt.Errorf("remove sandbox orders: %w", err)
		}
		if does == sandbox.NoOrder {
			_, err = t.Exec(dropSandboxOrder, owner, recipientKey[:])
		} else {
			_, err = t.Exec(putSandboxOrder, owner, recipientKey[:], int64(does), column.Micros(t.Now()))
		}
		if err != nil {
			return fmt.Errorf("put sandbox order: %w", err)
		}
		return nil
	})
}

// Orders implements sandbox.OrderStore.
func (r *Registry) Orders(ctx context.Context) ([]sandbox.StoredOrder, error) {
	all, err := Collect(r.db.Ask(ctx, 0), scanSandboxOrder, readSandboxOrders, column.Micros(r.db.Now().Add(-sandbox.Keep)), sandbox.MostOrders)
	if err != nil {
		return nil, r.db.ReadError("read sandbox orders", err)
	}
	return all, nil
}

func scanSandboxOrder(rows Row) (sandbox.StoredOrder, error) {
	var o sandbox.StoredOrder
	var key []byte
	var created int64
	err := rows.Scan(&o.Account, &key, &o.Does, &created)
	copy(o.RecipientKey[:], key)
	o.Created = column.FromMicros(created)
	return o, err
}

package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
)

const (
	// Other nodes' claims under way are passed over, not waited for. uses
	// deliveries_due_idx, then the OTPs' primary key.
	claimDeliveries = `SELECT ` + otpColumns + `, ` + deliveryColumns + `
		FROM deliveries d JOIN otps o ON o.account_id = d.account_id AND o.seq = d.otp
		WHERE d.state = 1 AND d.due_at <= $1 ORDER BY d.due_at LIMIT $2 FOR UPDATE OF d SKIP LOCKED`
	// uses deliveries_pkey.
	leaseDeliveries = `UPDATE deliveries d SET due_at = nullif(i.due_at, 0), lease_node = $1
		FROM unnest($2::bigint[], $3::bigint[], $4::int[], $5::bigint[]) AS i (account_id, otp, seq, due_at)
		WHERE d.account_id = i.account_id AND d.otp = i.otp AND d.seq = i.seq`
	// uses deliveries_due_idx.
	releaseDeliveries = `UPDATE deliveries SET due_at = $1, lease_node = NULL WHERE state = 1 AND due_at IS NOT NULL AND lease_node = $2`
)

// ClaimDeliveries implements delivery.Store.
func (s *Store) ClaimDeliveries(ctx context.Context, node string, limit int, lease time.Duration) ([]delivery.Job, time.Time, error) {
	try, wait, err := s.dueNow(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	if try == 0 || try > column.Micros(s.Now()) {
		return nil, earliest(try, wait), nil
	}
	var jobs []delivery.Job
	var over []deliveryKey // what is told once their OTPs are locked
	var next time.Time
	err = s.write(ctx, func(t *tx) error {
		jobs, over = jobs[:0], over[:0]
		t.put(byKeys)
		due, err := registry.Collect(t.query, func(row scanner) (*deliveryRow, error) {
			r := &deliveryRow{}
			return r, r.scan(row)
		}, claimDeliveries, column.Micros(t.now), limit)
		if err != nil {
			return fmt.Errorf("read due deliveries: %w", err)
		}
		var accounts, otps, ends []int64
		var seqs []int
		for _, r := range due {
			until := int64(0) // nothing can be sent without the code
			switch {
			case r.otp.At(t.now).Final():
				until = column.Micros(t.now.Add(lease)) // should this node end first
				over = append(over, deliveryKey{r.otp.accountID, column.EncodeID(r.otp.ID), r.Seq})
			case r.sealed != nil:
				until = column.Micros(t.now.Add(lease))
				if r.Account, err = s.AccountName(t.query, r.otp.accountID); err != nil {
					return err
				}
				jobs = append(jobs, delivery.Job{
					Delivery: r.Delivery, Recipient: r.otp.Recipient, Step: r.step, Sealed: r.sealed, Expires: r.otp.Expires,
				})
			}
			accounts, otps = append(accounts, r.otp.accountID), append(otps, r.otp.seq)
			seqs, ends = append(seqs, r.Seq), append(ends, until)
		}
		if len(due) > 0 {
			t.put(leaseDeliveries, node, accounts, otps, seqs, ends)
		}
		try, wait, err := nextDue(t.query)
		next = earliest(try, wait)
		return err
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	if len(over) > 0 {
		if err := s.endOver(ctx, over); err != nil { // the end of their lease brings them again
			s.log.WarnContext(ctx, "deliveries whose time is over are told of later", slog.Any("err", err))
		}
	}
	return jobs, next, nil
}

// endOver applies Delivery.TimeOver to deliveries that were claimed too late.
func (s *Store) endOver(ctx context.Context, keys []deliveryKey) error {
	return s.write(ctx, func(t *tx) error {
		t.put(byKeys)
		rows, err := t.deliveries(keys)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if r == nil {
				continue // deleted meanwhile
			}
			c, ok := r.TimeOver(r.otp.At(t.now), r.otp.Expires)
			if !ok {
				continue
			}
			if _, _, err := t.apply(r, []delivery.Change{c}); err != nil {
				return err
			}
		}
		return nil
	})
}

// earliest is the earlier of two times, 0 standing for none.
func earliest(a, b int64) time.Time {
	if a == 0 || b != 0 && b < a {
		a = b
	}
	return column.FromMicros(a)
}

// ReleaseDeliveries implements delivery.Store.
func (s *Store) ReleaseDeliveries(ctx context.Context, node string) error {
	return s.write(ctx, func(t *tx) error {
		t.put(releaseDeliveries, column.Micros(t.now), node)
		return nil
	})
}

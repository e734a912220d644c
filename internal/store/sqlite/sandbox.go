package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/upkeep"
)

const addSandboxMessage = `INSERT INTO sandbox_messages (account_id, id, otp_id, recipient_key, created_at, body)
	VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING seq`

// uses sandbox_messages_account_idx.
const dropSandboxMessages = `DELETE FROM sandbox_messages WHERE account_id = ?1 AND seq <= (
	SELECT seq FROM sandbox_messages WHERE account_id = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)`

// PutMessage implements sandbox.MessageStore.
func (s *Store) PutMessage(ctx context.Context, m sandbox.SealedMessage) error {
	owner, err := s.AccountID(ctx, m.Account)
	if err != nil {
		return err
	}
	return s.writeUrgent(ctx, func(t *tx) error {
		var seq int64
		err := t.insertReturning(&seq, addSandboxMessage, owner, column.EncodeID(m.ID), column.EncodeID(m.OTPID), m.RecipientKey[:], column.Micros(t.now), m.Body)
		if errors.Is(err, sql.ErrNoRows) {
			return nil // it is there
		}
		if err != nil {
			return fmt.Errorf("put sandbox message: %w", err)
		}
		if seq%registry.SandboxSweep != 0 {
			return nil
		}
		if _, err := t.exec(dropSandboxMessages, owner, sandbox.KeepNewest); err != nil {
			return fmt.Errorf("drop sandbox messages: %w", err)
		}
		return nil
	})
}

// insertReturning is insert for a statement with RETURNING; sql.ErrNoRows if it
// inserted nothing.
func (t *tx) insertReturning(seq *int64, query string, args ...any) error {
	t.writes++
	return t.row(query, args...).Scan(seq)
}

// uses sandbox_messages_id_key, sandbox_messages_recipient_idx,
// sandbox_messages_account_idx or the order of the table itself.
const selectSandboxMessages = `SELECT m.seq, a.name, m.id, m.otp_id, m.recipient_key, m.created_at, m.body
	FROM sandbox_messages m JOIN accounts a ON a.id = m.account_id WHERE m.created_at > ?`

// Messages implements sandbox.MessageStore.
func (s *Store) Messages(ctx context.Context, q sandbox.MessageQuery) ([]sandbox.SealedMessage, error) {
	seq := "m.seq"
	if q.OTPID != "" {
		seq = "+m.seq" // keeps SQLite from using the order: an OTP has few messages
	}
	query := selectSandboxMessages + " AND " + seq + " > ?"
	args := []any{column.Micros(s.clock.Now().Add(-sandbox.Keep)), q.After}
	if q.Account != "" {
		owner, err := s.AccountID(ctx, q.Account)
		if errors.Is(err, registry.ErrNoAccount) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		query, args = query+" AND m.account_id = ?", append(args, owner)
	}
	if q.OTPID != "" {
		query, args = query+" AND m.otp_id = ?", append(args, column.EncodeID(q.OTPID))
	}
	if q.ID != "" {
		query, args = query+" AND m.id = ?", append(args, column.EncodeID(q.ID))
	}
	if q.RecipientKey != [16]byte{} {
		query, args = query+" AND m.recipient_key = ?", append(args, q.RecipientKey[:])
	}
	query += " ORDER BY " + seq
	if !q.OldestFirst {
		query += " DESC"
	}
	query += " LIMIT ?"
	list, err := registry.Collect(s.pooled(ctx), registry.ScanSandboxMessage, query, append(args, q.Limit)...)
	if err != nil {
		return nil, s.readError("read sandbox messages", err)
	}
	return list, nil
}

const (
	// Messages come in the order of time, so only the first need a look.
	forgetSandboxMessages = `DELETE FROM sandbox_messages WHERE seq IN (
		SELECT seq FROM (SELECT seq, created_at FROM sandbox_messages ORDER BY seq LIMIT ?) WHERE created_at <= ?)`
	oldestSandboxMessage = "SELECT created_at FROM sandbox_messages ORDER BY seq LIMIT 1"
	// uses sandbox_messages_account_idx.
	crowdedSandboxes = "SELECT account_id FROM sandbox_messages GROUP BY account_id HAVING count(*) > ?"
)

// ForgetMessages implements sandbox.MessageStore.
func (s *Store) ForgetMessages(ctx context.Context) (int, error) {
	total := 0
	cutoff := column.Micros(s.clock.Now().Add(-sandbox.Keep))
	for {
		oldest, some, err := registry.First(s.pooled(ctx), registry.ScanInt, oldestSandboxMessage)
		if err != nil {
			return total, s.readError("read oldest sandbox message", err)
		}
		if !some || oldest > cutoff {
			break
		}
		n, err := s.drop(ctx, forgetSandboxMessages, upkeep.SweepBatch, cutoff)
		total += n
		if err != nil {
			return total, err
		}
	}
	crowded, err := registry.Collect(s.pooled(ctx), registry.ScanInt, crowdedSandboxes, sandbox.KeepNewest)
	if err != nil {
		return total, s.readError("count sandbox messages", err)
	}
	for _, owner := range crowded {
		n, err := s.drop(ctx, dropSandboxMessages, owner, sandbox.KeepNewest)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// uses sandbox_messages_recipient_idx.
const eraseSandboxMessages = `DELETE FROM sandbox_messages WHERE account_id = ? AND seq IN (
	SELECT seq FROM sandbox_messages WHERE account_id = ? AND recipient_key = ? LIMIT ?)`

// EraseMessages implements sandbox.MessageStore.
func (s *Store) EraseMessages(ctx context.Context, account string, recipientKey [16]byte) (int, error) {
	owner, err := s.AccountID(ctx, account)
	if errors.Is(err, registry.ErrNoAccount) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return s.dropAll(ctx, eraseSandboxMessages, owner, owner, recipientKey[:])
}

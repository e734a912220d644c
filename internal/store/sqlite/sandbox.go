package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
)

const addSandboxMessage = `INSERT INTO sandbox_messages (account_id, id, otp_id, recipient_key, created_at, body)
	VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING seq`

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
		if _, err := t.exec(withNumbers(registry.DropSandboxMessages), owner, sandbox.KeepNewest); err != nil {
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

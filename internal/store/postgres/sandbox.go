package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
)

const addSandboxMessage = `INSERT INTO sandbox_messages (account_id, id, otp_id, recipient_key, created_at, body)
	VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING seq`

// One recipient's messages get their numbers in the order in which they are
// committed: whoever reads on from the last one then misses none.
const lockSandboxRecipient = "SELECT pg_advisory_xact_lock($1)"

// PutMessage implements sandbox.MessageStore.
func (s *Store) PutMessage(ctx context.Context, m sandbox.SealedMessage) error {
	owner, err := s.AccountID(ctx, m.Account)
	if err != nil {
		return err
	}
	return s.write(ctx, func(t *tx) error {
		t.only(owner)
		t.put(lockSandboxRecipient, int64(binary.BigEndian.Uint64(m.RecipientKey[:8]))) //nolint:gosec // any number does
		seq, fresh, err := registry.First(t.query, registry.ScanInt, addSandboxMessage, owner, column.EncodeID(m.ID), column.EncodeID(m.OTPID), m.RecipientKey[:], column.Micros(t.now), m.Body)
		if err != nil {
			return fmt.Errorf("put sandbox message: %w", err)
		}
		if fresh && seq%registry.SandboxSweep == 0 {
			t.put(registry.DropSandboxMessages, owner, sandbox.KeepNewest)
		}
		return nil
	})
}

// uses sandbox_messages_id_key, sandbox_messages_recipient_idx,
// sandbox_messages_pkey or sandbox_messages_seq_idx.
const selectSandboxMessages = `SELECT m.seq, a.name, m.id, m.otp_id, m.recipient_key, m.created_at, m.body
	FROM sandbox_messages m JOIN accounts a ON a.id = m.account_id WHERE m.created_at > $1 AND m.seq > $2`

// Messages implements sandbox.MessageStore.
func (s *Store) Messages(ctx context.Context, q sandbox.MessageQuery) ([]sandbox.SealedMessage, error) {
	query := selectSandboxMessages
	args := []any{column.Micros(s.Now().Add(-sandbox.Keep)), q.After}
	also := func(condition string, arg any) {
		args = append(args, arg)
		query += condition + strconv.Itoa(len(args))
	}
	var owner int64
	if q.Account != "" {
		var err error
		owner, err = s.AccountID(ctx, q.Account)
		if errors.Is(err, registry.ErrNoAccount) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		also(" AND m.account_id = $", owner)
	}
	if q.OTPID != "" {
		also(" AND m.otp_id = $", column.EncodeID(q.OTPID))
	}
	if q.ID != "" {
		also(" AND m.id = $", column.EncodeID(q.ID))
	}
	if q.RecipientKey != [16]byte{} {
		also(" AND m.recipient_key = $", q.RecipientKey[:])
	}
	query += " ORDER BY m.seq"
	if !q.OldestFirst {
		query += " DESC"
	}
	also(" LIMIT $", q.Limit)
	list, err := registry.Collect(s.scoped(ctx, owner), registry.ScanSandboxMessage, query, args...)
	if err != nil {
		return nil, readError("read sandbox messages", err)
	}
	return list, nil
}

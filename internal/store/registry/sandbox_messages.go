package registry

import (
	"context"
	"errors"

	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/upkeep"
)

// SandboxSweep is how often a message that is put removes those of its account
// that are too many: once in so many.
const SandboxSweep = 64

// DropSandboxMessages removes an account's messages ($1) but the newest ($2).
// uses sandbox_messages_pkey, in SQLite sandbox_messages_account_idx.
const DropSandboxMessages = `DELETE FROM sandbox_messages WHERE account_id = $1 AND seq <= (
	SELECT seq FROM sandbox_messages WHERE account_id = $1 ORDER BY seq DESC LIMIT 1 OFFSET $2)`

const (
	// Messages come in the order of time, so only the first need a look.
	forgetSandboxMessages = `DELETE FROM sandbox_messages WHERE (account_id, seq) IN (
		SELECT account_id, seq FROM (SELECT account_id, seq, created_at FROM sandbox_messages ORDER BY seq LIMIT $1) old WHERE created_at <= $2)`
	oldestSandboxMessage = "SELECT created_at FROM sandbox_messages ORDER BY seq LIMIT 1"
	// uses sandbox_messages_pkey, in SQLite sandbox_messages_account_idx.
	crowdedSandboxes = "SELECT account_id FROM sandbox_messages GROUP BY account_id HAVING count(*) > $1"
	// uses sandbox_messages_recipient_idx.
	eraseSandboxMessages = `DELETE FROM sandbox_messages WHERE account_id = $1 AND seq IN (
		SELECT seq FROM sandbox_messages WHERE account_id = $1 AND recipient_key = $2 LIMIT $3)`
)

// ForgetMessages implements sandbox.MessageStore.
func (r *Registry) ForgetMessages(ctx context.Context) (int, error) {
	total := 0
	cutoff := column.Micros(r.db.Now().Add(-sandbox.Keep))
	for {
		oldest, some, err := First(r.db.Ask(ctx, 0), ScanInt, oldestSandboxMessage)
		if err != nil {
			return total, r.db.ReadError("read oldest sandbox message", err)
		}
		if !some || oldest > cutoff {
			break
		}
		n, err := r.Drop(ctx, forgetSandboxMessages, upkeep.SweepBatch, cutoff)
		total += n
		if err != nil {
			return total, err
		}
	}
	crowded, err := Collect(r.db.Ask(ctx, 0), ScanInt, crowdedSandboxes, sandbox.KeepNewest)
	if err != nil {
		return total, r.db.ReadError("count sandbox messages", err)
	}
	for _, owner := range crowded {
		n, err := r.Drop(ctx, DropSandboxMessages, owner, sandbox.KeepNewest)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// EraseMessages implements sandbox.MessageStore.
func (r *Registry) EraseMessages(ctx context.Context, account string, recipientKey [16]byte) (int, error) {
	owner, err := r.AccountID(ctx, account)
	if errors.Is(err, ErrNoAccount) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return r.DropAll(ctx, eraseSandboxMessages, owner, recipientKey[:])
}

// ScanSandboxMessage reads a message with its account's name: seq, account, id,
// otp_id, recipient_key, created_at, body.
func ScanSandboxMessage(row Row) (sandbox.SealedMessage, error) {
	var m sandbox.SealedMessage
	var id, otpID, recipient []byte
	var created int64
	if err := row.Scan(&m.Seq, &m.Account, &id, &otpID, &recipient, &created, &m.Body); err != nil {
		return m, err
	}
	m.ID, m.OTPID, m.Created = column.DecodeID(id), column.DecodeID(otpID), column.FromMicros(created)
	copy(m.RecipientKey[:], recipient)
	return m, nil
}

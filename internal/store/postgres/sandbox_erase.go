package postgres

import (
	"context"
	"errors"

	"github.com/countersign/countersign/internal/store/registry"
)

// uses sandbox_messages_recipient_idx.
const eraseSandboxMessages = `DELETE FROM sandbox_messages WHERE account_id = $1 AND seq IN (
	SELECT seq FROM sandbox_messages WHERE account_id = $1 AND recipient_key = $2 LIMIT $3)`

// EraseMessages implements sandbox.MessageStore.
func (s *Store) EraseMessages(ctx context.Context, account string, recipientKey [16]byte) (int, error) {
	owner, err := s.AccountID(ctx, account)
	if errors.Is(err, registry.ErrNoAccount) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return s.dropAll(ctx, eraseSandboxMessages, owner, recipientKey[:])
}

package registry

import (
	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/store/column"
)

// SandboxSweep is how often a message that is put removes those of its account
// that are too many: once in so many.
const SandboxSweep = 64

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

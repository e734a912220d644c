package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/verify"
)

// idempotencyKept is how long an answer is repeated (V-08).
const idempotencyKept = 24 * time.Hour

// answer is what is kept to repeat: the core's outcome, without the code, its
// digest or the recipient in any printable type.
type answer struct {
	Ref           verify.Ref
	State         otp.State
	Allowed       int
	Attempts      int
	EndSeen       bool
	Created       time.Time
	Expires       time.Time
	Ended         time.Time
	Life          time.Duration
	Recipient     string
	Reference     string
	ProfileID     string
	ApplicationID string
	Verdict       otp.Verdict
}

func answerOf(rec verify.Record) answer {
	return answer{
		Ref: rec.Ref, State: rec.State, Allowed: rec.Allowed, Attempts: rec.Attempts, EndSeen: rec.EndSeen,
		Created: rec.Created, Expires: rec.Expires, Ended: rec.Ended, Life: rec.Life,
		Recipient: rec.Recipient.Reveal(), Reference: rec.Reference,
		ProfileID: rec.ProfileID, ApplicationID: rec.ApplicationID,
	}
}

func (a answer) record() (verify.Record, error) {
	to, err := phone.ParseRecipient(a.Recipient)
	if err != nil {
		return verify.Record{}, fmt.Errorf("stored answer: %w", err)
	}
	return verify.Record{
		Ref: a.Ref, Recipient: to, Reference: a.Reference, ProfileID: a.ProfileID, ApplicationID: a.ApplicationID, Life: a.Life,
		OTP: otp.OTP{
			State: a.State, Allowed: a.Allowed, Attempts: a.Attempts, EndSeen: a.EndSeen,
			Created: a.Created, Expires: a.Expires, Ended: a.Ended,
		},
	}, nil
}

// uses idempotency_pkey.
const selectAnswer = `SELECT fingerprint, result FROM idempotency WHERE account_id = ? AND key = ? AND created_at > ?`

// repeat looks for an earlier answer and reports whether there is one, now in
// rec. verify.ErrIdempotencyMismatch if it was to another request.
func (t *tx) repeat(accountID int64, i verify.Idempotency, rec *verify.Record) (bool, error) {
	a, err := t.answer(accountID, i)
	if a == nil || err != nil {
		return false, err
	}
	*rec, err = a.record()
	return err == nil, err
}

func (t *tx) answer(accountID int64, i verify.Idempotency) (*answer, error) {
	if i.IsZero() {
		return nil, nil //nolint:nilnil // no answer is no error
	}
	var fingerprint []byte
	var result string
	err := t.row(selectAnswer, accountID, i.Key[:], t.now.Add(-idempotencyKept).UnixMicro()).Scan(&fingerprint, &result)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // as above
	}
	if err != nil {
		return nil, fmt.Errorf("read idempotency key: %w", err)
	}
	return answerTo(i, fingerprint, result)
}

// answerTo reads a kept answer. verify.ErrIdempotencyMismatch if it was to
// another request.
func answerTo(i verify.Idempotency, fingerprint []byte, result string) (*answer, error) {
	if !bytes.Equal(fingerprint, i.Fingerprint[:]) {
		return nil, verify.ErrIdempotencyMismatch
	}
	a := &answer{}
	if err := json.Unmarshal([]byte(result), a); err != nil { //nolint:musttag // the fields' names are the stored form
		return nil, fmt.Errorf("stored answer: %w", err)
	}
	return a, nil
}

// Answered implements verify.Store.
func (s *Store) Answered(ctx context.Context, account string, i verify.Idempotency) (verify.Record, error) {
	accountID, err := s.accountID(ctx, account)
	if err != nil {
		return verify.Record{}, err
	}
	var fingerprint []byte
	var result string
	err = s.read.QueryRowContext(ctx, selectAnswer, accountID, i.Key[:], column.Micros(s.clock.Now().Add(-idempotencyKept))).Scan(&fingerprint, &result)
	if errors.Is(err, sql.ErrNoRows) {
		return verify.Record{}, verify.ErrNotFound
	}
	if err != nil {
		return verify.Record{}, s.readError("read idempotency key", err)
	}
	a, err := answerTo(i, fingerprint, result)
	if err != nil {
		return verify.Record{}, err
	}
	return a.record()
}

// remember keeps the answer in the transaction of the work.
func (t *tx) remember(accountID int64, i verify.Idempotency, rec verify.Record) error {
	return t.rememberAnswer(accountID, i, answerOf(rec))
}

func (t *tx) rememberAnswer(accountID int64, i verify.Idempotency, a answer) error {
	if i.IsZero() {
		return nil
	}
	result, err := json.Marshal(a) //nolint:musttag // as above
	if err != nil {
		return fmt.Errorf("keep answer: %w", err)
	}
	_, err = t.exec(`INSERT INTO idempotency (account_id, key, fingerprint, result, created_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (account_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, result = excluded.result, created_at = excluded.created_at`,
		accountID, i.Key[:], i.Fingerprint[:], string(result), column.Micros(t.now))
	if err != nil {
		return fmt.Errorf("keep answer: %w", err)
	}
	return nil
}

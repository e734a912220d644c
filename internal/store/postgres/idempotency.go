package postgres

import (
	"bytes"
	"context"
	"encoding/json"
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

// The key is claimed before anything else is done, so that of two requests
// with one key the second waits for the first and then finds its answer. All
// use idempotency_pkey.
const (
	claimAnswer = `INSERT INTO idempotency (account_id, key, fingerprint, result, created_at) VALUES ($1, $2, $3, '', $4)
		ON CONFLICT (account_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, result = '', created_at = excluded.created_at
		WHERE idempotency.created_at <= $5`
	selectAnswer = `SELECT fingerprint, result FROM idempotency WHERE account_id = $1 AND key = $2`
	writeAnswer  = `UPDATE idempotency SET result = $3 WHERE account_id = $1 AND key = $2`
)

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
	claimed, err := t.exec(claimAnswer, accountID, i.Key[:], i.Fingerprint[:], column.Micros(t.now), column.Micros(t.now.Add(-idempotencyKept)))
	if err != nil {
		return nil, fmt.Errorf("claim idempotency key: %w", err)
	}
	if claimed > 0 {
		return nil, nil //nolint:nilnil // as above
	}
	if err := t.row(selectAnswer, accountID, i.Key[:]).Scan(&fingerprint, &result); err != nil {
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
	type kept struct {
		fingerprint []byte
		result      string
	}
	k, found, err := first(s.scoped(ctx, accountID), func(row scanner) (k kept, err error) {
		err = row.Scan(&k.fingerprint, &k.result)
		return k, err //nolint:wrapcheck // the caller says what it was doing
	}, selectAnswer+" AND created_at > $3", accountID, i.Key[:], column.Micros(s.Now().Add(-idempotencyKept)))
	switch {
	case err != nil:
		return verify.Record{}, readError("read idempotency key", err)
	case !found:
		return verify.Record{}, verify.ErrNotFound
	}
	a, err := answerTo(i, k.fingerprint, k.result)
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
	t.put(writeAnswer, accountID, i.Key[:], string(result))
	return nil
}

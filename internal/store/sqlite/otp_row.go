package sqlite

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/verify"
)

// otpRow is an OTP as the table keeps it.
type otpRow struct {
	verify.Record
	seq          int64
	accountID    int64
	recipientKey []byte
	resendable   bool
	limited      bool
	plan         string // JSON of delivery.Plan
	country      string // "" if it is not known
}

// otpColumns are what scan reads, in its order.
const otpColumns = `o.seq, o.account_id, o.id, o.origin, o.state, o.allowed, o.attempts, o.end_seen,
	o.form, o.code_length, o.bound, o.resendable, o.limited, o.created_at, o.expires_at,
	coalesce(o.ended_at, 0), o.life, o.key_id, o.digest, o.recipient, o.recipient_key,
	o.profile_id, o.application_id, coalesce(o.reference, ''), o.plan, coalesce(o.country, '')`

// scan reads otpColumns and then more. The account's name is the caller's to
// set.
func (r *otpRow) scan(from rower, more ...any) error {
	var (
		id, digest, profile, application []byte
		recipient                        string
		created, expires, ended, life    int64
		key                              int64
	)
	err := from.Scan(append([]any{
		&r.seq, &r.accountID, &id, &r.Origin, &r.State, &r.Allowed, &r.Attempts, &r.EndSeen,
		&r.Rule.Form, &r.Rule.Length, &r.Rule.Bound, &r.resendable, &r.limited, &created, &expires,
		&ended, &life, &key, &digest, &recipient, &r.recipientKey,
		&profile, &application, &r.Reference, &r.plan, &r.country,
	}, more...)...)
	if err != nil {
		return err
	}
	r.ID, r.ProfileID, r.ApplicationID = column.DecodeID(id), column.DecodeID(profile), column.DecodeID(application)
	r.Created, r.Expires, r.Ended = column.FromMicros(created), column.FromMicros(expires), column.FromMicros(ended)
	r.Life = time.Duration(life) * time.Microsecond
	r.Key = otp.KeyID(key) //nolint:gosec // written from a KeyID
	if copy(r.Digest[:], digest) != len(r.Digest) {
		return fmt.Errorf("otp %d: digest of %d bytes", r.seq, len(digest))
	}
	if r.Recipient, err = phone.ParseRecipient(recipient); err != nil {
		return fmt.Errorf("otp %d: stored recipient: %w", r.seq, err)
	}
	return nil
}

// decodePlan reads the plan. It is shared: read it only.
func (s *Store) decodePlan(r *otpRow) (delivery.Plan, error) {
	if p, ok := s.plans.find(r.plan); ok {
		return p, nil
	}
	var p delivery.Plan
	if err := json.Unmarshal([]byte(r.plan), &p); err != nil {
		return p, fmt.Errorf("otp %d: stored plan: %w", r.seq, err)
	}
	s.plans.keep(r.plan, p)
	return p, nil
}

// maxPlans bounds the decoded plans that are kept.
const maxPlans = 512

// planCache keeps decoded plans by their text: sends with the same template
// have the same plan, and each is read several times.
type planCache struct {
	mu    sync.Mutex // guards plans
	plans map[string]delivery.Plan
}

func (c *planCache) find(text string) (delivery.Plan, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.plans[text]
	return p, ok
}

func (c *planCache) keep(text string, p delivery.Plan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.plans == nil || len(c.plans) >= maxPlans {
		c.plans = make(map[string]delivery.Plan, maxPlans)
	}
	c.plans[text] = p
}

// as returns the record as it is at now.
func (r *otpRow) as(now time.Time) verify.Record {
	rec := r.Record
	rec.Expire(now)
	return rec
}

// uses otps_id_key.
const selectOTP = `SELECT ` + otpColumns + ` FROM otps o WHERE o.account_id = ? AND o.id = ? AND o.origin = ?`

// loadOTP reads the OTP inside a transaction; verify.ErrNotFound if ref names
// none.
func (t *tx) loadOTP(accountID int64, ref verify.Ref) (*otpRow, error) {
	r := &otpRow{}
	r.Account = ref.Account
	err := r.scan(t.row(selectOTP, accountID, column.EncodeID(ref.ID), ref.Origin))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, verify.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read otp: %w", err)
	}
	return r, nil
}

// use the primary key.
const (
	updateLife = `UPDATE otps SET state = ?1, attempts = ?2, end_seen = ?3, ended_at = ?4, expires_at = ?5, life = max(life, ?5 - created_at)
		WHERE seq = ?6 AND account_id = ?7`
	// No index has these columns: SQLite writes anew what an index has of a column
	// that is named, changed or not.
	updateAttempts = `UPDATE otps SET attempts = ?, end_seen = ? WHERE seq = ? AND account_id = ?`
)

// saveLife writes what checks and time changed.
func (t *tx) saveLife(r *otpRow) error {
	_, err := t.exec(updateLife, r.State, r.Attempts, r.EndSeen, column.OptionalMicros(r.Ended), r.Expires.UnixMicro(), r.seq, r.accountID)
	if err != nil {
		return fmt.Errorf("write otp: %w", err)
	}
	return nil
}

// saveAttempts writes what a check changed that ended nothing.
func (t *tx) saveAttempts(r *otpRow) error {
	if _, err := t.exec(updateAttempts, r.Attempts, r.EndSeen, r.seq, r.accountID); err != nil {
		return fmt.Errorf("write otp: %w", err)
	}
	return nil
}

// Nothing more is sent or timed for an OTP that has ended; its sealed codes go
// in the same transaction (C-05). A wait for a receipt that the end of time
// itself settles is left to EndWaits, which reports it; so is that of a delivery
// that was to be handed over a second time. One that was not handed over yet is
// left to its lease or the next claim, which report what became of it.
const (
	settleDeliveries = `UPDATE deliveries SET due_at = NULL, lease_node = NULL, sealed = NULL
		WHERE account_id = ? AND otp = ? AND (due_at IS NOT NULL OR sealed IS NOT NULL)`
	expireDeliveries = `UPDATE deliveries SET state = CASE WHEN state = 1 AND again_until IS NOT NULL THEN 2 ELSE state END,
			due_at = CASE WHEN state = 1 THEN coalesce(again_until, due_at) ELSE due_at END, sealed = NULL
		WHERE account_id = ? AND otp = ? AND (due_at IS NOT NULL OR sealed IS NOT NULL)`
)

// endDeliveries stops what an ended OTP still had under way.
func (t *tx) endDeliveries(r *otpRow) error {
	query := settleDeliveries
	if r.State == otp.Expired {
		query = expireDeliveries
	}
	if _, err := t.exec(query, r.accountID, r.seq); err != nil {
		return fmt.Errorf("end deliveries: %w", err)
	}
	return nil
}

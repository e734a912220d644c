package postgres

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

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
	decoded      *delivery.Plan
	country      string // "" if it is not known

	history *history // where its events end; nil until it is read
	last    int      // its newest delivery, where deliveries were read with it
}

// history is where an OTP's events end.
type history struct {
	seq int
	at  time.Time
}

// lifeColumns are what scanLife reads, in its order: what checks decide on and
// answer.
const lifeColumns = `o.state, o.allowed, o.attempts, o.end_seen, o.form, o.code_length, o.bound, o.limited, o.created_at, o.expires_at,
	coalesce(o.ended_at, 0), o.life, o.key_id, o.digest, o.recipient, o.profile_id, o.application_id, coalesce(o.reference, '')`

// scanLife reads lifeColumns and then more.
func (r *otpRow) scanLife(from scanner, more ...any) error {
	var (
		digest, profile, application  []byte
		recipient                     string
		created, expires, ended, life int64
		key                           int64
		state, form                   int16
	)
	err := from.Scan(append([]any{
		&state, &r.Allowed, &r.Attempts, &r.EndSeen, &form, &r.Rule.Length, &r.Rule.Bound, &r.limited, &created, &expires,
		&ended, &life, &key, &digest, &recipient, &profile, &application, &r.Reference,
	}, more...)...)
	if err != nil {
		return err
	}
	r.State, r.Rule.Form = otp.State(state), otp.Form(form) //nolint:gosec // written from such
	r.ProfileID, r.ApplicationID = column.DecodeID(profile), column.DecodeID(application)
	r.Created, r.Expires, r.Ended = column.FromMicros(created), column.FromMicros(expires), column.FromMicros(ended)
	r.Life = time.Duration(life) * time.Microsecond
	r.Key = otp.KeyID(key) //nolint:gosec // written from a KeyID
	if copy(r.Digest[:], digest) != len(r.Digest) {
		return fmt.Errorf("stored otp: digest of %d bytes", len(digest))
	}
	if r.Recipient, err = phone.ParseRecipient(recipient); err != nil {
		return fmt.Errorf("stored otp: recipient: %w", err)
	}
	return nil
}

// otpColumns are what scan reads, in its order.
const otpColumns = lifeColumns + `, o.seq, o.account_id, o.id, o.origin, o.resendable, o.recipient_key, o.plan, coalesce(o.country, '')`

// scan reads otpColumns and then more. The account's name is the caller's to
// set.
func (r *otpRow) scan(from scanner, more ...any) error {
	var id []byte
	err := r.scanLife(from, append([]any{
		&r.seq, &r.accountID, &id, &r.Origin, &r.resendable, &r.recipientKey, &r.plan, &r.country,
	}, more...)...)
	r.ID = column.DecodeID(id)
	return err
}

// decodePlan reads the plan.
func (r *otpRow) decodePlan() (delivery.Plan, error) {
	if r.decoded != nil {
		return *r.decoded, nil
	}
	var p delivery.Plan
	if err := json.Unmarshal([]byte(r.plan), &p); err != nil {
		return p, fmt.Errorf("otp %d: stored plan: %w", r.seq, err)
	}
	r.decoded = &p
	return p, nil
}

// as returns the record as it is at now.
func (r *otpRow) as(now time.Time) verify.Record {
	rec := r.Record
	rec.Expire(now)
	return rec
}

// uses otps_id_key.
const selectOTP = `SELECT ` + otpColumns + ` FROM otps o WHERE o.account_id = $1 AND o.id = $2 AND o.origin = $3`

// loadOTP locks and reads the OTP and then the time; verify.ErrNotFound if ref
// names none.
func (t *tx) loadOTP(accountID int64, ref verify.Ref) (*otpRow, error) {
	var r *otpRow
	t.later.Queue(selectOTP+" FOR UPDATE", accountID, column.EncodeID(ref.ID), ref.Origin).Query(func(rows pgx.Rows) error {
		return eachRow(rows, func(row scanner) error {
			r = &otpRow{}
			r.Account = ref.Account
			return r.scan(row)
		})
	})
	if err := t.readClock(); err != nil { // in the same round trip, after the lock (V-03)
		return nil, fmt.Errorf("read otp: %w", err)
	}
	if r == nil {
		return nil, verify.ErrNotFound
	}
	return r, nil
}

// uses the primary key.
const updateLife = `UPDATE otps SET state = $1, attempts = $2, end_seen = $3, ended_at = $4, expires_at = $5, life = greatest(life, $5 - created_at)
	WHERE account_id = $6 AND seq = $7`

// saveLife writes what checks and time changed.
func (t *tx) saveLife(r *otpRow) {
	t.put(updateLife, int16(r.State), r.Attempts, r.EndSeen, column.OptionalMicros(r.Ended), r.Expires.UnixMicro(), r.accountID, r.seq)
}

// Nothing more is sent or timed for an OTP that has ended; its sealed codes go
// in the same transaction (C-05). A wait for a receipt that the end of time
// itself settles is left to EndWaits, which reports it; so is that of a delivery
// that was to be handed over a second time. One that was not handed over yet is
// left to its lease or the next claim, which report what became of it.
const (
	settleDeliveries = `UPDATE deliveries SET due_at = NULL, lease_node = NULL, sealed = NULL
		WHERE account_id = $1 AND otp = $2 AND (due_at IS NOT NULL OR sealed IS NOT NULL)`
	expireDeliveries = `UPDATE deliveries SET state = CASE WHEN state = 1 AND again_until IS NOT NULL THEN 2 ELSE state END,
			due_at = CASE WHEN state = 1 THEN coalesce(again_until, due_at) ELSE due_at END, sealed = NULL
		WHERE account_id = $1 AND otp = $2 AND (due_at IS NOT NULL OR sealed IS NOT NULL)`
)

// endDeliveries stops what an ended OTP still had under way.
func (t *tx) endDeliveries(r *otpRow) {
	query := settleDeliveries
	if r.State == otp.Expired {
		query = expireDeliveries
	}
	t.put(query, r.accountID, r.seq)
}

package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
)

const deliveryColumns = `d.seq, d.state, d.step, d.next_step, d.tries, d.reported, d.queued_at, coalesce(d.due_at, 0),
	coalesce(d.again_until, 0), d.dedupe, coalesce(d.sender, ''), coalesce(d.carrier, ''), coalesce(d.ref, ''), d.sealed`

// deliveryRow is a delivery as the table keeps it, with its OTP.
type deliveryRow struct {
	delivery.Delivery
	otp      *otpRow // shared by the deliveries of one OTP in a transaction
	plan     delivery.Plan
	step     delivery.Step
	sealed   []byte
	reported bool   // a final receipt was recorded
	notes    []byte // of tries, to be added to those that are kept
}

// standing is what the rules ask of the row at now.
func (r *deliveryRow) standing(now time.Time) delivery.Standing {
	return delivery.Standing{
		Now: now, Of: r.otp.At(now), Expires: r.otp.Expires, Step: r.step, Sealed: r.sealed != nil, Reported: r.reported,
	}
}

// scan reads otpColumns, deliveryColumns and then more.
func (r *deliveryRow) scan(from scanner, more ...any) error {
	var queued, due, again int64
	var dedupe []byte
	var state int16
	r.otp = &otpRow{}
	err := r.otp.scan(from, append([]any{
		&r.Seq, &state, &r.StepAt, &r.Next, &r.Tries, &r.reported, &queued, &due,
		&again, &dedupe, &r.Sender, &r.Carrier, &r.Ref, &r.sealed,
	}, more...)...)
	if err != nil {
		return err
	}
	r.State, r.OTPID = delivery.State(state), r.otp.ID //nolint:gosec // written from a State
	r.Queued, r.Due, r.AgainUntil = column.FromMicros(queued), column.FromMicros(due), column.FromMicros(again)
	if u, err := uuid.FromBytes(dedupe); err == nil {
		r.Dedupe = u.String()
	}
	if r.plan, err = r.otp.decodePlan(); err != nil {
		return err
	}
	var ok bool
	if r.step, ok = r.plan.Step(r.StepAt); !ok {
		return fmt.Errorf("otp %d: delivery %d of no step", r.otp.seq, r.Seq)
	}
	r.Channel = r.step.Channel
	return nil
}

// deliveryKey names a delivery inside the database.
type deliveryKey struct {
	accountID int64
	id        []byte // of its OTP
	seq       int
}

func scanDeliveryKey(row scanner) (k deliveryKey, err error) {
	err = row.Scan(&k.accountID, &k.id, &k.seq)
	return k, err
}

const (
	// uses otps_id_key.
	lockDeliveries = `SELECT o.seq FROM otps o WHERE (o.account_id, o.id) IN (
			SELECT i.account_id, i.id FROM unnest($1::bigint[], $2::bytea[]) AS i (account_id, id))
		ORDER BY o.account_id, o.id FOR UPDATE OF o`
	// uses otps_id_key, deliveries_pkey, events_pkey.
	selectDeliveries = `SELECT ` + otpColumns + `, ` + deliveryColumns + `, i.n, coalesce(e.seq, 0), coalesce(e.at, 0),
			(SELECT max(l.seq) FROM deliveries l WHERE l.account_id = o.account_id AND l.otp = o.seq)
		FROM unnest($1::bigint[], $2::bytea[], $3::int[]) WITH ORDINALITY AS i (account_id, id, seq, n)
		JOIN otps o ON o.account_id = i.account_id AND o.id = i.id
		JOIN deliveries d ON d.account_id = o.account_id AND d.otp = o.seq AND d.seq = i.seq
		LEFT JOIN LATERAL (SELECT seq, at FROM events h
			WHERE h.account_id = o.account_id AND h.otp = o.seq ORDER BY h.seq DESC LIMIT 1) e ON true`
)

// deliveries locks the OTPs of the deliveries that keys name, and then reads
// both and the time. What is no more is nil in the result. Its transaction begins
// with byKeys.
func (t *tx) deliveries(keys []deliveryKey) ([]*deliveryRow, error) {
	accounts, ids, seqs := []int64{}, [][]byte{}, []int{}
	for _, k := range keys {
		accounts, ids, seqs = append(accounts, k.accountID), append(ids, k.id), append(seqs, k.seq)
	}
	found := make([]*deliveryRow, len(keys))
	otps := map[int64]*otpRow{}
	t.put(lockDeliveries, accounts, ids)
	t.later.Queue(selectDeliveries, accounts, ids, seqs).Query(func(rows pgx.Rows) error {
		return eachRow(rows, func(row scanner) error {
			r := &deliveryRow{}
			var n, lastSeq, last int
			var lastAt int64
			if err := r.scan(row, &n, &lastSeq, &lastAt, &last); err != nil {
				return err
			}
			if shared, ok := otps[r.otp.seq]; ok {
				r.otp = shared
			}
			otps[r.otp.seq] = r.otp
			r.otp.history, r.otp.last = &history{lastSeq, column.FromMicros(lastAt)}, last
			found[n-1] = r
			return nil
		})
	})
	if err := t.readClock(); err != nil {
		return nil, fmt.Errorf("read deliveries: %w", err)
	}
	for _, r := range found {
		if r == nil {
			continue
		}
		name, err := t.store.AccountName(t.query, r.otp.accountID)
		if err != nil {
			return nil, err
		}
		r.Account, r.otp.Account = name, name
	}
	return found, nil
}

// uses deliveries_due_idx.
const selectNextDue = `SELECT coalesce((SELECT min(due_at) FROM deliveries WHERE state = 1 AND due_at IS NOT NULL), 0),
	coalesce((SELECT min(due_at) FROM deliveries WHERE state = 2 AND due_at IS NOT NULL), 0)`

// nextDue reads when the next try and the next end of a wait are due, 0 for
// none.
func nextDue(q ask) (try, wait int64, err error) {
	due, _, err := registry.First(q, scanTwo, selectNextDue)
	if err != nil {
		return 0, 0, fmt.Errorf("read next due delivery: %w", err)
	}
	return due[0], due[1], nil
}

// dueNow asks without a lock what is due, so that idle nodes do not write.
func (s *Store) dueNow(ctx context.Context) (try, wait int64, err error) {
	try, wait, err = nextDue(s.pooled(ctx))
	if err != nil {
		err = readError("look for work", err)
	}
	return try, wait, err
}

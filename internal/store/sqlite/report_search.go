package sqlite

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/report"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
)

var _ report.Store = (*Store)(nil)

// summaryColumns are what scanSummary reads. The newest delivery's are empty
// where there is none.
const summaryColumns = `o.id, o.origin, o.state, o.recipient, coalesce(o.country, ''), coalesce(o.reference, ''), o.profile_id, o.application_id,
	o.created_at, o.expires_at, coalesce(o.ended_at, 0), o.attempts, o.allowed, o.plan,
	coalesce(CASE WHEN d.state = 1 AND d.again_until IS NOT NULL THEN 2 ELSE d.state END, 0), coalesce(d.step, -1), coalesce(d.carrier, '')`

// uses the primary key, then deliveries_pkey.
const selectSummary = `SELECT ` + summaryColumns + ` FROM otps o
	LEFT JOIN deliveries d ON d.account_id = o.account_id AND d.otp = o.seq AND d.seq =
		(SELECT max(seq) FROM deliveries WHERE account_id = o.account_id AND otp = o.seq)
	WHERE o.account_id = ? AND o.seq = ?`

// sharedBeginning finds a row if more OTPs than so many have a reference that
// begins so.
const sharedBeginning = `SELECT 1 FROM otps INDEXED BY otps_reference_idx WHERE account_id = ? AND reference >= ? AND reference < ? LIMIT 1 OFFSET ?`

// finding is a search under way.
type finding struct {
	report.Selection
	s         *Store
	accountID int64
	now       time.Time
	by        registry.Reads
}

// FindOTPs implements report.Store.
func (s *Store) FindOTPs(ctx context.Context, sel report.Selection) (report.Found, error) {
	accountID, err := s.AccountID(ctx, sel.Account)
	if err != nil {
		return report.Found{}, err
	}
	f := &finding{Selection: sel, s: s, accountID: accountID, now: s.clock.Now()}
	var found report.Found
	err = s.walk(ctx, func() error {
		return s.snapshot(ctx, func(q ask) error {
			var err error
			if f.by, err = registry.ReadsBy(q, sel, accountID, sharedBeginning); err != nil {
				return err
			}
			from, args := f.source()
			matches, more := f.matches()
			query := `SELECT o.seq, o.created_at, ` + matches + ` FROM (` + from + `) o`
			search := registry.Search{
				Selection: sel, AccountID: accountID, All: len(more) == 0,
				Look: func(before int64, most int) (string, []any) { return query, slices.Concat(more, args(before, most)) },
			}
			seqs, err := search.Page(q, &found)
			if err != nil {
				return err
			}
			for _, seq := range seqs {
				o, ok, err := registry.First(q, f.scanSummary, selectSummary, accountID, seq)
				if err != nil {
					return err
				}
				if ok {
					found.OTPs = append(found.OTPs, o)
				}
			}
			return nil
		})
	})
	if err != nil {
		return report.Found{}, s.readError("search otps", err)
	}
	return found, nil
}

func (f *finding) scanSummary(rows rower) (o report.Summary, err error) {
	var row summaryRow
	if err := rows.Scan(row.dest(&o)...); err != nil {
		return o, err
	}
	return o, row.finish(f.s, &o, f.now)
}

// source is what the search looks at, newest first, with its arguments for
// what is before a position, at most so many.
func (f *finding) source() (query string, args func(before int64, most int) []any) {
	const table = `SELECT seq, account_id, state, created_at, expires_at, recipient_key, reference FROM otps`
	const columns = table + ` WHERE account_id = ?`
	const tail = ` AND seq < ? ORDER BY seq DESC LIMIT ?`
	key := []any{f.accountID}
	args = func(before int64, most int) []any { return slices.Concat(key, []any{before, most}) }
	switch {
	case f.by == registry.ByID: // uses otps_id_key
		key = append(key, column.EncodeID(f.ID))
		return table + ` INDEXED BY otps_id_key WHERE account_id = ? AND id = ?` + tail, args
	case f.by == registry.ByReference:
		// What stands before the first blank is found, too, and put in the order
		// that one whole reference has in otps_reference_idx.
		const from = table + ` INDEXED BY otps_reference_idx WHERE account_id = ?`
		query = `SELECT * FROM (SELECT * FROM (` + from + ` AND reference = ?` + tail + `) UNION ALL
			SELECT * FROM (` + table + ` WHERE seq IN (SELECT seq FROM otps INDEXED BY otps_reference_idx
				WHERE account_id = ? AND reference >= ? AND reference < ?` + tail + `))) ORDER BY seq DESC LIMIT ?`
		begin, end := registry.Begun(f.Reference)
		return query, func(before int64, most int) []any {
			return []any{f.accountID, f.Reference, before, most, f.accountID, begin, end, before, most, most}
		}
	case f.by == registry.ByRecipient: // uses recipients_pkey
		key = append(key, f.RecipientKey[:])
		return `SELECT o.seq, o.account_id, o.state, o.created_at, o.expires_at, o.recipient_key, o.reference FROM recipients r CROSS JOIN otps o ON o.seq = r.otp
			WHERE r.account_id = ? AND r.recipient_key = ? AND r.otp < ? ORDER BY r.otp DESC LIMIT ?`, args
	case f.State == otp.TooManyAttempts: // uses otps_blocked_idx
		return columns + ` AND state = 4` + tail, args
	}
	return columns + tail, args // uses otps_account_idx
}

// matches is a condition on what source has.
func (f *finding) matches() (condition string, args []any) {
	var all []string
	if f.RecipientKey != [16]byte{} && f.by != registry.ByRecipient {
		all, args = append(all, `o.recipient_key = ?`), append(args, f.RecipientKey[:])
	}
	if f.Reference != "" && f.by != registry.ByReference {
		begin, end := registry.Begun(f.Reference)
		all = append(all, `coalesce(o.reference = ? OR o.reference >= ? AND o.reference < ?, 0)`)
		args = append(args, f.Reference, begin, end)
	}
	switch f.State {
	case otp.Active:
		all, args = append(all, `o.state = 1 AND o.expires_at > ?`), append(args, column.Micros(f.now))
	case otp.Expired:
		all, args = append(all, `(o.state = 3 OR o.state = 1 AND o.expires_at <= ?)`), append(args, column.Micros(f.now))
	case otp.Verified, otp.TooManyAttempts:
		all, args = append(all, `o.state = ?`), append(args, f.State)
	}
	if f.Channel != "" { // uses events_pkey
		all = append(all, `EXISTS (SELECT 1 FROM events e WHERE e.account_id = o.account_id AND e.otp = o.seq AND e.channel = ?)`)
		args = append(args, string(f.Channel))
	}
	if f.Carrier != "" { // uses deliveries_pkey
		all = append(all, `EXISTS (SELECT 1 FROM deliveries d WHERE d.account_id = o.account_id AND d.otp = o.seq AND d.carrier = ?)`)
		args = append(args, f.Carrier)
	}
	if !f.To.IsZero() {
		all, args = append(all, `o.created_at < ?`), append(args, column.Micros(f.To))
	}
	if len(all) == 0 {
		return "1", nil
	}
	return strings.Join(all, " AND "), args
}

// summaryRow receives summaryColumns.
type summaryRow struct {
	id, profile, application []byte
	recipient, plan          string
	created, expires, ended  int64
	step                     int
}

func (r *summaryRow) dest(o *report.Summary) []any {
	return []any{
		&r.id, &o.Origin, &o.State, &r.recipient, &o.Country, &o.Reference, &r.profile, &r.application,
		&r.created, &r.expires, &r.ended, &o.Attempts, &o.Allowed, &r.plan, &o.Delivery, &r.step, &o.Carrier,
	}
}

// finish sets what the columns tell together, as of now.
func (r *summaryRow) finish(s *Store, o *report.Summary, now time.Time) error {
	row := &otpRow{plan: r.plan}
	o.ID, o.ProfileID, o.ApplicationID = column.DecodeID(r.id), column.DecodeID(r.profile), column.DecodeID(r.application)
	o.Created, o.Expires, o.Ended = column.FromMicros(r.created), column.FromMicros(r.expires), column.FromMicros(r.ended)
	var err error
	if o.Recipient, err = phone.ParseRecipient(r.recipient); err != nil {
		return err //nolint:wrapcheck // the caller says what it was doing
	}
	plan, err := s.decodePlan(row)
	if err != nil {
		return err
	}
	if step, ok := plan.Step(r.step); ok {
		o.Channel = step.Channel
	}
	life := otp.OTP{State: o.State, Expires: o.Expires, Ended: o.Ended}
	life.Expire(now)
	o.State, o.Ended = life.State, life.Ended
	return nil
}

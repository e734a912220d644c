package postgres

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/report"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
)

var _ report.Store = (*Store)(nil)

const (
	// searchSlack is how much later than its neighbours an OTP may have been
	// accepted: several nodes draw numbers and read the time.
	searchSlack = time.Minute
)

// summaryColumns are what summaryRow receives. The newest delivery's are empty
// where there is none.
const summaryColumns = `o.id, o.origin, o.state, o.recipient, coalesce(o.country, ''), coalesce(o.reference, ''), o.profile_id, o.application_id,
	o.created_at, o.expires_at, coalesce(o.ended_at, 0), o.attempts, o.allowed, o.plan,
	coalesce(d.state, 0), coalesce(d.step, -1), coalesce(d.carrier, '')`

// newestDelivery joins an OTP's. uses deliveries_pkey.
const newestDelivery = ` LEFT JOIN LATERAL (SELECT CASE WHEN v.state = 1 AND v.again_until IS NOT NULL THEN 2 ELSE v.state END AS state, v.step, v.carrier FROM deliveries v
	WHERE v.account_id = o.account_id AND v.otp = o.seq ORDER BY v.seq DESC LIMIT 1) d ON true `

// uses otps_pkey.
const selectSummaries = `SELECT ` + summaryColumns + ` FROM unnest($2::bigint[]) WITH ORDINALITY AS i (seq, n)
	JOIN otps o ON o.account_id = $1 AND o.seq = i.seq` + newestDelivery + `ORDER BY i.n`

// sharedBeginning finds a row if more OTPs than so many have a reference that
// begins so. uses otps_reference_idx, whose order makes it end there.
const sharedBeginning = `SELECT 1 FROM otps WHERE account_id = $1 AND reference COLLATE "C" >= $2 AND reference COLLATE "C" < $3
	ORDER BY account_id, reference COLLATE "C", seq OFFSET $4 LIMIT 1`

// finding is a search under way.
type finding struct {
	report.Selection

	now time.Time
	by  registry.Reads
}

// FindOTPs implements report.Store.
func (s *Store) FindOTPs(ctx context.Context, sel report.Selection) (report.Found, error) {
	accountID, err := s.AccountID(ctx, sel.Account)
	if err != nil {
		return report.Found{}, err
	}
	f := &finding{Selection: sel, now: s.Now()}
	var found report.Found
	err = s.snapshot(ctx, accountID, func(q ask) error {
		var err error
		if f.by, err = registry.ReadsBy(q, sel, accountID, sharedBeginning); err != nil {
			return err
		}
		query, args, filtered := f.query()
		search := registry.Search{
			Selection: sel, AccountID: accountID, All: !filtered, Slack: searchSlack,
			Look: func(before int64, most int) (string, []any) {
				return query, slices.Concat([]any{accountID, before, most}, args)
			},
		}
		seqs, err := search.Page(q, &found)
		if err != nil || len(seqs) == 0 {
			return err
		}
		found.OTPs, err = registry.Collect(q, func(row scanner) (o report.Summary, err error) {
			_, err = scanSummary(row, &o, f.now)
			return o, err
		}, selectSummaries, accountID, seqs)
		return err
	})
	if err != nil {
		return report.Found{}, readError("search otps", err)
	}
	return found, nil
}

// query looks at OTPs of account $1 before position $2, at most $3, newest
// first, and says of each whether it matches; args follow. filtered is false
// if all match.
func (f *finding) query() (query string, args []any, filtered bool) {
	also := func(arg any) string {
		args = append(args, arg)
		return "$" + strconv.Itoa(3+len(args))
	}
	const columns = `SELECT seq, account_id, state, created_at, expires_at, recipient_key, reference FROM otps WHERE account_id = $1`
	const tail = ` AND seq < $2 ORDER BY seq DESC LIMIT $3`
	// What stands before the first blank is found, too.
	reference := func(is string) (whole, begun string) {
		from, to := registry.Begun(f.Reference)
		return is + ` COLLATE "C" = ` + also(f.Reference), is + ` COLLATE "C" >= ` + also(from) + ` AND ` + is + ` COLLATE "C" < ` + also(to)
	}
	source := columns + tail // uses otps_pkey
	switch {
	case f.by == registry.ByID: // uses otps_id_key
		source = columns + ` AND id = ` + also(column.EncodeID(f.ID)) + tail
	case f.by == registry.ByReference:
		// uses otps_reference_idx, for one whole reference in the order of seq.
		// What only begins so is put in that order first and then read one by one:
		// otherwise all OTPs may be read while there are no statistics of them.
		whole, begun := reference("reference")
		source = `WITH begun AS MATERIALIZED (SELECT seq FROM otps WHERE account_id = $1 AND ` + begun + ` AND seq < $2)
			SELECT * FROM ((` + columns + ` AND ` + whole + tail + `) UNION ALL
			(SELECT o.* FROM (SELECT seq FROM begun ORDER BY seq DESC LIMIT $3) b CROSS JOIN LATERAL (` + columns + ` AND seq = b.seq LIMIT 1) o)) u
			ORDER BY seq DESC LIMIT $3`
	case f.by == registry.ByRecipient: // uses otps_recipient_idx
		source = columns + ` AND recipient_key = ` + also(f.RecipientKey[:]) + tail
	case f.State == otp.TooManyAttempts: // uses otps_blocked_idx
		source = columns + ` AND state = 4` + tail
	}
	var all []string
	if f.RecipientKey != [16]byte{} && f.by != registry.ByRecipient {
		all = append(all, `o.recipient_key = `+also(f.RecipientKey[:]))
	}
	if f.Reference != "" && f.by != registry.ByReference {
		whole, begun := reference("o.reference")
		all = append(all, `coalesce(`+whole+` OR `+begun+`, false)`)
	}
	switch f.State {
	case otp.Active:
		all = append(all, `o.state = 1 AND o.expires_at > `+also(column.Micros(f.now)))
	case otp.Expired:
		all = append(all, `(o.state = 3 OR o.state = 1 AND o.expires_at <= `+also(column.Micros(f.now))+`)`)
	case otp.Verified, otp.TooManyAttempts:
		all = append(all, `o.state = `+also(int16(f.State)))
	}
	if f.Channel != "" { // uses events_pkey
		all = append(all, `EXISTS (SELECT 1 FROM events e WHERE e.account_id = o.account_id AND e.otp = o.seq AND e.channel = `+also(string(f.Channel))+`)`)
	}
	if f.Carrier != "" { // uses deliveries_pkey
		all = append(all, `EXISTS (SELECT 1 FROM deliveries d WHERE d.account_id = o.account_id AND d.otp = o.seq AND d.carrier = `+also(f.Carrier)+`)`)
	}
	if !f.From.IsZero() {
		all = append(all, `o.created_at >= `+also(column.Micros(f.From)))
	}
	if !f.To.IsZero() {
		all = append(all, `o.created_at < `+also(column.Micros(f.To)))
	}
	condition := "true"
	if len(all) > 0 {
		condition = strings.Join(all, " AND ")
	}
	return `SELECT o.seq, o.created_at, ` + condition + ` FROM (` + source + `) o ORDER BY o.seq DESC`, args, len(all) > 0
}

// scanSummary reads summaryColumns and then more, and returns the plan.
func scanSummary(row scanner, o *report.Summary, now time.Time, more ...any) (delivery.Plan, error) {
	var id, profile, application []byte
	var recipient string
	var created, expires, ended int64
	var state, sent int16
	var step int
	var r otpRow
	err := row.Scan(append([]any{
		&id, &o.Origin, &state, &recipient, &o.Country, &o.Reference, &profile, &application,
		&created, &expires, &ended, &o.Attempts, &o.Allowed, &r.plan, &sent, &step, &o.Carrier,
	}, more...)...)
	if err != nil {
		return delivery.Plan{}, err
	}
	o.ID, o.ProfileID, o.ApplicationID = column.DecodeID(id), column.DecodeID(profile), column.DecodeID(application)
	o.Delivery = delivery.State(sent) //nolint:gosec // written from such
	if o.Recipient, err = phone.ParseRecipient(recipient); err != nil {
		return delivery.Plan{}, err //nolint:wrapcheck // as above
	}
	plan, err := r.decodePlan()
	if err != nil {
		return plan, err
	}
	if s, ok := plan.Step(step); ok {
		o.Channel = s.Channel
	}
	life := otp.OTP{State: otp.State(state), Expires: column.FromMicros(expires), Ended: column.FromMicros(ended)} //nolint:gosec // as above
	life.Expire(now)
	o.Created, o.Expires, o.State, o.Ended = column.FromMicros(created), life.Expires, life.State, life.Ended
	return plan, nil
}

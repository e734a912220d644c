package postgres

import (
	"context"
	"math"
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

// A search looks at OTPs from the newest on, so many at a time, and stops
// after so many: people are told how far it came and go on from there.
const (
	searchChunk  = 1000
	searchMost   = 10000
	searchDeeper = 6000 // where events or deliveries are looked at, too
	sharedPrefix = 1000 // OTPs with one beginning of a reference

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

// finding is a search under way.
type finding struct {
	report.Selection

	accountID int64
	now       time.Time
}

// FindOTPs implements report.Store.
func (s *Store) FindOTPs(ctx context.Context, sel report.Selection) (report.Found, error) {
	accountID, err := s.AccountID(ctx, sel.Account)
	if err != nil {
		return report.Found{}, err
	}
	f := &finding{sel, accountID, s.Now()}
	var found report.Found
	err = s.snapshot(ctx, accountID, func(q ask) error {
		seqs, err := f.seqs(q, &found)
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

// seqs returns which OTPs the page has, and says in found how to go on.
func (f *finding) seqs(q ask, found *report.Found) ([]int64, error) {
	if f.ID != "" { // uses otps_id_key
		return registry.Collect(q, registry.ScanInt, "SELECT seq FROM otps WHERE account_id = $1 AND id = $2", f.accountID, column.EncodeID(f.ID))
	}
	before := int64(math.MaxInt64)
	if f.Before != 0 {
		before = f.Before
	}
	if !f.To.IsZero() {
		at, err := f.position(q, f.To.Add(searchSlack))
		if err != nil {
			return nil, err
		}
		before = min(before, at)
	}
	query, args, filtered := f.query()
	budget, most := searchMost, searchChunk
	if f.Channel != "" || f.Carrier != "" {
		budget = searchDeeper
	}
	if !filtered {
		most = min(f.Limit+1, searchChunk)
	}
	var seqs []int64
	for looked := 0; looked < budget; {
		chunk, err := registry.Collect(q, scanLooked, query, slices.Concat([]any{f.accountID, before, most}, args)...)
		if err != nil {
			return nil, err
		}
		for _, l := range chunk {
			if l.created.Before(f.From.Add(-searchSlack)) {
				found.Searched = time.Time{}
				return seqs, nil // all others are older
			}
			if l.matches && len(seqs) == f.Limit {
				found.Next, found.Searched = before, time.Time{}
				return seqs, nil
			}
			if l.matches {
				seqs = append(seqs, l.seq)
			}
			before, found.Searched = l.seq, l.created
		}
		if looked += len(chunk); len(chunk) < most {
			found.Searched = time.Time{}
			return seqs, nil
		}
	}
	found.Next = before
	return seqs, nil
}

// looked is one OTP that a search looked at.
type looked struct {
	seq     int64
	created time.Time
	matches bool
}

func scanLooked(row scanner) (l looked, err error) {
	var at int64
	err = row.Scan(&l.seq, &at, &l.matches)
	l.created = column.FromMicros(at)
	return l, err
}

// query looks at OTPs of account $1 before position $2, at most $3, newest
// first, and says of each whether it matches; args follow. filtered is false
// if all match.
func (f *finding) query() (query string, args []any, filtered bool) {
	also := func(arg any) string {
		args = append(args, arg)
		return "$" + strconv.Itoa(3+len(args))
	}
	const columns = `SELECT seq, account_id, state, created_at, expires_at, recipient_key FROM otps WHERE account_id = $1`
	const tail = ` AND seq < $2 ORDER BY seq DESC LIMIT $3`
	source := columns + tail // uses otps_pkey
	switch {
	case f.Reference != "":
		// What stands before the first blank is found, too. uses
		// otps_reference_idx, for one whole reference in the order of seq.
		whole, from, to := also(f.Reference), also(f.Reference+" "), also(f.Reference+"!")
		source = `SELECT * FROM ((` + columns + ` AND reference COLLATE "C" = ` + whole + tail + `) UNION ALL
			(` + columns + ` AND reference COLLATE "C" >= ` + from + ` AND reference COLLATE "C" < ` + to + ` LIMIT ` + also(sharedPrefix) + `)) u
			WHERE seq < $2 ORDER BY seq DESC LIMIT $3`
	case f.RecipientKey != [16]byte{}: // uses otps_recipient_idx
		source = columns + ` AND recipient_key = ` + also(f.RecipientKey[:]) + tail
	case f.State == otp.TooManyAttempts: // uses otps_blocked_idx
		source = columns + ` AND state = 4` + tail
	}
	var all []string
	if f.RecipientKey != [16]byte{} && f.Reference != "" {
		all = append(all, `o.recipient_key = `+also(f.RecipientKey[:]))
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

// position returns one behind all OTPs that were accepted before at: seq rises
// with the time of acceptance.
func (f *finding) position(q ask, at time.Time) (int64, error) {
	// uses otps_pkey.
	const next = `SELECT seq, created_at FROM otps WHERE account_id = $1 AND seq >= $2 ORDER BY seq LIMIT 1`
	last, _, err := registry.First(q, registry.ScanInt, "SELECT coalesce(max(seq), 0) FROM otps WHERE account_id = $1", f.accountID)
	if err != nil {
		return 0, err
	}
	low, high := int64(0), last+1 // all before low are early enough, high is not
	for low < high {
		middle := low + (high-low)/2
		found, ok, err := registry.First(q, scanTwo, next, f.accountID, middle)
		switch {
		case err != nil:
			return 0, err
		case !ok || found[1] >= column.Micros(at):
			high = middle
		default:
			low = found[0] + 1
		}
	}
	return low, nil
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

package registry

import (
	"math"
	"time"

	"github.com/countersign/countersign/internal/report"
	"github.com/countersign/countersign/internal/store/column"
)

// A search looks at OTPs from the newest on, so many at a time, and stops
// after so many: people are told how far it came and go on from there.
const (
	searchChunk  = 1000
	searchMost   = 10000
	searchDeeper = 6000 // where events or deliveries are looked at, too
)

// SharedBeginning is how many OTPs may have what is searched for before a blank
// in their reference, to be put in order for every look: those of a beginning
// that more share are come upon from the newest OTP on.
const SharedBeginning = 2000

// Begun returns between which references, from <= r < to in the order of their
// bytes, all stand that have a blank behind the reference.
func Begun(reference string) (from, to string) { return reference + " ", reference + "!" }

// Reads is by what a search reads OTPs: all else that it asks for are conditions on
// those.
type Reads int

// What searches read by.
const (
	ByAge Reads = iota // the newest of the account, or of those in a state
	ByID
	ByReference
	ByRecipient
)

// ReadsBy chooses what a search of an account reads by. shared finds a row if more
// OTPs of account $1 than $4 have a reference r with $2 <= r < $3.
func ReadsBy(q Ask, sel report.Selection, accountID int64, shared string) (Reads, error) {
	if sel.ID != "" {
		return ByID, nil
	}
	if sel.Reference != "" {
		from, to := Begun(sel.Reference)
		if many, err := Exists(q, shared, accountID, from, to, SharedBeginning); err != nil || !many {
			return ByReference, err
		}
	}
	if sel.RecipientKey != [16]byte{} {
		return ByRecipient, nil
	}
	return ByAge, nil
}

// Search is a search for OTPs. What it looks at is each store's own query.
type Search struct {
	report.Selection

	AccountID int64
	// Look is a query for OTPs before a position, newest first, at most so many:
	// seq, created_at, and whether each matches.
	Look func(before int64, most int) (query string, args []any)
	// All says that everything Look finds matches.
	All bool
	// Slack is how much later than its neighbours by seq an OTP may have been
	// accepted.
	Slack time.Duration
}

// Page returns which OTPs the page has, newest first, and says in found how to
// go on.
func (s *Search) Page(q Ask, found *report.Found) ([]int64, error) {
	before, err := s.start(q)
	if err != nil {
		return nil, err
	}
	budget, most := searchMost, searchChunk
	if s.Channel != "" || s.Carrier != "" {
		budget = searchDeeper
	}
	if s.All {
		most = min(s.Limit+1, searchChunk)
	}
	var seqs []int64
	var searched time.Time
	for n := 0; n < budget; {
		query, args := s.Look(before, most)
		chunk, err := Collect(q, scanLooked, query, args...)
		if err != nil {
			return nil, err
		}
		for _, l := range chunk {
			if l.created.Before(s.From.Add(-s.Slack)) {
				return seqs, nil // all others are older
			}
			if l.matches && len(seqs) == s.Limit {
				found.Next = before
				return seqs, nil
			}
			if l.matches {
				seqs = append(seqs, l.seq)
			}
			before, searched = l.seq, l.created
		}
		if n += len(chunk); len(chunk) < most {
			return seqs, nil
		}
	}
	found.Next, found.Searched = before, searched
	return seqs, nil
}

// start returns the position before which all that can match stands.
func (s *Search) start(q Ask) (int64, error) {
	before := int64(math.MaxInt64)
	if s.Before != 0 {
		before = s.Before
	}
	if s.To.IsZero() {
		return before, nil
	}
	behind, err := s.position(q, s.To.Add(s.Slack))
	return min(before, behind), err
}

// looked is one OTP that a search looked at.
type looked struct {
	seq     int64
	created time.Time
	matches bool
}

func scanLooked(row Row) (l looked, err error) {
	var at int64
	err = row.Scan(&l.seq, &at, &l.matches)
	l.created = column.FromMicros(at)
	return l, err
}

// position returns one behind all OTPs that were accepted before at: seq rises
// with the time of acceptance.
func (s *Search) position(q Ask, at time.Time) (int64, error) {
	// uses otps_pkey; in SQLite otps_account_idx.
	const next = `SELECT seq, created_at, true FROM otps WHERE account_id = $1 AND seq >= $2 ORDER BY seq LIMIT 1`
	last, _, err := First(q, ScanInt, "SELECT coalesce(max(seq), 0) FROM otps WHERE account_id = $1", s.AccountID)
	if err != nil {
		return 0, err
	}
	low, high := int64(0), last+1 // all before low are early enough, high is not
	for low < high {
		middle := low + (high-low)/2
		l, ok, err := First(q, scanLooked, next, s.AccountID, middle)
		switch {
		case err != nil:
			return 0, err
		case !ok || !l.created.Before(at):
			high = middle
		default:
			low = l.seq + 1
		}
	}
	return low, nil
}

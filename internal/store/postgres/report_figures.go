package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/report"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/upkeep"
)

const (
	// foldEvery is how often facts are added to figures. Readers see both.
	foldEvery = 5 * time.Second
	// foldBatch bounds how many facts one transaction adds.
	foldBatch = 5000
)

// factKey are facts that differ in their number only.
type factKey struct {
	report.Fact // without Took

	bucket int
}

// uses events_pkey: the newest of an OTP's few.
const selectLastDispatched = `SELECT at, coalesce(channel, ''), coalesce(carrier, '') FROM events
	WHERE account_id = $1 AND otp = $2 AND kind = 1 ORDER BY seq DESC LIMIT 1`

// count notes what an event counts for, to be written with the commit. It
// returns what a dispatched message's template is called.
func (t *tx) count(row *otpRow, e otp.Event) (label string, err error) {
	if !report.Counted(e.Kind) {
		return "", nil
	}
	plan, err := row.decodePlan()
	if err != nil {
		return "", err
	}
	f := report.OfMessage(row.accountID, row.Created, row.country, plan, e)
	if e.Kind == otp.EventVerified {
		sent, _, err := registry.First(t.query, func(row scanner) (sent otp.Event, err error) {
			var at int64
			err = row.Scan(&at, &sent.Channel, &sent.Carrier)
			sent.At = column.FromMicros(at)
			return sent, err
		}, selectLastDispatched, row.accountID, row.seq)
		if err != nil {
			return "", fmt.Errorf("read what was verified: %w", err)
		}
		f = report.OfVerification(row.accountID, row.Created, row.country, plan, sent, e)
	}
	key := factKey{f, 0}
	if f.Kind == otp.EventVerified {
		key.bucket = report.BucketOf(f.Took)
	}
	key.Took = 0
	if t.facts == nil {
		t.facts = map[factKey]int64{}
	}
	t.facts[key]++
	if e.Kind == otp.EventDispatched {
		label = f.Label
	}
	return label, nil
}

const insertFacts = `INSERT INTO figure_facts (account_id, hour, country, channel, carrier, label, kind, bucket, n)
	SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::smallint[], $8::int[], $9::bigint[])`

// putFacts writes what the transaction's events count for.
func (t *tx) putFacts() {
	if len(t.facts) == 0 {
		return
	}
	var accounts, hours, numbers []int64
	var countries, channels, carriers, labels []string
	var kinds []int16
	var buckets []int
	for k, n := range t.facts {
		accounts, hours, numbers = append(accounts, k.Account), append(hours, k.Hour), append(numbers, n)
		countries, channels = append(countries, k.Country), append(channels, k.Channel)
		carriers, labels = append(carriers, k.Carrier), append(labels, k.Label)
		kinds, buckets = append(kinds, int16(k.Kind)), append(buckets, k.bucket)
	}
	t.put(insertFacts, accounts, hours, countries, channels, carriers, labels, kinds, buckets, numbers)
}

// boundsMicros are the ends of the buckets of times to verify.
func boundsMicros() []int64 {
	var all []int64
	for _, b := range report.Bounds() {
		all = append(all, b.Microseconds())
	}
	return all
}

// fact is a row of figure_facts.
type fact struct {
	report.Fact

	bucket int
	n      int64
}

func scanFact(row scanner) (f fact, err error) {
	var kind int16
	err = row.Scan(&f.Account, &f.Hour, &f.Country, &f.Channel, &f.Carrier, &f.Label, &kind, &f.bucket, &f.n)
	f.Kind = otp.EventKind(kind) //nolint:gosec // written from such
	return f, err
}

const (
	// One node folds at a time; the others have nothing to wait for.
	lockFolding = `SELECT CASE WHEN pg_try_advisory_xact_lock(hashtextextended('countersign figures ' || current_schema(), 0)) THEN 1 ELSE 0 END`
	takeFacts   = `DELETE FROM figure_facts WHERE (account_id, seq) IN (SELECT account_id, seq FROM figure_facts LIMIT $1)
		RETURNING account_id, hour, country, channel, carrier, label, kind, bucket, n`
	// Both use figures_pkey.
	selectCounts = `SELECT counts FROM figures WHERE account_id = $1 AND dimension = $2 AND day = $3 AND value = $4`
	upsertCounts = `INSERT INTO figures (account_id, dimension, day, value, counts) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account_id, dimension, day, value) DO UPDATE SET counts = excluded.counts`
)

// foldFigures adds facts to figures from time to time, until ctx ends.
func (s *Store) foldFigures(ctx context.Context) {
	ticker := time.NewTicker(foldEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := s.FoldFigures(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "figures are not folded yet", slog.Any("err", err))
		}
	}
}

// FoldFigures adds all facts to figures. It does nothing while another node
// does.
func (s *Store) FoldFigures(ctx context.Context) error {
	some, err := registry.Exists(s.pooled(ctx), "SELECT 1 FROM figure_facts LIMIT 1")
	if err != nil {
		return readError("look for facts", err)
	}
	for n := foldBatch; some && n == foldBatch; {
		if err := s.write(ctx, func(t *tx) (err error) {
			n, err = t.fold()
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// fold adds a batch of facts to figures and returns how many there were.
func (t *tx) fold() (int, error) {
	if mine, _, err := registry.First(t.query, registry.ScanInt, lockFolding); err != nil || mine == 0 {
		return 0, err
	}
	facts, err := registry.Collect(t.query, scanFact, takeFacts, foldBatch)
	if err != nil {
		return 0, fmt.Errorf("take facts: %w", err)
	}
	var totals report.Totals
	for _, f := range facts {
		totals.AddMany(f.Fact, f.bucket, f.n)
	}
	err = totals.Each(func(c report.Cell, more *report.Day) error {
		stored, _, err := registry.First(t.query, scanBytes, selectCounts, c.Account, int16(c.Dimension), c.Day, c.Value)
		if err != nil {
			return err
		}
		day, err := report.DecodeDay(stored)
		if err != nil {
			return err //nolint:wrapcheck // said below
		}
		day.Add(more)
		t.put(upsertCounts, c.Account, int16(c.Dimension), c.Day, c.Value, day.Encode())
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("write figures: %w", err)
	}
	return len(facts), nil
}

func scanBytes(row scanner) (b []byte, err error) {
	err = row.Scan(&b)
	return b, err
}

const (
	// uses figures_pkey.
	selectFigures = `SELECT day, value, counts FROM figures
		WHERE account_id = $1 AND dimension = $2 AND day BETWEEN $3 AND $4 ORDER BY day, value`
	// uses figure_facts_pkey.
	selectFacts = `SELECT account_id, hour, country, channel, carrier, label, kind, bucket, n FROM figure_facts
		WHERE account_id = $1 AND hour / 24 BETWEEN $2 AND $3`
)

// Figures implements report.Store.
func (s *Store) Figures(ctx context.Context, account string, d report.Dimension, from, to int64) ([]report.Row, error) {
	accountID, err := s.AccountID(ctx, account)
	if err != nil {
		return nil, err
	}
	var rows []report.Row
	var totals report.Totals
	err = s.snapshot(ctx, accountID, func(q ask) (err error) {
		rows, err = registry.Collect(q, func(row scanner) (r report.Row, err error) {
			err = row.Scan(&r.Day, &r.Value, &r.Hours)
			return r, err
		}, selectFigures, accountID, int16(d), from, to)
		if err != nil {
			return err
		}
		facts, err := registry.Collect(q, scanFact, selectFacts, accountID, from, to)
		for _, f := range facts {
			totals.AddMany(f.Fact, f.bucket, f.n)
		}
		return err
	})
	if err == nil {
		err = totals.Each(func(c report.Cell, day *report.Day) error {
			if c.Dimension == d {
				rows = append(rows, report.Row{Day: c.Day, Value: c.Value, Hours: day.Encode()})
			}
			return nil
		})
	}
	if err != nil {
		return nil, readError("read figures", err)
	}
	return rows, nil
}

// Both use figures_pkey.
const (
	selectOldFigures = `SELECT a.id FROM accounts a WHERE EXISTS (
		SELECT 1 FROM figures f WHERE f.account_id = a.id AND f.dimension = ANY($1::smallint[]) AND f.day < $2)`
	purgeFigures = `DELETE FROM figures WHERE (account_id, dimension, day, value) IN (
		SELECT account_id, dimension, day, value FROM figures
		WHERE account_id = $1 AND dimension = ANY($2::smallint[]) AND day < $3 LIMIT $4)`
)

// purgeFigures removes figures that were kept long enough, account by account.
func (s *Store) purgeFigures(ctx context.Context) error {
	var dimensions []int16
	for _, d := range report.Dimensions() {
		dimensions = append(dimensions, int16(d))
	}
	before := report.HourOf(s.Now().Add(-upkeep.FiguresKept)) / 24
	accounts, err := registry.Collect(s.pooled(ctx), registry.ScanInt, selectOldFigures, dimensions, before)
	if err != nil {
		return readError("read accounts", err)
	}
	for _, account := range accounts {
		if _, err := s.DropAll(ctx, purgeFigures, account, dimensions, before); err != nil {
			return err
		}
	}
	return nil
}

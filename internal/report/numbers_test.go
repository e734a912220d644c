package report_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/report"
	"github.com/countersign/countersign/internal/secret"
)

// counted is a store that holds what was counted.
type counted struct {
	totals report.Totals
	now    time.Time
	asked  [2]int64
	found  report.Found
	sel    report.Selection
}

func (c *counted) Now() time.Time { return c.now }

func (c *counted) FindOTPs(_ context.Context, s report.Selection) (report.Found, error) {
	c.sel = s
	return c.found, nil
}

func (*counted) OTPRecord(context.Context, string, string) (report.Record, error) {
	return report.Record{}, report.ErrNotFound
}

func (c *counted) Figures(_ context.Context, _ string, d report.Dimension, from, to int64) ([]report.Row, error) {
	c.asked = [2]int64{from, to}
	var rows []report.Row
	err := c.totals.Each(func(cell report.Cell, day *report.Day) error {
		if cell.Dimension == d && cell.Day >= from && cell.Day <= to {
			rows = append(rows, report.Row{Day: cell.Day, Value: cell.Value, Hours: day.Encode()})
		}
		return nil
	})
	return rows, err
}

func (c *counted) sent(at time.Time, channel string) {
	c.totals.Add(report.Fact{Hour: report.HourOf(at), Channel: channel, Kind: otp.EventDispatched})
}

func keys(t *testing.T) *secret.Keyring {
	t.Helper()
	root, err := secret.NewRoot(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := secret.NewKeyring(root)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestBucketsBeginWhereTheAccountsDaysDo(t *testing.T) {
	t.Parallel()
	load := func(name string) *time.Location {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		return zone
	}
	berlin, kolkata := load("Europe/Berlin"), load("Asia/Kolkata")
	// The clocks went back in Berlin in the night before Sunday, 25 October 2026.
	now := time.Date(2026, 10, 26, 9, 30, 0, 0, berlin)
	store := &counted{now: now}
	for _, at := range []time.Time{
		time.Date(2026, 10, 26, 9, 10, 0, 0, berlin), time.Date(2026, 10, 26, 0, 0, 0, 0, berlin), time.Date(2026, 10, 25, 23, 59, 0, 0, berlin),
		time.Date(2026, 10, 25, 0, 0, 0, 0, berlin), time.Date(2026, 10, 24, 23, 59, 0, 0, berlin), now.Add(2 * time.Hour), now.Add(-200 * 24 * time.Hour),
	} {
		store.sent(at, "SMS")
	}
	service := report.New(store, keys(t))
	for _, c := range []struct {
		name    string
		span    report.Span
		zone    *time.Location
		buckets int
		want    map[string]int64
	}{
		{"days", report.Daily, berlin, 30, map[string]int64{"2026-10-26T00:00:00+01:00": 2, "2026-10-25T00:00:00+02:00": 2, "2026-10-24T00:00:00+02:00": 1}},
		{"weeks", report.Weekly, berlin, 26, map[string]int64{"2026-10-26T00:00:00+01:00": 2, "2026-10-19T00:00:00+02:00": 3}},
		{"hours", report.Hourly, berlin, 48, map[string]int64{
			"2026-10-26T09:00:00+01:00": 1, "2026-10-26T00:00:00+01:00": 1, "2026-10-25T23:00:00+01:00": 1, "2026-10-25T00:00:00+02:00": 1, "2026-10-24T23:00:00+02:00": 1,
		}},
		// Midnight there is 18:30 UTC: the day begins at 19:00 UTC.
		{"days half an hour off", report.Daily, kolkata, 30, map[string]int64{"2026-10-26T00:00:00+05:30": 3, "2026-10-25T00:00:00+05:30": 2}},
	} {
		f, err := service.Figures(t.Context(), report.FiguresQuery{Account: "acme", By: report.ByChannel, Span: c.span, Zone: c.zone})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int64{}
		for i, n := range f.Total.At {
			if n.Sent > 0 {
				got[f.Starts[i].Format(time.RFC3339)] = n.Sent
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" || len(f.Starts) != c.buckets {
			t.Errorf("%s: %d buckets, want %d (-want +got):\n%s", c.name, len(f.Starts), c.buckets, diff)
		}
	}
}

func TestADayWithoutMidnightBeginsWithItsFirstMoment(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		zone   string
		noon   string   // of the last day
		begins []string // the three days, in UTC
	}{
		{"America/Santiago", "2026-09-07T12:00:00-03:00", []string{"2026-09-05T04:00:00Z", "2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"}},
		{"America/Havana", "2026-03-09T12:00:00-04:00", []string{"2026-03-07T05:00:00Z", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"}},
		{"Africa/Cairo", "2026-04-25T12:00:00+03:00", []string{"2026-04-22T22:00:00Z", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"}},
		// Midnight comes twice.
		{"America/Havana", "2026-11-02T12:00:00-05:00", []string{"2026-10-31T04:00:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"}},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		now, err := time.Parse(time.RFC3339, c.noon)
		if err != nil {
			t.Fatal(err)
		}
		f, err := report.New(&counted{now: now}, keys(t)).Figures(t.Context(), report.FiguresQuery{Account: "acme", By: report.ByChannel, Span: report.Daily, Zone: zone})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, at := range f.Starts[len(f.Starts)-3:] {
			got = append(got, at.UTC().Format(time.RFC3339))
		}
		if diff := cmp.Diff(c.begins, got); diff != "" {
			t.Errorf("%s: days begin (-want +got):\n%s", c.zone, diff)
		}
	}
}

func TestLinesAreTheMostSentFirstAndAddUp(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	store := &counted{now: now}
	for i, channel := range []string{"VOICE", "SMS", "SMS", "VIBER", "SMS", "VIBER"} {
		store.sent(now.Add(-time.Duration(i)*24*time.Hour), channel)
	}
	f, err := report.New(store, keys(t)).Figures(t.Context(), report.FiguresQuery{By: report.ByChannel, Span: report.Daily})
	if err != nil {
		t.Fatal(err)
	}
	got := map[int]string{}
	for i, l := range f.Lines {
		got[i] = l.Value
	}
	if diff := cmp.Diff(map[int]string{0: "SMS", 1: "VIBER", 2: "VOICE"}, got); diff != "" || f.Total.All.Sent != 6 || f.Lines[0].All.Sent != 3 {
		t.Errorf("%d in all (-want +got):\n%s", f.Total.All.Sent, diff)
	}
	if days := store.asked[1] - store.asked[0]; days != 29 {
		t.Errorf("the store was asked for %d days before today, want 29", days)
	}
}

func TestPositionsOfASearchAreSealedForTheirAccount(t *testing.T) {
	t.Parallel()
	store := &counted{found: report.Found{Next: 4711}}
	service := report.New(store, keys(t))
	first, err := service.Search(t.Context(), report.Query{Account: "acme", Limit: 100000})
	if err != nil || first.Next == "" || store.sel.Limit != 200 {
		t.Fatalf("Search = %+v, %v with limit %d; want a cursor and 200 (T-04)", first, err, store.sel.Limit)
	}
	if _, err := service.Search(t.Context(), report.Query{Account: "acme", Cursor: first.Next}); err != nil || store.sel.Before != 4711 {
		t.Errorf("the next page begins before %d, %v; want 4711", store.sel.Before, err)
	}
	changed := "x" + first.Next[1:]
	if changed == first.Next { // which begins at random
		changed = "y" + first.Next[1:]
	}
	for _, c := range []struct{ account, cursor string }{{"other", first.Next}, {"acme", changed}, {"acme", "4711"}, {"acme", "!"}} {
		if _, err := service.Search(t.Context(), report.Query{Account: c.account, Cursor: c.cursor}); !errors.Is(err, report.ErrCursor) {
			t.Errorf("the cursor %.8s… of %s = %v, want ErrCursor", c.cursor, c.account, err)
		}
	}
}

// BenchmarkFigures is the page with the most to add up: 26 weeks of 25 values
// with something in every hour.
func BenchmarkFigures(b *testing.B) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	store := &counted{now: now}
	for h := range 26 * 7 * 24 {
		for v := range 25 {
			f := report.Fact{Hour: report.HourOf(now) - int64(h), Channel: string(rune('a' + v)), Kind: otp.EventVerified, Took: time.Duration(h%300) * time.Second}
			store.totals.Add(f)
			f.Kind = otp.EventDispatched
			store.totals.Add(f)
		}
	}
	rows, err := store.Figures(b.Context(), "", report.ByChannel, 0, 1<<40)
	if err != nil {
		b.Fatal(err)
	}
	service := report.New(held{store, rows}, nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := service.Figures(b.Context(), report.FiguresQuery{By: report.ByChannel, Span: report.Weekly}); err != nil {
			b.Fatal(err)
		}
	}
}

// held is a store whose figures are read already.
type held struct {
	*counted

	rows []report.Row
}

func (h held) Figures(context.Context, string, report.Dimension, int64, int64) ([]report.Row, error) {
	return h.rows, nil
}

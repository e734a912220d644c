package report

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// Span is how long each bucket of figures is.
type Span uint8

// The spans.
const (
	Hourly Span = iota + 1
	Daily
	Weekly // from Monday
)

// String returns the span's name as addresses of pages write it.
func (s Span) String() string {
	switch s {
	case Hourly:
		return "hour"
	case Daily:
		return "day"
	case Weekly:
		return "week"
	}
	return "invalid"
}

// buckets is how many buckets the figures of a span have.
func (s Span) buckets() int {
	switch s {
	case Hourly:
		return 48
	case Weekly:
		return 26
	case Daily:
	}
	return 30
}

// FiguresQuery says which figures to read.
type FiguresQuery struct {
	Account string
	By      Dimension
	Span    Span
	// Zone is where days and weeks begin at midnight; UTC if nil. Where it is
	// not whole hours from UTC, they begin at the next whole hour of UTC.
	Zone *time.Location
	Now  time.Time // the last bucket has it; the store's time if zero
}

// Figures are what was counted, by bucket and by value.
type Figures struct {
	FiguresQuery

	Starts []time.Time // of the buckets, oldest first, in Zone
	Total  Line
	Lines  []Line // by value, the most sent first
}

// Line are the figures of one value of the dimension.
type Line struct {
	Value string // "" for what has none
	All   Counts
	At    []Counts // by bucket
}

// Figures reads figures.
func (s *Service) Figures(ctx context.Context, q FiguresQuery) (Figures, error) {
	if q.Zone == nil {
		q.Zone = time.UTC
	}
	if q.Now.IsZero() {
		q.Now = s.store.Now()
	}
	f := Figures{FiguresQuery: q, Starts: starts(q.Span, q.Now.In(q.Zone))}
	n := len(f.Starts)
	from := HourOf(f.Starts[0].Add(time.Hour - time.Second)) // the next whole hour of UTC
	rows, err := s.store.Figures(ctx, q.Account, q.By, from/hoursADay, HourOf(q.Now)/hoursADay)
	if err != nil {
		return Figures{}, fmt.Errorf("read figures: %w", err)
	}
	hours := make([]int64, n) // the first of each bucket
	for i, t := range f.Starts {
		hours[i] = HourOf(t.Add(time.Hour - time.Second))
	}
	last := HourOf(q.Now)
	f.Total.At = make([]Counts, n)
	lines := map[string]*Line{}
	for _, row := range rows {
		l := lines[row.Value]
		err := row.Each(func(hour int64, c *Counts) {
			if hour < from || hour > last {
				return
			}
			at, exact := slices.BinarySearch(hours, hour)
			if !exact {
				at--
			}
			if l == nil {
				l = &Line{Value: row.Value, At: make([]Counts, n)}
				lines[row.Value] = l
			}
			l.At[at].Add(c)
		})
		if err != nil {
			return Figures{}, fmt.Errorf("read figures of day %d: %w", row.Day, err)
		}
	}
	for _, l := range lines {
		for i := range l.At {
			l.All.Add(&l.At[i])
			f.Total.At[i].Add(&l.At[i])
		}
		f.Total.All.Add(&l.All)
		f.Lines = append(f.Lines, *l)
	}
	slices.SortFunc(f.Lines, func(a, b Line) int {
		return cmp.Or(cmp.Compare(b.All.Sent, a.All.Sent), cmp.Compare(a.Value, b.Value))
	})
	return f, nil
}

// starts are the beginnings of the buckets of a span, the last one now's.
func starts(s Span, now time.Time) []time.Time {
	n := s.buckets()
	all := make([]time.Time, n)
	y, m, d := now.Date()
	for i := range n {
		back := n - 1 - i
		switch s {
		case Hourly:
			all[i] = now.Truncate(time.Hour).Add(-time.Duration(back) * time.Hour)
		case Weekly:
			sinceMonday := (int(now.Weekday()) + 6) % 7
			all[i] = dayBegins(y, m, d-sinceMonday-7*back, now.Location())
		case Daily:
			all[i] = dayBegins(y, m, d-back, now.Location())
		}
	}
	return all
}

// dayBegins is the first moment of a day in a zone. Where summer time begins at
// midnight there is no such time of day, and package time may answer with one of
// the day before.
func dayBegins(year int, month time.Month, day int, zone *time.Location) time.Time {
	begins := time.Date(year, month, day, 0, 0, 0, 0, zone)
	if noon := time.Date(year, month, day, 12, 0, 0, 0, zone); begins.Day() != noon.Day() {
		_, begins = begins.ZoneBounds()
	}
	return begins
}

package numbers

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/countersign/countersign/internal/report"
)

const (
	// shownLines is how many values a chart has lines for.
	shownLines = 5
	// shownRows is how many rows the table of values has at most (T-04).
	shownRows = 200
)

// view is figures for the templates.
type view struct{ report.Figures }

// choice is a link to the same page by something else.
type choice struct {
	Label, Query string
	Current      bool
}

// Dimensions are the choices of what figures are told apart by.
func (v view) Dimensions() []choice {
	var all []choice
	for _, d := range report.Dimensions() {
		all = append(all, choice{"By " + d.String(), query(d, v.Span), d == v.By})
	}
	return all
}

// Spans are the choices of how long a bucket is.
func (v view) Spans() []choice {
	var all []choice
	for _, s := range spans() {
		all = append(all, choice{"Per " + s.String(), query(v.By, s), s == v.Span})
	}
	return all
}

// Query asks for these figures.
func (v view) Query() string { return query(v.By, v.Span) }

// Heading is what the dimension's values are called.
func (v view) Heading() string {
	switch v.By {
	case report.ByCountry:
		return "Country"
	case report.ByChannel:
		return "Channel"
	case report.ByCarrier:
		return "Carrier"
	case report.ByTemplate:
		return "Template"
	}
	return ""
}

// Name shows a value of the dimension.
func (v view) Name(value string) string {
	if value != "" {
		return value
	}
	if v.By == report.ByCarrier {
		return "no carrier"
	}
	return "not known"
}

// Shown are the values that have a row of their own, the most sent first.
func (v view) Shown() []report.Line {
	if len(v.Lines) <= shownRows {
		return v.Lines
	}
	return v.Lines[:shownRows-1]
}

// others are values that have one row together.
type others struct {
	Values int
	All    report.Counts
}

// Others are all values that have no row of their own.
func (v view) Others() others {
	left := v.Lines[len(v.Shown()):]
	o := others{Values: len(left)}
	for i := range left {
		o.All.Add(&left[i].All)
	}
	return o
}

// Percent shows a conversion.
func (view) Percent(c report.Counts) string {
	share, ok := c.Conversion()
	if !ok {
		return "–"
	}
	return strconv.FormatFloat(100*share, 'f', 1, 64) + " %"
}

// Median shows the median time to verify.
func (view) Median(c report.Counts) string { return quantile(&c, 0.5) }

// P95 shows within which time 95 of 100 codes were typed.
func (view) P95(c report.Counts) string { return quantile(&c, 0.95) }

func quantile(c *report.Counts, q float64) string {
	d, ok := c.Times.Quantile(q)
	switch {
	case !ok:
		return "–"
	case d < 2*time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	}
	return strconv.FormatFloat(d.Minutes(), 'f', 1, 64) + " min"
}

// bucket is a row of the table of times.
type bucket struct {
	Start string
	report.Counts
}

// Buckets are the table of times, the newest first, without the empty ones
// before anything was counted.
func (v view) Buckets() []bucket {
	var all []bucket
	for i, start := range slices.Backward(v.Starts) {
		all = append(all, bucket{v.start(start), v.Total.At[i]})
	}
	for len(all) > 1 && all[len(all)-1].Counts == (report.Counts{}) {
		all = all[:len(all)-1]
	}
	return all
}

// start shows the beginning of a bucket.
func (v view) start(t time.Time) string {
	switch v.Span {
	case report.Hourly:
		return t.Format("2006-01-02 15:04")
	case report.Weekly:
		year, week := t.ISOWeek()
		return fmt.Sprintf("%s (week %d of %d)", t.Format(time.DateOnly), week, year)
	case report.Daily:
	}
	return t.Format(time.DateOnly)
}

// Charts are the figures as the page's script draws them.
func (v view) Charts() charts {
	c := charts{Zone: v.Zone.String(), Span: v.Span.String()}
	for _, t := range v.Starts {
		c.Times = append(c.Times, t.Unix())
	}
	messages := chart{ID: "messages", Unit: "messages"}
	for _, s := range []struct {
		label string
		of    func(*report.Counts) int64
	}{
		{"Sent", func(c *report.Counts) int64 { return c.Sent }},
		{"Delivered", func(c *report.Counts) int64 { return c.Delivered }},
		{"Verified", func(c *report.Counts) int64 { return c.Verified }},
		{"Undeliverable", func(c *report.Counts) int64 { return c.Undeliverable }},
	} {
		one := series{Label: s.label}
		for i := range v.Total.At {
			n := float64(s.of(&v.Total.At[i]))
			one.Values = append(one.Values, &n)
		}
		messages.Series = append(messages.Series, one)
	}
	conversion := chart{ID: "conversion", Unit: "%"}
	for _, l := range v.Lines[:min(len(v.Lines), shownLines)] {
		one := series{Label: v.Name(l.Value)}
		for i := range l.At {
			var percent *float64
			if share, ok := l.At[i].Conversion(); ok {
				share *= 100
				percent = &share
			}
			one.Values = append(one.Values, percent)
		}
		conversion.Series = append(conversion.Series, one)
	}
	c.Charts = []chart{messages, conversion}
	return c
}

// charts is what the page's script reads.
type charts struct {
	Zone   string  `json:"zone"`
	Span   string  `json:"span"`
	Times  []int64 `json:"times"` // seconds since 1970
	Charts []chart `json:"charts"`
}

type chart struct {
	ID     string   `json:"id"` // of the element that it is drawn in
	Unit   string   `json:"unit"`
	Series []series `json:"series"`
}

type series struct {
	Label  string     `json:"label"`
	Values []*float64 `json:"values"` // nil where there is none
}

package report

import (
	"cmp"
	"slices"
)

// Cell names one row of stored figures.
type Cell struct {
	Account   int64 // the store's number of the account
	Dimension Dimension
	Day       int64 // whole days since 1970
	Value     string
}

// Totals gathers facts until a store writes them. The zero value is empty. It
// is not safe for concurrent use.
type Totals struct{ cells map[Cell]*Day }

// Add counts a fact.
func (t *Totals) Add(f Fact) { t.AddMany(f, BucketOf(f.Took), 1) }

// AddMany counts n facts that differ in Took only, all of them in bucket.
func (t *Totals) AddMany(f Fact, bucket int, n int64) {
	if !Counted(f.Kind) {
		return
	}
	if t.cells == nil {
		t.cells = map[Cell]*Day{}
	}
	for d := ByCountry; d <= ByTemplate; d++ {
		cell := Cell{f.Account, d, f.Hour / hoursADay, f.value(d)}
		day := t.cells[cell]
		if day == nil {
			day = &Day{}
			t.cells[cell] = day
		}
		day.hour(int(f.Hour%hoursADay)).count(f.Kind, bucket, n)
	}
}

// Reset forgets all.
func (t *Totals) Reset() { clear(t.cells) }

// Empty reports whether nothing was counted.
func (t *Totals) Empty() bool { return len(t.cells) == 0 }

// Each calls f for what was counted, in the order of cells, until f fails.
func (t *Totals) Each(f func(Cell, *Day) error) error {
	if len(t.cells) == 0 {
		return nil
	}
	cells := make([]Cell, 0, len(t.cells))
	for c := range t.cells {
		cells = append(cells, c)
	}
	slices.SortFunc(cells, func(a, b Cell) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Dimension, b.Dimension), cmp.Compare(a.Day, b.Day), cmp.Compare(a.Value, b.Value))
	})
	for _, c := range cells {
		if err := f(c, t.cells[c]); err != nil {
			return err
		}
	}
	return nil
}

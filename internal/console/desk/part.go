package desk

import (
	"net/url"
	"slices"

	"github.com/countersign/countersign/internal/console/page"
)

// rowsShown is how many rows of a list a page shows (T-04).
const rowsShown = 200

// part is the rows of a list that one page shows.
type part[T any] struct {
	Rows            []T
	From, To, Whole int    // its rows, counted from 1, and those of the list
	Next            string // query of the page after it, "" if there is none
}

// partOf cuts a list: the part begins behind the row that the query names by
// its id. If that was deleted meanwhile, it begins with the row that stood behind
// it, and at the beginning if that is gone too.
func partOf[T any](r *page.Request, all []T, id func(T) string) part[T] {
	begin := 0
	q := r.URL.Query()
	place := func(name string) int {
		return slices.IndexFunc(all, func(row T) bool { return q.Has(name) && id(row) == q.Get(name) })
	}
	if i := place("after"); i >= 0 {
		begin = i + 1
	} else if i := place("then"); i >= 0 {
		begin = i
	}
	end := min(begin+rowsShown, len(all))
	p := part[T]{Rows: all[begin:end], From: begin + 1, To: end, Whole: len(all)}
	if end < len(all) {
		p.Next = url.Values{"after": {id(all[end-1])}, "then": {id(all[end])}}.Encode()
	}
	return p
}

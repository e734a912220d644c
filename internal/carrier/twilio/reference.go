package twilio

import (
	"context"
	"net/url"
	"strconv"
	"sync"

	"github.com/countersign/countersign/internal/delivery"
)

// What the query of a status callback says.
const (
	queryDedupe = "d" // the dedupe reference
	queryTry    = "n" // which try it is of the delivery; left out for the first
)

// reference names one submit: the delivery, and from the second try on which it
// is. A line that was busy is called a second time for the same delivery, and what
// Twilio still says of the first call must not be taken for news of the second.
type reference struct {
	dedupe string
	try    int
}

func referenceOf(m delivery.Message) reference { return reference{m.Dedupe, max(m.Try, 1)} }

// query returns what a status callback's URL says of it.
func (r reference) query() url.Values {
	v := url.Values{queryDedupe: {r.dedupe}}
	if r.try > 1 {
		v.Set(queryTry, strconv.Itoa(r.try))
	}
	return v
}

// nameIn returns by which id the query of a status callback names a submit, ""
// for none.
func nameIn(query url.Values) string {
	r := reference{query.Get(queryDedupe), max(number(query.Get(queryTry)), 1)}
	if !isRef(r.dedupe) {
		return ""
	}
	return r.name()
}

// name is the id by which receipts name the submit if its answer was lost.
func (r reference) name() string {
	if r.try > 1 {
		return r.dedupe + "." + strconv.Itoa(r.try)
	}
	return r.dedupe
}

// flights are the submits of this process whose answer has not come, by their
// name. A receipt of one is not recorded before that: until then nobody knows by
// which id to find its delivery, and an answer that is lost is given up after
// longer than the dispatcher keeps an unknown receipt.
type flights struct {
	mu    sync.Mutex // guards under
	under map[string]chan struct{}
}

// begin notes a submit until end is called.
func (f *flights) begin(name string) (end func()) {
	landed := make(chan struct{})
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.under == nil {
		f.under = map[string]chan struct{}{}
	}
	f.under[name] = landed
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.under[name] == landed {
			delete(f.under, name)
		}
		close(landed)
	}
}

// wait returns when the submit is over, or with false when ctx is.
func (f *flights) wait(ctx context.Context, name string) bool {
	f.mu.Lock()
	landed := f.under[name]
	f.mu.Unlock()
	if landed == nil {
		return true
	}
	select {
	case <-landed:
		return true
	case <-ctx.Done():
		return false
	}
}

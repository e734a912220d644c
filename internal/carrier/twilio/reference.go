package twilio

import (
	"net/url"
	"strconv"

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

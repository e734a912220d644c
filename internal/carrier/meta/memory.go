package meta

import (
	"container/list"
	"errors"
	"hash/maphash"
	"time"

	"github.com/countersign/countersign/internal/phone"
)

const (
	// absentFor is how long a person who is not on WhatsApp is not tried again:
	// hours, as they may join.
	absentFor = 2 * time.Hour
	// holdFor is how long a number rests that reached its spam limit.
	holdFor = 15 * time.Minute
	// spoiltFor is how long a template that was taken out of use is not tried,
	// unless it comes back before. It is as long as plans remember that it was
	// approved.
	spoiltFor = 5 * time.Minute
	// listLag is how far behind a list of templates may be: until then it does
	// not bring back what was taken out of use.
	listLag = time.Minute

	maxRemembered = 50_000 // of each kind; what does not fit is asked again
)

var errNotSubscribed = errors.New("no app is subscribed to its webhooks, so no receipts will come")

// memory holds keys, all for the same time. The zero value is empty.
type memory[K comparable] struct {
	known map[K]*list.Element
	order list.List // of remembered[K], the first to go in front
}

type remembered[K comparable] struct {
	key K
	end time.Time
}

func (m *memory[K]) add(key K, now time.Time, life time.Duration) {
	if m.known == nil {
		m.known = map[K]*list.Element{}
	}
	for first := m.order.Front(); first != nil && !now.Before(first.Value.(remembered[K]).end); first = m.order.Front() {
		m.forget(first.Value.(remembered[K]).key)
	}
	m.forget(key)
	if len(m.known) < maxRemembered {
		m.known[key] = m.order.PushBack(remembered[K]{key, now.Add(life)})
	}
}

func (m *memory[K]) forget(key K) {
	if e := m.known[key]; e != nil {
		m.order.Remove(e)
		delete(m.known, key)
	}
}

// until returns when a key is forgotten, zero if it is not known.
func (m *memory[K]) until(key K) time.Time {
	if e := m.known[key]; e != nil {
		return e.Value.(remembered[K]).end
	}
	return time.Time{}
}

func (m *memory[K]) has(key K, now time.Time) bool { return now.Before(m.until(key)) }

// person is what is remembered of a number: a keyed hash that no other process
// can compute. What one account's app says of a person holds for that account.
// digits are the number's E.164 form without the plus.
func (c *Carrier) person(a *Account, digits string) uint64 {
	return maphash.Comparable(c.seed, [2]string{a.ID, digits})
}

// digitsOf returns a number as WhatsApp writes it.
func digitsOf(n phone.Number) string { return onlyDigits(n.Reveal()) }

package meta

import (
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

// memory holds keys for a while. The zero value is empty.
type memory[K comparable] struct{ until map[K]time.Time }

func (m *memory[K]) add(key K, now time.Time, life time.Duration) {
	if m.until == nil {
		m.until = map[K]time.Time{}
	}
	if _, ok := m.until[key]; !ok && len(m.until) >= maxRemembered {
		for old, end := range m.until {
			if !now.Before(end) {
				delete(m.until, old)
			}
		}
		if len(m.until) >= maxRemembered {
			return
		}
	}
	m.until[key] = now.Add(life)
}

func (m *memory[K]) has(key K, now time.Time) bool {
	end, ok := m.until[key]
	if ok && !now.Before(end) {
		delete(m.until, key)
		return false
	}
	return ok
}

// person is what is remembered of a number: a keyed hash that no other process
// can compute. digits are its E.164 form without the plus.
func (c *Carrier) person(digits string) uint64 { return maphash.String(c.seed, digits) }

// digitsOf returns a number as WhatsApp writes it.
func digitsOf(n phone.Number) string { return onlyDigits(n.Reveal()) }

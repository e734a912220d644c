package catalog

import (
	"maps"
	"slices"
	"sync"
)

// maxCached bounds each cache; what does not fit is read again and again,
// nothing worse.
const maxCached = 10_000

// cache remembers values, each for one mark: a version or a time. The zero
// value is empty.
type cache[K comparable, V any] struct {
	mu      sync.RWMutex // guards entries
	entries map[K]marked[V]
}

type marked[V any] struct {
	mark  int64
	value V
}

// get returns the value under key if it was put with this mark.
func (c *cache[K, V]) get(key K, mark int64) (V, bool) {
	value, at, ok := c.latest(key)
	if !ok || at != mark {
		var none V
		return none, false
	}
	return value, true
}

// latest returns the value under key and the mark it was put with.
func (c *cache[K, V]) latest(key K) (value V, mark int64, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, ok := c.entries[key]
	return e.value, e.mark, ok
}

// keys returns the keys of all values, in no order.
func (c *cache[K, V]) keys() []K {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Collect(maps.Keys(c.entries))
}

// put keeps the value unless a later mark's is kept already.
func (c *cache[K, V]) put(key K, mark int64, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was, ok := c.entries[key]
	if ok && was.mark > mark {
		return
	}
	if c.entries == nil {
		c.entries = map[K]marked[V]{}
	}
	if !ok && len(c.entries) >= maxCached {
		for other := range c.entries { // any one
			delete(c.entries, other)
			break
		}
	}
	c.entries[key] = marked[V]{mark, value}
}

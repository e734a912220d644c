package catalog

import "sync"

// What each cache holds at most. What does not fit is read again and again,
// nothing worse.
const (
	maxCached = 10_000
	maxOctets = 32 << 20 // of values that have a size
)

// cache remembers values, each for one version. The zero value is empty.
type cache[K comparable, V any] struct {
	size func(V) int // of a value, in octets; nil where keys bound the values too

	mu      sync.RWMutex // guards what follows
	entries map[K]versioned[V]
	octets  int // of all values
}

type versioned[V any] struct {
	version int64
	value   V
	octets  int
}

// get returns the value under key if it was put with this version.
func (c *cache[K, V]) get(key K, version int64) (V, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, ok := c.entries[key]
	if !ok || e.version != version {
		var none V
		return none, false
	}
	return e.value, true
}

// put keeps the value in place of that of any other version, a higher one too: a
// failover may have lost changes. Where a slow reading puts an older one, the value
// is read once more.
func (c *cache[K, V]) put(key K, version int64, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	octets := 0
	if c.size != nil {
		octets = c.size(value)
	}
	c.drop(key)
	if octets > maxOctets {
		return
	}
	for other := range c.entries { // any ones
		if len(c.entries) < maxCached && c.octets+octets <= maxOctets {
			break
		}
		c.drop(other)
	}
	if c.entries == nil {
		c.entries = map[K]versioned[V]{}
	}
	c.entries[key] = versioned[V]{version, value, octets}
	c.octets += octets
}

// drop forgets the value under key. The caller holds mu.
func (c *cache[K, V]) drop(key K) {
	c.octets -= c.entries[key].octets
	delete(c.entries, key)
}

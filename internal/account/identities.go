package account

import "sync"

// maxIdentities bounds what an Authenticator remembers, about 0.5 kB each.
// Keys beyond it are looked up again and again, nothing worse.
const maxIdentities = 20_000

// identities remembers keys of one access version. Only keys that exist get
// in, so strangers cannot fill it.
type identities struct {
	mu      sync.RWMutex // guards what follows
	version int64
	byHash  map[[32]byte]Identity
}

func (m *identities) get(version int64, hash [32]byte) (Identity, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if version != m.version {
		return Identity{}, false
	}
	id, ok := m.byHash[hash]
	return id, ok
}

func (m *identities) put(version int64, hash [32]byte, id Identity) {
	m.mu.Lock()
	defer m.mu.Unlock()
	// A version may be lower than one that was seen, after a failover that lost
	// changes. Where it is that of a slow look-up, keys are looked up once more.
	if version != m.version || m.byHash == nil {
		m.version, m.byHash = version, map[[32]byte]Identity{}
	}
	if len(m.byHash) >= maxIdentities {
		for other := range m.byHash { // any one
			delete(m.byHash, other)
			break
		}
	}
	m.byHash[hash] = id
}

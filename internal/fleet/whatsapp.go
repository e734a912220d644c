package fleet

import "github.com/countersign/countersign/internal/carrier/meta"

// WhatsApps returns the carriers that hold templates of WhatsApp, as they are
// now.
func (f *Fleet) WhatsApps() []*meta.Carrier {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []*meta.Carrier
	for _, m := range f.members {
		if c, ok := m.carrier.(*meta.Carrier); ok {
			out = append(out, c)
		}
	}
	return out
}

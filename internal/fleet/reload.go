package fleet

import (
	"context"
	"errors"
	"slices"
)

// Change is what a reload did, by the carriers' names.
type Change struct {
	Kept, Replaced, Added, Removed []string
}

// ErrEnding means that the fleet does not run, so that nothing is reloaded.
var ErrEnding = errors.New("the carriers do not run")

// Reload brings the fleet to s. On an error nothing has changed. It does not
// wait for carriers that end.
func (f *Fleet) Reload(ctx context.Context, s Settings) (Change, error) {
	c, n, err := f.reload(s)
	if err != nil {
		return Change{}, err
	}
	f.deps.Carriers(n)
	f.warn(ctx)
	return c, nil
}

func (f *Fleet) reload(s Settings) (c Change, n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.start == nil {
		return Change{}, 0, ErrEnding
	}
	members, table, err := f.prepare(s)
	if err != nil {
		return Change{}, 0, err
	}
	before := f.members
	f.settings, f.members = s, members
	f.router.Set(table) // from now on the old ones get nothing new
	for _, old := range before {
		if slices.Contains(members, old) {
			continue
		}
		f.leaving[old.Name()] = old
		old.retire()
		f.deps.Renewed(old.Name())
		if !slices.ContainsFunc(members, func(m *member) bool { return m.Name() == old.Name() }) {
			c.Removed = append(c.Removed, old.Name())
		}
	}
	for _, m := range members {
		switch was := slices.ContainsFunc(before, func(o *member) bool { return o.Name() == m.Name() }); {
		case slices.Contains(before, m):
			c.Kept = append(c.Kept, m.Name())
			continue
		case was:
			c.Replaced = append(c.Replaced, m.Name())
		default:
			c.Added = append(c.Added, m.Name())
		}
		var after <-chan struct{} // nil if nobody of its name ends
		if old := f.leaving[m.Name()]; old != nil {
			after = old.ended
		}
		f.start(m, after)
	}
	n = len(members)
	if f.deps.Sandbox != nil && s.serves() {
		n++
	}
	return c, n, nil
}

// left forgets a member that has ended: receipts no longer find it, and its links
// are gone unless its successor keeps such, too.
func (f *Fleet) left(m *member) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if slices.Contains(f.members, m) {
		return // the whole fleet ends
	}
	if f.leaving[m.Name()] == m {
		delete(f.leaving, m.Name())
	}
	var kept []Link
	for _, o := range f.members {
		if o.Name() == m.Name() {
			kept = o.links()
		}
	}
	for _, l := range m.links() {
		if !slices.ContainsFunc(kept, func(k Link) bool { return k.Name == l.Name }) {
			f.deps.Observer.Gone(m.Name(), l.Name)
		}
	}
}

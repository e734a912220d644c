package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
)

var errListPanic = errors.New("listing templates led to a panic")

// approvals is what is known of the WhatsApp templates that can be sent. All that
// reads them or changes them has a place in one order, which tells whether a
// reading saw a change, however long it takes.
type approvals struct {
	renewing sync.WaitGroup

	mu     sync.Mutex // guards what follows and all that is reached through it
	closed bool
	last   uint64 // the place of the last reading or change
	of     map[approvedKey]*approval
}

type approvedKey struct{ account, ref string }

// approval is what is known of an account's templates.
type approval struct {
	set     map[Link]WhatsAppTemplate // never changed, only replaced; nil: nothing is known
	asked   time.Time                 // when its reading began
	place   uint64                    // of that reading
	changed map[templateKey]uint64    // what only a later reading shows, and the places of the changes
	renewal *renewal                  // under way; nil for none

	readings int                    // under way, renewals among them
	gone     map[templateKey]uint64 // what went while there are readings under way, and the places of that
}

// templateKey is a template of an account: the name in lower case, the language ""
// for all.
type templateKey struct{ name, language string }

func (k templateKey) is(l Link) bool {
	return strings.ToLower(l.Template) == k.name && (k.language == "" || k.language == l.Language)
}

// maxChanged is how many changes between two readings are told apart. With more,
// nothing is known.
const maxChanged = 1000

// currency is how current what is known is.
type currency int

const (
	old     currency = iota // not to be used, or only if asking fails
	soonOld                 // to be used, and renewed
	fresh
)

// known returns what may be used, nil for nothing, and how current it is for who
// wants these links; none for all.
func (a *approvals) known(key approvedKey, now time.Time, wanted []Link) (map[Link]WhatsAppTemplate, currency) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.of[key]
	if e == nil || e.set == nil {
		return nil, old
	}
	age := now.Sub(e.asked)
	switch {
	case age < 0 || age >= approvedAge:
		return nil, old
	case e.news(wanted):
		return e.set, old
	case age >= approvedSoon:
		return e.set, soonOld
	}
	return e.set, fresh
}

// news reports whether one of the links, or any for none, has another status than
// is known. The caller holds mu.
func (e *approval) news(of []Link) bool {
	for k := range e.changed {
		if len(of) == 0 || slices.ContainsFunc(of, k.is) {
			return true
		}
	}
	return false
}

// entry returns what is known under key, made if need be. The caller holds mu.
func (a *approvals) entry(key approvedKey) *approval {
	if e := a.of[key]; e != nil {
		return e
	}
	if a.of == nil {
		a.of = map[approvedKey]*approval{}
	}
	if len(a.of) >= maxCached {
		for other, e := range a.of { // any one that nobody works at
			if e.readings == 0 {
				delete(a.of, other)
				break
			}
		}
	}
	e := &approval{changed: map[templateKey]uint64{}}
	a.of[key] = e
	return e
}

// change takes news of a template.
func (a *approvals) change(c WhatsAppChange) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last++
	at := templateKey{strings.ToLower(c.Template), c.Language}
	for key, e := range a.of {
		switch {
		case !strings.EqualFold(key.ref, c.AccountRef):
		case c.Gone:
			e.set = without(e.set, at)
			if e.readings > 0 {
				e.gone[at] = a.last
			}
		default:
			if len(e.changed) >= maxChanged {
				e.set, e.place = nil, a.last // nor what is being read
				clear(e.changed)
			}
			e.changed[at] = a.last
		}
	}
}

// without returns a set without what is gone.
func without(set map[Link]WhatsAppTemplate, gone templateKey) map[Link]WhatsAppTemplate {
	set = maps.Clone(set) // others use it
	maps.DeleteFunc(set, func(l Link, _ WhatsAppTemplate) bool { return gone.is(l) })
	return set
}

// reading is a list of an account's templates that is being read.
type reading struct {
	a     *approvals
	e     *approval
	place uint64
	asked time.Time
}

// read begins a reading. End it.
func (a *approvals) read(key approvedKey, now time.Time) *reading {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.begin(a.entry(key), now)
}

// begin is read for a caller that holds mu.
func (a *approvals) begin(e *approval, now time.Time) *reading {
	a.last++
	if e.readings++; e.gone == nil {
		e.gone = map[templateKey]uint64{}
	}
	return &reading{a, e, a.last, now}
}

// got keeps what was read, without what went meanwhile, unless a later reading's
// is kept already.
func (r *reading) got(list []WhatsAppTemplate) {
	r.a.mu.Lock()
	defer r.a.mu.Unlock()
	if r.place < r.e.place {
		return
	}
	set := approved(list)
	for at, place := range r.e.gone {
		if place > r.place {
			set = without(set, at)
		}
	}
	r.e.set, r.e.asked, r.e.place = set, r.asked, r.place
	maps.DeleteFunc(r.e.changed, func(_ templateKey, place uint64) bool { return place < r.place })
}

// end ends the reading, whatever came of it.
func (r *reading) end() {
	r.a.mu.Lock()
	defer r.a.mu.Unlock()
	if r.e.readings--; r.e.readings == 0 {
		r.e.gone = nil
	}
}

// renewal is a reading that no caller's end ends.
type renewal struct {
	cancel context.CancelFunc
	slow   chan struct{} // closed when nobody is to wait any longer
	done   chan struct{} // closed at its end
	err    error         // once done is closed
}

// renew returns the renewal that is under way for key, or begins it with list.
func (a *approvals) renew(
	ctx context.Context, key approvedKey, now time.Time, list func(context.Context) ([]WhatsAppTemplate, error),
) *renewal {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.entry(key)
	if e.renewal != nil {
		return e.renewal
	}
	r := &renewal{slow: make(chan struct{}), done: make(chan struct{})}
	if a.closed {
		r.err = errApprovedClosed
		close(r.done)
		return r
	}
	ctx, r.cancel = context.WithTimeoutCause(context.WithoutCancel(ctx), approvedBound, errApprovedBound)
	e.renewal = r
	began := a.begin(e, now)
	impatience := time.AfterFunc(approvedPatience, func() { close(r.slow) })
	a.renewing.Go(func() {
		defer r.cancel()
		defer impatience.Stop()
		defer began.end()
		templates, err := guarded(ctx, list)
		if err == nil {
			began.got(templates)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		e.renewal, r.err = nil, err
		close(r.done)
	})
	return r
}

// guarded returns a panic of list as an error: in a goroutine of ours nobody else
// would catch it.
func guarded(ctx context.Context, list func(context.Context) ([]WhatsAppTemplate, error)) (templates []WhatsAppTemplate, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: a %T\n%s", errListPanic, v, debug.Stack())
		}
	}()
	return list(ctx)
}

// wait waits for the end, the caller's or until it takes too long, and returns
// what came of it.
func (r *renewal) wait(ctx context.Context) error {
	select {
	case <-r.done:
	case <-r.slow:
	case <-ctx.Done():
	}
	select {
	case <-r.done:
		return r.err
	default:
		return errApprovedSlow
	}
}

// close ends all renewals, waits for that and lets none begin.
func (a *approvals) close() {
	a.mu.Lock()
	a.closed = true
	for _, e := range a.of {
		if e.renewal != nil {
			e.renewal.cancel()
		}
	}
	a.mu.Unlock()
	a.renewing.Wait()
}

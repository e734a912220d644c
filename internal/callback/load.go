package callback

import "time"

// Bounds of what is under way at once.
const (
	perConfig       = 8   // requests to one configuration (callback events §8)
	defaultInFlight = 512 // requests in all; more wait in the database
	// forget is how long a configuration is remembered after its last attempt.
	// One that was forgotten begins anew.
	forget = time.Hour
	// forgetEvery is how often it is looked for those to forget.
	forgetEvery = time.Minute
	// recent is how long a configuration without anything under way is named in
	// claims that serve those without a name as well: what a claim costs is a
	// matter of how many are in use.
	recent = 10 * time.Second
)

// load is what the pusher has under way and what it knows of endpoints. One
// goroutine owns it.
//
// A request that hangs keeps its place for all of its 10 s, so places are given
// by standing, and others are served however many endpoints hang. With 512
// places:
//
//	1 at a time   an unproven endpoint
//	2 at a time   one that lags
//	3 to 8        a quick one; of the last 128 free places 2
//	128 in all    those that lag (a quarter)
//	384 in all    those that lag and the unproven (three quarters)
//	448 in all    the same, with what they got while they were quick
//
// For example, 600 new endpoints have an event, and all hang. 384 get their
// first request; quick ones go on with the 128 places left. After a second the
// 384 lag, after ten their places are free; the other 216 get their first. From
// then on the 600 share 128 places, whatever is queued for them, and an
// endpoint that nobody has heard of finds one of the 256 up to 384 at once.
// Or 100 quick endpoints begin to hang at once: while they count as quick, they
// get 384 places, of which only 2 each, at most 200, count when they lag. The
// 64 up to 448 go to new ones, and 64 stay for those that still are quick.
//
// So the worst case: a new endpoint, and after a start any, waits while more
// than 256 others that are as new hang, 10 s for each 256 of them that were due
// before it. A quick one waits only when all places are taken within a second
// by endpoints that hang, for 10 s at most: 48 that were quick until then, with
// much queued for each, and 128 new ones can do so.
//
// This is the breaker of W-07: it puts off no attempt that has a place.
type load struct {
	slots   int
	held    map[string]struct{} // ids of posts claimed and not yet recorded
	configs map[string]*endpoint
	swept   time.Time // when it was last looked for those to forget
}

func newLoad(slots int) *load {
	return &load{slots: slots, held: map[string]struct{}{}, configs: map[string]*endpoint{}}
}

// begin notes a claimed post; false if it is held already: its lease ended
// while its outcome could not be written.
func (l *load) begin(p Post, now time.Time) bool {
	if _, held := l.held[p.ID]; held {
		return false
	}
	l.held[p.ID] = struct{}{}
	e := l.configs[p.ConfigID]
	if e == nil {
		e = &endpoint{began: map[string]time.Time{}}
		l.configs[p.ConfigID] = e
	}
	e.began[p.ID], e.used = now, now
	return true
}

// ended notes what an attempt came to.
func (l *load) ended(p Post, a answer, now time.Time) {
	e := l.configs[p.ConfigID]
	delete(e.began, p.ID)
	e.used = now
	e.answered(a)
}

// recorded gives the outcomes' places back.
func (l *load) recorded(outcomes []Outcome) {
	for _, o := range outcomes {
		delete(l.held, o.ID)
	}
}

// sweep forgets the configurations that nothing was posted to for long.
func (l *load) sweep(now time.Time) {
	if since := now.Sub(l.swept); since >= 0 && since < forgetEvery {
		return
	}
	l.swept = now
	for id, e := range l.configs {
		if e.idle(now) > forget {
			delete(l.configs, id)
		}
	}
}

// ask returns a claim for endpoints of at least this standing; false if there
// is no place for them, or nobody below the next to make it for.
//
// A configuration without an entry in Places is one that is not known here or
// that may have perUnproven anyway. When more is due than there are places, the
// store shares them evenly among the known and the others.
func (l *load) ask(least standing, now time.Time) (Claim, bool) {
	free, most := l.free()
	lag, doubt, all := max(l.slots/4, 1), max(l.slots*3/4, 1), max(l.slots*7/8, 1)
	c := Claim{PerConfig: perUnproven, Places: map[string]int{}}
	if least == quick {
		c.PerConfig = 0
	}
	lags := false
	for id, e := range l.configs {
		under := len(e.began)
		counted := min(under, perDoubtful)
		idle := e.idle(now)
		switch e.standing(now) {
		case lagging:
			lags = true
			lag -= counted
			doubt -= counted
			all -= under
			switch {
			case least == unproven:
				c.Places[id] = 0
			case least == lagging && idle <= recent:
				c.Places[id] = perDoubtful
			}
		case unproven:
			doubt -= counted
			all -= under
		case quick:
			if least == quick || idle <= recent {
				c.Places[id] = min(e.places(), most)
			}
		}
	}
	switch least {
	case lagging:
		c.Limit = min(free, all, doubt, lag)
	case unproven:
		c.Limit = min(free, all, doubt)
	case quick:
		c.Limit = free
	}
	return c, c.Limit > 0 && (least != lagging || lags)
}

// free is how many more posts may be claimed at once, and how many places one
// configuration may have then: up to the last quarter perConfig, of that
// perDoubtful.
func (l *load) free() (places, most int) {
	places, last := l.slots-len(l.held), l.slots/4
	if places > last {
		return places - last, perConfig
	}
	return places, perDoubtful
}

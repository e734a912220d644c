package callback

import "time"

// Bounds of what is under way at once.
const (
	perConfig       = 8   // requests to one configuration (callback events §8)
	defaultInFlight = 512 // requests in all; more wait in the database
	// forget is how long a configuration is remembered after its last attempt.
	// One that was forgotten begins anew.
	forget = time.Hour
	// recent is how long a quick configuration without anything under way is
	// named in claims that serve those without a name as well, if with
	// perDoubtful: what a claim costs is a matter of how many are in use.
	recent = 10 * time.Second
)

// load is what the pusher has under way and what it knows of endpoints. One
// goroutine owns it.
//
// However many endpoints hang, others are served: those that lag have a quarter
// of all places at most, and with those that are unproven a half. The last
// quarter that is free goes to configurations that have almost nothing under
// way, since endpoints of good standing may all begin to hang at once. What an
// endpoint got while it was quick counts for neither bound when it lags.
//
// This is the breaker of W-07: it puts off no attempt that has a place.
type load struct {
	slots   int
	held    map[string]struct{} // ids of posts claimed and not yet recorded
	configs map[string]*endpoint
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

// ask returns a claim for endpoints of at least this standing; false if there
// is no place for them, or nobody below the next to make it for.
//
// A configuration without an entry in Places is one that is not known here or
// that may have perDoubtful anyway. When more is due than there are places, the
// store shares them evenly among the known and the others.
func (l *load) ask(least standing, now time.Time) (Claim, bool) {
	free, most := l.free()
	half, quarter := max(l.slots/2, 1), max(l.slots/4, 1)
	c := Claim{PerConfig: perDoubtful, Places: map[string]int{}}
	if least == quick {
		c.PerConfig = 0
	}
	lags := false
	for id, e := range l.configs {
		idle := now.Sub(e.used)
		if len(e.began) > 0 {
			idle = 0
		}
		if idle > forget {
			delete(l.configs, id)
			continue
		}
		taken := min(len(e.began), perDoubtful)
		switch e.standing(now) {
		case lagging:
			lags = true
			quarter -= taken
			half -= taken
			if least == unproven {
				c.Places[id] = 0
			}
		case unproven:
			half -= taken
		case quick:
			if least == quick || idle <= recent {
				c.Places[id] = min(e.places(), most)
			}
		}
	}
	switch least {
	case lagging:
		c.Limit = min(free, half, quarter)
	case unproven:
		c.Limit = min(free, half)
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

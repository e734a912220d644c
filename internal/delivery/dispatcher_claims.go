package delivery

import (
	"slices"
	"sync"
	"time"
)

// otpRef names an OTP.
type otpRef struct{ account, id string }

// claim is what is known of an OTP while deliveries of it are claimed.
type claim struct {
	jobs   int
	ended  bool
	inHand []int // the deliveries, by Seq, that are with carriers now
}

// claims knows which OTPs this node holds deliveries of, and sees to it that
// no submit begins for one that has ended.
type claims struct {
	mu       sync.Mutex // guards what follows
	limit    int        // how many jobs may be claimed at a time
	open     map[otpRef]*claim
	jobs     int
	closed   bool
	claiming bool
	// meanwhile are the OTPs that ended while the database was claiming: it may
	// have claimed them just before. Empty otherwise.
	meanwhile map[otpRef]struct{}
}

// free returns how many jobs more may be claimed.
func (c *claims) free() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.limit - c.jobs
}

// setLimit changes how many jobs may be claimed at a time.
func (c *claims) setLimit(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit = n
}

// begins says that the database is asked to claim now.
func (c *claims) begins() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.claiming, c.meanwhile = true, nil
}

// ends takes over what the database claimed, all but the jobs of OTPs that
// ended meanwhile. fresh is until when that is good, until when the last submit of
// each may begin.
func (c *claims) ends(found []Job, fresh, until time.Time) []leased {
	c.mu.Lock()
	defer c.mu.Unlock()
	jobs := make([]leased, 0, len(found))
	for _, job := range found {
		l := leased{job, fresh, until}
		ref := l.ref()
		if _, ended := c.meanwhile[ref]; ended {
			continue
		}
		if c.open[ref] == nil {
			c.open[ref] = &claim{}
		}
		c.open[ref].jobs++
		c.jobs++
		jobs = append(jobs, l)
	}
	c.claiming, c.meanwhile = false, nil
	return jobs
}

// end marks an OTP as over.
func (c *claims) end(ref otpRef) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if held := c.open[ref]; held != nil {
		held.ended = true
	}
	if c.claiming {
		if c.meanwhile == nil {
			c.meanwhile = map[otpRef]struct{}{}
		}
		c.meanwhile[ref] = struct{}{}
	}
}

// begin reports whether a submit for the OTP may begin.
func (c *claims) begin(ref otpRef) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.closed && !c.open[ref].ended
}

// ended reports whether the OTP was marked as over.
func (c *claims) ended(ref otpRef) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open[ref].ended
}

// take puts a delivery into hand and reports whether it was not there already: a
// clock that is set ahead ends the lease of what is still with a carrier.
func (c *claims) take(ref otpRef, seq int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	held := c.open[ref]
	if slices.Contains(held.inHand, seq) {
		return false
	}
	held.inHand = append(held.inHand, seq)
	return true
}

// putDown takes a delivery out of hand.
func (c *claims) putDown(ref otpRef, seq int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	held := c.open[ref]
	held.inHand = slices.DeleteFunc(held.inHand, func(s int) bool { return s == seq })
}

// settle forgets one job of the OTP.
func (c *claims) settle(ref otpRef) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jobs--
	held := c.open[ref]
	if held.jobs--; held.jobs == 0 {
		delete(c.open, ref)
	}
}

// close lets no submit begin any more.
func (c *claims) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}

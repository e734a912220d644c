package smpp

import (
	"encoding/hex"
	"strings"
	"sync"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
)

// Bounds of what is remembered of long messages.
const (
	keepGroups = time.Hour // after the code's end; message centres report by then
	maxGroups  = 100_000   // a new message is then not followed beyond its first part
	sweepEvery = time.Minute
	maxTaken   = 1024 // of what the database keeps for the next try
)

// group is a long message: its parts are submitted and reported one by one.
type group struct {
	ids []string // by part, "" while there is none
	// reported are the parts whose delivery was reported, and those that another
	// process sent, as their report may have come to that one.
	reported  map[string]bool
	outcome   *delivery.Receipt // once it is settled
	announced bool              // the submit's result is on its way: outcomes go to the dispatcher
	asked     []<-chan struct{} // closed when the dispatcher has answered about a part that it was asked about too early
	until     time.Time
}

// Parts remember long messages, under their dedupe reference while they are
// being submitted and under each part's id. Carriers may share them; many
// goroutines may use them at once.
type Parts struct {
	now func() time.Time

	mu    sync.Mutex // guards what follows, the groups too
	byRef map[string]*group
	byID  map[string]*group
	asked map[string][]*asking // by the receipt's id
	swept time.Time
}

// NewParts returns Parts that remember nothing yet. now is this machine's clock.
func NewParts(now func() time.Time) *Parts {
	return &Parts{now: now, byRef: map[string]*group{}, byID: map[string]*group{}, asked: map[string][]*asking{}, swept: now()}
}

// begin returns the group of a message of n parts: that of an earlier try, if
// that left off in between, in this process or, as taken says, in another.
func (p *Parts) begin(dedupe string, n int, expires time.Time, taken string) *group {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep()
	if g := p.byRef[dedupe]; g != nil && len(g.ids) == n {
		return g
	}
	g := &group{ids: make([]string, n), reported: map[string]bool{}, until: expires.Add(keepGroups)}
	if ids, ok := readTaken(taken); ok && len(ids) == n {
		g.ids = ids
		for _, id := range ids {
			if g.reported[id] = id != ""; id != "" {
				p.own(g, id)
			}
		}
	}
	if len(p.byRef) < maxGroups {
		p.byRef[dedupe] = g
	}
	return g
}

// settledPart reports whether part i need not be submitted any more.
func (p *Parts) settledPart(g *group, i int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return g.ids[i] != ""
}

// accepted records a part's id. The reader calls it before it reads on, so that
// no receipt can be earlier.
func (p *Parts) accepted(g *group, i int, id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g.ids[i] = id
	p.own(g, id)
}

// own makes an id that of a part of g, and of nothing else. The caller holds mu.
func (p *Parts) own(g *group, id string) {
	p.disown(id, g)
	if len(p.byID) >= maxGroups {
		return
	}
	p.byID[id] = g
	for _, a := range p.asked[id] {
		a.stop(errPart)
		g.asked = append(g.asked, a.over)
	}
}

// alone records the id of a message of one part.
func (p *Parts) alone(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.disown(id, nil)
}

// disown takes an id from the message that had it, unless that is g: message
// centres give ids again, and then they are the newest message's, as in the
// store. A message whose reference is another's is not followed any more. The
// caller holds mu.
func (p *Parts) disown(id string, g *group) {
	old := p.byID[id]
	if old == nil || old == g {
		return
	}
	delete(p.byID, id)
	if old.ref() != id {
		return
	}
	for _, other := range old.ids {
		if p.byID[other] == old {
			delete(p.byID, other)
		}
	}
}

// taken writes which parts were taken, for whoever submits the others; "" if
// none was.
func (p *Parts) taken(g *group) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if g.ref() == "" {
		return ""
	}
	ids := make([]string, len(g.ids))
	for i, id := range g.ids {
		ids[i] = hex.EncodeToString([]byte(id))
	}
	text := strings.Join(ids, ".")
	if len(text) > maxTaken { // all parts are sent again then, if another process does
		return ""
	}
	return text
}

func readTaken(text string) (ids []string, ok bool) {
	for one := range strings.SplitSeq(text, ".") {
		id, err := hex.DecodeString(one)
		if err != nil {
			return nil, false
		}
		ids = append(ids, string(id))
	}
	return ids, true
}

// finish ends the submitting of a message that was accepted or may have been.
// It returns its reference, and what receipts have said already.
func (p *Parts) finish(dedupe string, g *group) (ref string, early *delivery.Receipt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byRef[dedupe] == g {
		delete(p.byRef, dedupe)
	}
	g.announced = true
	return g.ref(), g.outcome
}

// forget drops a message that will not be submitted again.
func (p *Parts) forget(dedupe string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.byRef, dedupe)
}

// ref is the delivery's reference: the first part's id, or that of the first
// part that has one.
func (g *group) ref() string {
	for _, id := range g.ids {
		if id != "" {
			return id
		}
	}
	return ""
}

// complete reports whether all parts were reported as delivered. Some message
// centres give all parts one id.
func (g *group) complete() bool {
	for _, id := range g.ids {
		if !g.reported[id] {
			return false // also for a part without an id
		}
	}
	return true
}

// settles reports whether a part's receipt decides what becomes of the message: a
// failure does, and the last part's delivery. EXPIRED is not the last word, as
// with messages of one part.
func (g *group) settles(r delivery.Receipt) bool {
	if g.outcome != nil && g.outcome.State != delivery.ReceiptTimedOut {
		return false
	}
	return r.State != delivery.ReceiptDelivered || g.complete()
}

// undelivered returns why a part that was accepted was not delivered, if a receipt has
// said so.
func (p *Parts) undelivered(g *group) (otp.Failure, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if g.outcome == nil || g.outcome.State != delivery.ReceiptUndeliverable {
		return otp.Failure{}, false
	}
	return g.outcome.Failure, true
}

// report takes what a receipt says of one part. known says that the part
// belongs to a long message; whole is not nil if the dispatcher is to be told.
func (p *Parts) report(id string, r delivery.Receipt) (whole *delivery.Receipt, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.byID[id]
	if g == nil {
		return nil, false
	}
	if r.State == delivery.ReceiptDelivered {
		g.reported[id] = true
	}
	if g.settles(r) {
		g.outcome = &r
	}
	if g.outcome == nil || !g.announced {
		return nil, true
	}
	out := *g.outcome // told again where the receipt comes again: the first may not have been recorded
	out.Ref = g.ref()
	return &out, true
}

// sweep forgets what is over, once in a while.
func (p *Parts) sweep() {
	now := p.now()
	if now.Sub(p.swept) < sweepEvery {
		return
	}
	p.swept = now
	for dedupe, g := range p.byRef {
		if now.After(g.until) {
			delete(p.byRef, dedupe)
		}
	}
	for id, g := range p.byID {
		if now.After(g.until) {
			delete(p.byID, id)
		}
	}
}

package smpp

import (
	"context"
	"errors"
	"time"

	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
)

// turnBound is how long a message waits for a bind, the window and its turn.
// With responseBound it stays below what the dispatcher gives a submit.
const turnBound = 8 * time.Second

var errTurnBound = errors.New("no turn in time")

// Submit hands one message over, in as many parts as it needs. It satisfies
// delivery.Carrier.
func (c *Carrier) Submit(ctx context.Context, m delivery.Message) delivery.Result {
	bodies, refused := c.cfg.compose(m, c.deps.Now())
	if refused != nil {
		return *refused
	}
	turn, cancel := context.WithTimeoutCause(ctx, turnBound, errTurnBound)
	defer cancel()
	var g *group
	if len(bodies) > 1 {
		g = c.parts.begin(m.Dedupe, len(bodies), m.Ends(), m.Taken)
	}
	for {
		if r, again := c.attempt(ctx, turn, m, bodies, g); !again {
			if g != nil && r.Class == delivery.Retry {
				r.Taken = c.parts.taken(g)
			}
			return r
		}
	}
}

// attempt hands a message over at one bind. again says that its session ended
// before anything was written.
func (c *Carrier) attempt(ctx, turn context.Context, m delivery.Message, bodies []*pdu.Message, g *group) (r delivery.Result, again bool) {
	l, s, err := c.pick(turn)
	if err != nil {
		return c.unbound(), false
	}
	defer l.load.Add(-1)
	all, again := c.send(turn, bodies, submit{carrier: c, link: l, session: s, group: g, ownSender: c.cfg.ownSender(m), over: m.Over})
	if again {
		return r, true
	}
	for _, one := range all {
		one.wait(ctx)
	}
	if g != nil {
		c.parts.answered(ctx, g)
	}
	return c.outcome(m, g, all), false
}

// send writes the parts that are still to be sent, one after the other. again
// says that the session ended before anything was written.
func (c *Carrier) send(ctx context.Context, bodies []*pdu.Message, common submit) (all []*submit, again bool) {
	for i, body := range bodies {
		if common.group != nil && c.parts.settledPart(common.group, i) {
			continue
		}
		one := common
		one.body, one.part = body, i
		all = append(all, &one)
		if !one.write(ctx) {
			// The rest of the message would wait in vain.
			return all, len(all) == 1 && one.session.isStopping()
		}
	}
	return all, false
}

// submit is one part on its way.
type submit struct {
	carrier *Carrier
	link    *link
	session *session
	body    *pdu.Message
	group   *group // nil for a message of one part
	part    int
	// ownSender says that the message brought the sender along: it is not the
	// configuration's.
	ownSender bool

	over    func(context.Context) bool // delivery.Message.Over
	written *pending
	result  delivery.Result
	failed  bool // by 0x45, which is repeated once
}

// write sends the part when it is its turn. If it is not written, result says
// why.
func (p *submit) write(ctx context.Context) bool {
	if err := p.enter(ctx); err != nil {
		p.result = delivery.Result{Class: delivery.Retry, Failure: delivery.Unreachable}
		return false
	}
	if p.over != nil && p.over(ctx) { // while it waited
		<-p.session.slots
		p.result = delivery.Result{Class: delivery.Deferred}
		return false
	}
	w, err := p.session.request(pdu.SubmitSM, p.body, true, p.learn)
	switch {
	case errors.Is(err, pdu.ErrTooLong):
		p.result = *refuse(delivery.Permanent, "length", "The message does not fit into a PDU")
		return false
	case err != nil:
		p.result = delivery.Result{Class: delivery.Retry, Failure: delivery.Unreachable}
		return false
	}
	p.written = w
	return true
}

// enter takes a place in the window and waits for the part's turn.
func (p *submit) enter(ctx context.Context) error {
	if p.session.isStopping() {
		return errEnding
	}
	select {
	case p.session.slots <- struct{}{}:
	case <-p.session.stopping:
		return errEnding
	case <-ctx.Done():
		return errPaced
	}
	err := p.link.throttle.take(ctx)
	if err == nil && p.session.isStopping() {
		err = errEnding
	}
	if err != nil {
		<-p.session.slots
	}
	return err
}

// learn is called with the answer by the session's reader.
func (p *submit) learn(answer pdu.PDU) {
	if answer.ID != pdu.SubmitSMResp || answer.Status != pdu.OK {
		return
	}
	switch id := p.carrier.idOf(answer); {
	case id == "":
	case p.group == nil:
		p.carrier.parts.alone(id)
	default:
		p.carrier.parts.accepted(p.group, p.part, id)
	}
}

// wait takes the answer, and repeats the part once if the message centre does
// not like its validity_period.
func (p *submit) wait(ctx context.Context) {
	if p.written == nil {
		return
	}
	answer, err := p.session.await(ctx, p.written, responseBound)
	if err == nil && answer.Status == pdu.InvalidExpiry && p.body.Validity != "" {
		p.body.Validity = ""
		if p.written = nil; !p.write(ctx) {
			return
		}
		answer, err = p.session.await(ctx, p.written, responseBound)
	}
	if err != nil {
		p.carrier.notice(NoAnswer)
		if errors.Is(err, errNoAnswer) && p.session.timeouts.Add(1) >= maxTimeouts {
			p.session.end(errUnanswered)
		}
		p.result = delivery.Result{Class: delivery.Uncertain, Failure: unanswered(ctx, err)}
		return
	}
	p.result = p.judge(answer)
}

// unanswered says why nothing came to a submit that was written: the time was over,
// or the session was.
func unanswered(ctx context.Context, err error) otp.Failure {
	if ctx.Err() != nil || errors.Is(err, errNoAnswer) || errors.Is(err, errUnanswered) {
		return failure("timeout", "The carrier did not answer in time")
	}
	return failure("connection", "The connection to the carrier broke")
}

// judge returns what an answer means.
func (p *submit) judge(answer pdu.PDU) delivery.Result {
	c := p.carrier
	if answer.Status == pdu.OK {
		if answer.ID != pdu.SubmitSMResp { // a generic_nack that refuses nothing
			return delivery.Result{Class: delivery.Uncertain, Failure: failure("answer", "The message centre's answer could not be understood")}
		}
		return delivery.Result{Class: delivery.Accepted, Ref: c.idOf(answer)}
	}
	r := delivery.Result{Class: c.cfg.classOf(answer.Status), Failure: failureOf(answer.Status)}
	r.Own = r.Class == delivery.Config && p.ownSender && aboutSender(answer.Status)
	switch {
	case throttles(answer.Status):
		c.notice(Throttling)
		p.link.throttle.throttled()
		if r.Class == delivery.Retry {
			r.After = p.link.throttle.pause()
		}
	case answer.Status == pdu.SubmitFailed:
		p.failed = r.Class == delivery.Retry
	case answer.Status == pdu.WrongBindState:
		p.session.end(errRebind)
	}
	return r
}

// idOf returns the reference of an accepted part.
func (c *Carrier) idOf(answer pdu.PDU) string {
	if body, ok := answer.Body.(*pdu.Answer); ok {
		return c.ids.answered(body.MessageID)
	}
	return ""
}

// rank orders classes by how much they decide: a message with a part that will
// never be taken is over, one with a part that may have been taken is not
// repeated, one with a part to repeat is.
func rank(class delivery.Class) int {
	switch class {
	case delivery.Permanent:
		return 4
	case delivery.Uncertain:
		return 3
	case delivery.Config:
		return 2
	case delivery.Retry, delivery.Deferred:
		return 1
	case delivery.Accepted:
	}
	return 0
}

// outcome makes one result of those of the parts.
func (c *Carrier) outcome(m delivery.Message, g *group, all []*submit) delivery.Result {
	r := delivery.Result{Class: delivery.Accepted}
	var fails *submit
	for i, one := range all {
		if i == 0 || rank(one.result.Class) > rank(r.Class) {
			r = one.result
		}
		if one.failed {
			fails = one
		}
	}
	if g != nil && (r.Class == delivery.Retry || r.Class == delivery.Uncertain) {
		// One part's failure is that of the message, so that neither repeating
		// the others nor waiting for their receipts makes a difference.
		if why, failed := c.parts.undelivered(g); failed {
			r = delivery.Result{Class: delivery.Permanent, Failure: why}
		}
	}
	switch r.Class {
	case delivery.Permanent, delivery.Config:
		if g != nil {
			c.parts.forget(m.Dedupe)
		}
		return r
	case delivery.Retry, delivery.Deferred:
		if now := c.deps.Now(); fails != nil && c.failed.again(m.Dedupe, now, m.Ends()) {
			r = fails.result
			r.After = m.Ends().Sub(now) + pastEnd // once is enough
		}
		return r
	case delivery.Accepted, delivery.Uncertain:
	}
	if g != nil {
		r.Ref, r.Receipt = c.parts.finish(m.Dedupe, g)
		if r.Class != delivery.Accepted {
			r.Receipt = nil
		}
	}
	if r.Class == delivery.Accepted {
		r.NoReceipt = c.cfg.Receipts == none
	}
	return r
}

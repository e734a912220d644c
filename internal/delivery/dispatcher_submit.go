package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/countersign/countersign/internal/otp"
)

// elsewhereAfter is when a delivery whose code this node cannot open is offered
// to all nodes again.
const elsewhereAfter = time.Second

// The back-off after Retry, with full jitter.
const (
	backoffBase  = 500 * time.Millisecond
	backoffCap   = 10 * time.Second
	backoffLeast = time.Millisecond // a try is never due again in the instant of the last
)

// unexpected is reported where this server is at fault.
func unexpected() otp.Failure {
	return otp.Failure{Area: AreaInternal, Code: "500", Text: "Unexpected failure in this server"}
}

// deliver hands one job to the carriers of its route until one settles it or
// it is to be tried again later. handed is false if it was dropped: nothing is
// to be recorded, as its OTP is over, or its lease is needed by nobody.
func (d *Dispatcher) deliver(ctx context.Context, j leased) (out SubmitOutcome, handed bool) {
	out.Key = j.Key
	refused := func(why otp.Failure) (SubmitOutcome, bool) {
		out.Result = Result{Class: Permanent, Failure: why}
		return out, true
	}
	if j.calledAgain() && !d.cfg.Now().Before(j.AgainUntil) {
		return refused(LineBusy) // no time is left for the second call
	}
	route := j.order(d.cfg.Router.Route(j.Step.Channel, j.Recipient, j.Dedupe), time.UnixMicro(d.routed.Load()))
	first, behind := j.carriers(route, d.cfg.Now())
	_, sent := j.maybeTaken()
	if j.Step.Unroutable || len(route) == 0 && !sent {
		return refused(NoRoute)
	}
	code, err := d.cfg.Open(j.Account, j.OTPID, j.Sealed)
	if at := d.cfg.Now().Add(elsewhereAfter); errors.Is(err, ErrKeyUnknown) && j.mayWait(at) {
		out.Result, out.RetryAt = Result{Class: Deferred}, at
		return out, true
	}
	if err != nil {
		// Not by the OTP's id: with some facades that is what opens it.
		d.cfg.Log.ErrorContext(ctx, "delivery refused: its code cannot be opened",
			slog.String("delivery", j.Dedupe), slog.Any("err", err))
		if sent { // it is not this server that can say that nothing was taken
			out.Result = Result{Class: Retry, Failure: unexpected()}
			return out, true
		}
		return refused(unexpected())
	}
	out.Result = Result{Class: Retry, Failure: Unreachable}
	m := d.message(j, code)
	var skipped []int // carriers whose circuit is open
	for i := first; i < behind; i++ {
		switch d.offer(ctx, &out, &j, m, route, i, onlyWorking) {
		case taken:
			return out, true
		case dropped:
			return out, false
		case skip:
			skipped = append(skipped, i)
		case refusedIt, beside:
		}
	}
	for _, i := range skipped { // no other carrier is left
		switch d.offer(ctx, &out, &j, m, route, i, evenFailing) {
		case taken:
			return out, true
		case dropped:
			return out, false
		case skip, refusedIt, beside:
		}
	}
	return out, true
}

// message is what carriers get of a job.
func (d *Dispatcher) message(j leased, code otp.Code) Message {
	m := Message{
		Dedupe: j.Dedupe, Account: j.Account, OTPID: j.OTPID, Recipient: j.Recipient, Step: j.Step,
		Code: code, Expires: j.Expires, Ahead: d.cfg.Wall().Sub(d.cfg.Now()), Try: j.Tries + 1,
	}
	switch j.Sender {
	case "":
	case Withheld:
		m.Step.Sender = ""
	default:
		m.Step.Sender = j.Sender
	}
	if j.calledAgain() { // it has the rest of the first call's wait
		m.Step.Wait = min(m.Step.Wait, j.AgainUntil.Sub(d.cfg.Now()))
	}
	return m
}

// offered is what came of offering a job to one carrier.
type offered uint8

const (
	taken     offered = iota // this round is over, its outcome in out
	dropped                  // the OTP is over: nothing is to be recorded
	skip                     // its circuit is open
	beside                   // it takes nothing now
	refusedIt                // it was asked, and the next carrier may be
)

// offer hands the job to carrier i of its route, if that takes something now.
func (d *Dispatcher) offer(ctx context.Context, out *SubmitOutcome, j *leased, m Message, route []Carrier, i int, ask reach) offered {
	now := d.cfg.Now()
	if now.After(j.until) {
		out.RetryAt = now.Add(backoffLeast)
		return taken // the rest of the route under a new lease
	}
	c := route[i]
	over, err := d.over(ctx, j)
	if over {
		return dropped
	}
	if err != nil {
		return d.later(out, j, route, i)
	}
	place := d.carriers.enter(c.Name(), now, ask)
	switch {
	case place.admission == closed:
		out.Carrier, out.Result = c.Name(), Result{Class: Config, Failure: place.trouble}
		out.passed(c.Name(), now, PassedClosed, place.trouble, i+1, len(route))
		return beside
	case place.admission == failing:
		out.passed(c.Name(), now, PassedFailing, place.trouble, i+1, len(route))
		return skip
	case place.admission == full && d.putBack(out, *j, route, i, place.at):
		return taken
	case place.admission == full:
		out.Carrier, out.Result = c.Name(), Result{Class: Retry, Failure: Unreachable}
		out.passed(c.Name(), now, PassedFull, otp.Failure{}, i+1, len(route))
		return beside
	}
	if !d.claims.begin(j.ref()) {
		d.carriers.back(c.Name())
		return dropped
	}
	last, hand := *out, handover{of: d, job: j}
	out.Carrier, m.Taken, m.Over = c.Name(), j.taken(c.Name()), hand.over
	out.Result = d.submit(ctx, c, place, m)
	if out.Result.Class == Deferred {
		*out = last
		return d.later(out, j, route, i)
	}
	if m.Try == 1 && last.lastAsked() == 0 {
		d.cfg.Observer.Handed(m.Step.Channel, now.Sub(j.Queued))
	}
	out.tried(now, d.cfg.Now(), i+1, len(route))
	if d.settled(out, *j, c, i, len(route)) {
		return taken
	}
	return refusedIt
}

// over reports whether the job's OTP is known to have ended: to this process, or
// to the database, which is asked again if what it said last is not of just now.
func (d *Dispatcher) over(ctx context.Context, j *leased) (bool, error) {
	now := d.cfg.Now()
	if !now.Before(j.Expires) || d.claims.ended(j.ref()) {
		return true, nil
	}
	if !now.After(j.fresh) {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, askBound)
	defer cancel()
	may, err := d.cfg.Store.MaySubmit(ctx, j.Key)
	if err != nil {
		d.cfg.Log.WarnContext(ctx, "the database does not say whether an OTP is open: its message waits",
			slog.String("delivery", j.Dedupe), slog.Any("err", err))
		return false, fmt.Errorf("ask whether the otp is open: %w", err)
	}
	j.fresh = now.Add(freshTime)
	return !may, nil
}

// later has the job claimed again soon: over its route of then, and if the database
// says that its OTP is open.
func (d *Dispatcher) later(out *SubmitOutcome, j *leased, route []Carrier, i int) offered {
	if d.putBack(out, *j, route, i, d.cfg.Now().Add(backoffLeast)) {
		return taken
	}
	out.Carrier, out.Result = route[i].Name(), Result{Class: Retry, Failure: Unreachable}
	return beside
}

// handover is what a message asks whose turn at its carrier comes.
type handover struct {
	of    *Dispatcher
	job   *leased
	begun bool // a part of it may have left
}

// over is Message.Over. What has begun goes on where nobody knows.
func (h *handover) over(ctx context.Context) bool {
	over, err := h.of.over(ctx, h.job)
	if !over && err == nil {
		h.begun = true
	}
	return over || !h.begun
}

// putBack has the job wait until there may be room at carrier i of the route, at
// at the earliest. False means that there is no time for that.
//
// Carriers that were asked in this round and refused are not asked again for it:
// the next round begins behind the last of them.
func (d *Dispatcher) putBack(out *SubmitOutcome, j leased, route []Carrier, i int, at time.Time) bool {
	next, asked := "", out.lastAsked()
	switch {
	case asked == 0: // nothing was tried
	case asked <= i:
		next = route[asked].Name()
	default:
		// Carrier i fails and has no room, and those behind it refused. They are
		// asked again, as behind the last of them there is nobody; not before
		// they would be if they were alone.
		next = route[i].Name()
		if again := d.again(j, out.Result); again.After(at) {
			at = again
		}
	}
	if !j.mayWait(at) {
		return false
	}
	if next == "" {
		*out = SubmitOutcome{Key: j.Key}
	}
	out.Next, out.Result, out.RetryAt = next, Result{Class: Deferred, Failure: out.Result.Failure}, at
	return true
}

// settled reports whether the answer of carrier i of n ends this round for the
// job; else the next carrier is to be tried.
func (d *Dispatcher) settled(out *SubmitOutcome, j leased, c Carrier, i, n int) bool {
	switch out.Result.Class {
	case Accepted:
		return true
	case Retry:
		if at := d.again(j, out.Result); at.Before(j.budget(i, n)) {
			out.RetryAt = at
			return true
		}
		out.Result.Failure = Unreachable
		return false
	case Uncertain:
		if at := d.again(j, out.Result); c.Dedupes() && at.Before(j.budget(n-1, n)) {
			out.RetryAt = at
		}
		return true
	case Config:
		return false
	case Permanent, Deferred:
	}
	return true
}

// again returns when the job is to be tried again.
func (d *Dispatcher) again(j leased, r Result) time.Time {
	wait := r.After
	if wait <= 0 {
		wait = d.cfg.Jitter(min(backoffBase<<min(j.Tries, 10), backoffCap))
	}
	return d.cfg.Now().Add(max(wait, backoffLeast))
}

// budget returns until when carrier i of n may be tried again: an equal share
// each of the step's wait, counted from when the delivery was queued, and never
// past the OTP's end. A carrier that may have the message has all of it. A second
// call has what the first left.
func (l leased) budget(i, n int) time.Time {
	if l.calledAgain() {
		return l.AgainUntil
	}
	if _, sent := l.maybeTaken(); sent {
		i = n - 1
	}
	wait := l.Step.Wait
	if wait <= 0 {
		wait = DefaultWait(l.Step.Channel)
	}
	end := l.Queued.Add(wait * time.Duration(i+1) / time.Duration(n))
	if l.Expires.Before(end) {
		return l.Expires
	}
	return end
}

// mayWait reports whether the job may wait until at for room at its carrier. A
// last step may wait as long as its OTP lasts.
func (l leased) mayWait(at time.Time) bool {
	if l.Next < 0 {
		return at.Before(l.Expires)
	}
	return at.Before(l.budget(0, 1))
}

// order returns the route in the order in which the job's carriers are asked. Those
// before the one that it was with last have refused it. But where the routes were
// changed after it was queued nobody knows whether they were ever asked: they come
// behind the others then.
func (l leased) order(route []Carrier, routed time.Time) []Carrier {
	last := slices.IndexFunc(route, func(c Carrier) bool { return c.Name() == l.Carrier })
	if last <= 0 || !l.Queued.Before(routed) {
		return route
	}
	return slices.Concat(route[last:], route[:last])
}

// carriers returns which part of the route may be asked now: from the carrier
// that was tried last, or behind it if its share of the time is used up. If
// that carrier may have the message it is asked alone, and only where it
// recognises a repetition. A second call is the carrier's that made the first.
func (l leased) carriers(route []Carrier, now time.Time) (first, behind int) {
	last := slices.IndexFunc(route, func(c Carrier) bool { return c.Name() == l.Carrier })
	if _, sent := l.maybeTaken(); sent {
		if last < 0 || !route[last].Dedupes() {
			return 0, 0
		}
		return last, last + 1
	}
	if l.calledAgain() {
		return max(last, 0), last + 1
	}
	first = max(last, 0)
	if last >= 0 && last+1 < len(route) && !now.Before(l.budget(last, len(route))) {
		first = last + 1
	}
	return first, len(route)
}

// submit hands the message to the carrier, where it has a place, and gives the
// place back.
func (d *Dispatcher) submit(ctx context.Context, c Carrier, place entry, m Message) (r Result) {
	ctx, cancel := context.WithTimeoutCause(ctx, submitBound, errSubmitBound)
	defer cancel()
	begun := d.cfg.Now()
	defer func() {
		if p := recover(); p != nil {
			// What it says may hold the message; where it was does not.
			d.cfg.Log.ErrorContext(ctx, "a carrier panicked", slog.String("carrier", c.Name()),
				slog.String("type", fmt.Sprintf("%T", p)), slog.String("stack", string(debug.Stack())))
			r = Result{Class: Retry, Failure: Unreachable}
		}
		now := d.cfg.Now()
		d.say(ctx, d.carriers.leave(c.Name(), place, m.Account, r, now), c.Name(), m.Account, r.Failure)
		if r.Class != Deferred {
			d.cfg.Observer.Submitted(m.Step.Channel, c.Name(), r.Class, now.Sub(begun))
		}
	}()
	// Before anybody learns it: what a circuit keeps goes into the log, to other
	// accounts' messages and to people who may not see this one (P-02).
	r = c.Submit(ctx, m).Hide(m.Quotes)
	if r.Class < Accepted || r.Class > Deferred {
		d.cfg.Log.ErrorContext(ctx, "a carrier gave no class", slog.String("carrier", c.Name()))
		r = Result{Class: Retry, Failure: Unreachable}
	}
	return r
}

// say logs what an answer changed.
func (d *Dispatcher) say(ctx context.Context, t turn, carrier, account string, why otp.Failure) {
	switch t {
	case alarmed:
		d.cfg.Log.ErrorContext(ctx, "a carrier needs the operator", slog.String("carrier", carrier),
			slog.String("code", why.Code), slog.String("text", why.Text))
	case opened:
		d.cfg.Log.ErrorContext(ctx, "a carrier fails; routes skip it", slog.String("carrier", carrier),
			slog.String("code", why.Code), slog.String("text", why.Text))
	case objected:
		d.cfg.Log.ErrorContext(ctx, "a carrier refuses what an account asks for", slog.String("carrier", carrier),
			slog.String("account", account), slog.String("code", why.Code), slog.String("text", why.Text))
	case mended:
		d.cfg.Log.InfoContext(ctx, "a carrier works again", slog.String("carrier", carrier))
	case unturned:
	}
}

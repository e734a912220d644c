package proof_test

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
)

// ledger is what clients were told of one OTP, and what they could not know.
type ledger struct {
	facade

	to, code string
	once     string // the Idempotency-Key of its send
	id       string // "" until the send was acknowledged
	counted  int    // checks that were answered as compared
	maybe    int    // checks that were not answered
	seen     int    // the most attempts that anybody was told of
	verified int    // answers that said verified
	final    string // the final state that a client was told of
	alone    bool   // nobody checks it: it must arrive
	audited  bool
}

// books are all ledgers, by number.
type books struct {
	facades []facade

	mu  sync.Mutex // guards all and its ledgers
	all map[string]*ledger
}

// open begins the ledger of an OTP; the facades take turns.
func (b *books) open(alone bool) *ledger {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.all)
	l := &ledger{facade: b.facades[n%len(b.facades)], to: fmt.Sprintf("+49151%08d", n*10+9), once: uuid.NewString(), alone: alone}
	if l.brings {
		l.code = fmt.Sprintf("%06d", 100_000+mathrand.IntN(900_000))
	}
	b.all[l.to] = l
	return l
}

func (b *books) note(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// send asks for the ledger's OTP and reports whether it was acknowledged.
func (b *books) send(ctx context.Context, p *process, l *ledger) bool {
	c := l.send(l.to, l.code)
	c.header["Idempotency-Key"] = l.once
	a, err := p.make(ctx, c)
	if err != nil {
		return false
	}
	id, err := l.sent(a)
	if err != nil {
		p.t.Errorf("%s: %v", l.name, err)
		return false
	}
	b.note(func() {
		if l.id != "" && l.id != id {
			p.t.Errorf("a repeated send has the id %s, first it was %s", id, l.id)
		}
		l.id = id
	})
	return true
}

// learn reads the code as its recipient would. It reports false when the server
// is gone; that no message is there yet is no reason to stop.
func (b *books) learn(ctx context.Context, p *process, l *ledger) bool {
	code, _, err := p.read(ctx, l.id)
	if errors.Is(err, errNotThere) {
		return true
	}
	if err == nil {
		b.note(func() { l.code = code })
	}
	return err == nil
}

// check gives a code and reports whether it was answered.
func (b *books) check(ctx context.Context, p *process, l *ledger, code string) bool {
	b.note(func() { l.maybe++ })
	a, err := p.make(ctx, l.check(l.id, code))
	if err != nil {
		return false
	}
	told, err := l.told(a)
	if err != nil {
		p.t.Errorf("%s: %v", l.name, err)
		return false
	}
	b.note(func() {
		l.maybe--
		least := l.seen // the count that may be told now
		switch told.verdict {
		case verified:
			l.verified++
			l.counted++
			least++
			l.final = "VERIFIED"
		case wrong:
			l.counted++
			least++
		case spent:
			l.counted++
			least++
			l.final = "TOO_MANY_ATTEMPTS"
		case locked:
			l.final = "TOO_MANY_ATTEMPTS"
		case over:
			l.final = "VERIFIED"
		}
		if told.count > 0 && told.count < least {
			p.t.Errorf("%s: the count went back: OTP %s was told %d attempts after %d", l.name, l.id, told.count, l.seen)
		}
		l.seen = max(l.seen, told.count)
	})
	return true
}

// audit compares a ledger with what the server says now.
func (b *books) audit(p *process, l *ledger) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := l.stands(p, l.id)
	switch {
	case err != nil:
		p.t.Errorf("%s: the acknowledged OTP %s is not known: %v", l.name, l.id, err)
	case l.verified > 1:
		p.t.Errorf("%s: OTP %s was verified %d times", l.name, l.id, l.verified)
	case l.final != "" && s.State != l.final:
		p.t.Errorf("%s: OTP %s is %s, a client was told %s", l.name, l.id, s.State, l.final)
	case s.Attempts < l.seen:
		p.t.Errorf("%s: OTP %s has %d attempts, somebody was told %d", l.name, l.id, s.Attempts, l.seen)
	case s.Attempts < min(l.counted, allowed) || s.Attempts > min(l.counted+l.maybe+1-l.spent, allowed):
		// Without a word for it, the code that was the last to be compared is not
		// among those counted.
		p.t.Errorf("%s: OTP %s has %d attempts; %d were answered, %d perhaps", l.name, l.id, s.Attempts, l.counted, l.maybe)
	}
	l.seen = max(l.seen, s.Attempts)
}

// finish audits a ledger after a restart and brings its OTP to an end, as
// clients who had no answer would: the facade still knows the OTP and its code.
func (b *books) finish(p *process, l *ledger) {
	b.audit(p, l)
	l.audited = true
	if l.alone || l.final != "" {
		return
	}
	for deadline := time.Now().Add(patience); l.code == ""; time.Sleep(2 * time.Millisecond) {
		if !b.learn(p.t.Context(), p, l) || time.Now().After(deadline) {
			p.t.Fatalf("%s: the code of OTP %s does not arrive\n%s", l.name, l.id, p.log)
		}
	}
	for _, code := range []string{other(l.code), l.code, l.code} {
		if !b.check(p.t.Context(), p, l, code) {
			p.t.Fatalf("%s: a check after the restart failed\n%s", l.name, p.log)
		}
		if code == l.code && l.final == "" {
			p.t.Errorf("%s: OTP %s does not know its code after the restart", l.name, l.id)
		}
	}
	b.audit(p, l)
}

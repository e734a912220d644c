// Package guard holds the limits and abuse rules that every Send and Check is
// asked against, whatever facade it came through. The rules are pure: a store
// loads a recipient's Tally inside the transaction of the Send or Check, asks,
// and writes the Tally back in the same transaction, so that a limit is exact
// under any concurrency and a counter that cannot be read refuses (L-09).
package guard

import (
	"slices"
	"time"
)

// Window allows Max events in any span of length Per.
type Window struct {
	Max int           // at least 1
	Per time.Duration // more than 0
}

// Rules are the limits of one deployment. The zero Rules limit nothing.
// Everything that the modes compat and strict set differently is set in
// Compat (and, when it comes, its strict counterpart).
type Rules struct {
	// Sends limits accepted sends (first sends, resends and fallback steps)
	// per account and recipient (L-04).
	Sends []Window
	// Calls limits those sends that are calls, besides Sends; without windows there
	// it limits nothing (L-04).
	Calls []Window
	// SendsPerOTP is how often one OTP may be sent; 0 for no limit (L-04).
	SendsPerOTP int
	// Failures limits compared wrong codes per account and recipient (L-03).
	Failures []Window
	// ConsecutiveFailures stops checks for a recipient until a success or an
	// audited clear (L-02, L-03); 0 for no limit.
	ConsecutiveFailures int
	// StopRetryAfter, more than 0, is told to callers that ConsecutiveFailures or
	// SendsPerOTP stopped: time does not lift those limits.
	StopRetryAfter time.Duration
}

// SendsPerRecipient is how many sends in 10 minutes are accepted where the operator
// chose no number (contract v4 S44).
const SendsPerRecipient = 10

// Compat returns the rules of the mode compat: sendsPerRecipient accepted sends in
// 10 minutes, the limits of an hour, of a day and on calls (L-04), and the limits on
// wrong codes. A number above SendsPerRecipient raises the others in proportion, as
// they would leave nothing of it; 0 turns all limits on sends off.
func Compat(sendsPerRecipient int) Rules {
	r := Rules{
		Failures:            []Window{{10, time.Hour}, {20, 24 * time.Hour}},
		ConsecutiveFailures: 100,
		StopRetryAfter:      time.Hour,
	}
	if sendsPerRecipient == 0 {
		return r
	}
	raised := func(most int) int {
		return (most*max(sendsPerRecipient, SendsPerRecipient) + SendsPerRecipient - 1) / SendsPerRecipient
	}
	r.Sends = []Window{{sendsPerRecipient, 10 * time.Minute}, {raised(10), time.Hour}, {raised(20), 24 * time.Hour}}
	r.Calls = []Window{{raised(3), time.Hour}, {raised(6), 24 * time.Hour}}
	r.SendsPerOTP = 10
	return r
}

// Send is one more send as the rules see it.
type Send struct {
	Before int  // how often the OTP was sent already
	Call   bool // it goes out by voice
}

// Tally is what is remembered of one account and recipient. It outlives the
// OTPs it counted: no resend, new OTP or deletion resets it (L-02).
type Tally struct {
	Sends       []time.Time // accepted sends, oldest first
	Calls       []time.Time // those of them that were calls, oldest first
	Failures    []time.Time // compared wrong codes, oldest first
	Consecutive int         // wrong codes since the last success
}

// Refusal says that a limit refuses, and for how long at least.
type Refusal struct {
	Limit      string        // which limit, stable: "sends", "calls", "sends_per_otp", "failures", "consecutive_failures"
	RetryAfter time.Duration // more than 0
}

// AdmitSend asks whether one more send at now fits. It counts the send in t if so,
// and returns the refusal otherwise, with t unchanged.
func (r Rules) AdmitSend(t *Tally, s Send, now time.Time) *Refusal {
	if r.SendsPerOTP > 0 && s.Before >= r.SendsPerOTP {
		return &Refusal{"sends_per_otp", r.StopRetryAfter}
	}
	if len(r.Sends) == 0 {
		return nil
	}
	var calls time.Duration
	if r.CountsCall(s) {
		calls = full(t.Calls, r.Calls, now)
	}
	switch sends := full(t.Sends, r.Sends, now); {
	case sends > 0 && sends >= calls:
		return &Refusal{"sends", sends}
	case calls > 0:
		return &Refusal{"calls", calls}
	}
	t.Sends = remember(t.Sends, r.Sends, now)
	if r.CountsCall(s) {
		t.Calls = remember(t.Calls, r.Calls, now)
	}
	return nil
}

// CountsCall reports whether the send is one of those that Calls limits.
func (r Rules) CountsCall(s Send) bool {
	return s.Call && len(r.Sends) > 0 && len(r.Calls) > 0
}

// AdmitCheck asks whether a code may be compared at now. It counts nothing.
func (r Rules) AdmitCheck(t Tally, now time.Time) *Refusal {
	if r.ConsecutiveFailures > 0 && t.Consecutive >= r.ConsecutiveFailures {
		return &Refusal{"consecutive_failures", r.StopRetryAfter}
	}
	if wait := full(t.Failures, r.Failures, now); wait > 0 {
		return &Refusal{"failures", wait}
	}
	return nil
}

// CountFailure counts a compared wrong code.
func (r Rules) CountFailure(t *Tally, now time.Time) {
	t.Consecutive++
	if len(r.Failures) > 0 {
		t.Failures = remember(t.Failures, r.Failures, now)
	}
}

// CountSuccess forgets the wrong codes of the recipient.
func (r Rules) CountSuccess(t *Tally) { t.Failures, t.Consecutive = nil, 0 }

// LimitsSends reports whether sends are counted at all.
func (r Rules) LimitsSends() bool { return len(r.Sends) > 0 || r.SendsPerOTP > 0 }

// full returns how long until every window has room, 0 if all have it now.
func full(times []time.Time, windows []Window, now time.Time) time.Duration {
	var wait time.Duration
	for _, w := range windows {
		if len(times) < w.Max {
			continue
		}
		// The window has room again once the Max-th newest time leaves it.
		if left := times[len(times)-w.Max].Add(w.Per).Sub(now); left > wait {
			wait = left
		}
	}
	return wait
}

// remember appends now and drops the times that no window can need again.
func remember(times []time.Time, windows []Window, now time.Time) []time.Time {
	keep, span := 0, time.Duration(0)
	for _, w := range windows {
		keep, span = max(keep, w.Max), max(span, w.Per)
	}
	times = append(slices.Clone(times), now)
	if len(times) > keep {
		times = times[len(times)-keep:]
	}
	for len(times) > 0 && now.Sub(times[0]) >= span {
		times = times[1:]
	}
	return times
}

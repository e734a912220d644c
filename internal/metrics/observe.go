package metrics

import (
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

// Deliveries observes the dispatcher; it is a delivery.Observer.
type Deliveries struct{ m *Metrics }

// Deliveries returns the dispatcher's observer.
func (m *Metrics) Deliveries() Deliveries { return Deliveries{m} }

// Claimed is not counted: the queue's depth and age say more.
func (Deliveries) Claimed(int, time.Duration) {}

// Handed measures how long a send waited for its first submit.
func (d Deliveries) Handed(channel message.Channel, sinceQueued time.Duration) {
	d.m.handoffSeconds.WithLabelValues(string(channel)).Observe(sinceQueued.Seconds())
}

// Submitted counts a submit and measures the carrier's answer.
func (d Deliveries) Submitted(channel message.Channel, carrier string, class delivery.Class, took time.Duration) {
	d.m.deliveries.WithLabelValues(string(channel), carrier, strings.ToLower(class.String())).Inc()
	d.m.submitSeconds.WithLabelValues(carrier).Observe(took.Seconds())
}

// Received counts a receipt.
func (d Deliveries) Received(carrier string, state delivery.ReceiptState, known bool) {
	d.m.receipts.WithLabelValues(carrier, receiptState(state), strconv.FormatBool(known)).Inc()
}

// TimedOut counts waits that came to their end.
func (d Deliveries) TimedOut(n int) { d.m.timeouts.Add(float64(n)) }

// Lost counts a submit that could not be recorded.
func (d Deliveries) Lost() { d.m.lost.Inc() }

func receiptState(s delivery.ReceiptState) string {
	switch s {
	case delivery.ReceiptDelivered:
		return "delivered"
	case delivery.ReceiptUndeliverable:
		return "undeliverable"
	case delivery.ReceiptTimedOut:
		return "timed_out"
	}
	return "invalid"
}

// Callbacks observes the pusher; it is a callback.Observer.
type Callbacks struct{ m *Metrics }

// Callbacks returns the pusher's observer.
func (m *Metrics) Callbacks() Callbacks { return Callbacks{m} }

// Posted counts an attempt.
func (c Callbacks) Posted(result string, latency time.Duration) {
	c.m.callbacks.WithLabelValues(result).Inc()
	c.m.callbackSeconds.Observe(latency.Seconds())
}

// Commits observes the store; it is a sqlite.Observer.
type Commits struct{ m *Metrics }

// Commits returns the store's observer.
func (m *Metrics) Commits() Commits { return Commits{m} }

// Committed counts a group commit.
func (c Commits) Committed(callers int, took time.Duration) {
	c.m.commitCallers.Observe(float64(callers))
	c.m.commitSeconds.Observe(took.Seconds())
}

package tyntecv4_test

import (
	"net/http"
	"time"

	"github.com/countersign/countersign/internal/delivery"
)

// fallbackExamples are those under "Fallback".
func fallbackExamples() []example {
	const with = `{"otpCode":"483920","priorityName":"sms-then-voice"}`
	calledAt := func(h *harness, at time.Duration) {
		h.t.Helper()
		h.advance(at - time.Millisecond)
		equal(h.t, "calls just before", len(h.voice.messages()), 0)
		h.advance(time.Millisecond)
		equal(h.t, "calls", len(h.voice.messages()), 1)
	}
	neverCalled := func(h *harness) {
		h.t.Helper()
		for range 20 {
			h.advance(30 * time.Second)
		}
		equal(h.t, "calls", len(h.voice.messages()), 0)
	}
	gone := func(h *harness, paths ...string) {
		h.t.Helper()
		for _, p := range paths {
			h.delete(p).empty(http.StatusOK)
		}
	}
	return []example{
		{81, "delivered", func(h *harness) {
			h.accepted(with)
			h.advance(5 * time.Second)
			h.receipt(h.sms, 0, delivery.ReceiptDelivered)
			neverCalled(h)
		}},
		{82, "refused", func(h *harness) {
			h.sms.refuses()
			id := h.accepted(with)
			equal(h.t, "calls", len(h.voice.messages()), 1)
			equal(h.t, "text", h.voice.messages()[0].Text(), "Your ACME code is 4, 8, 3, 9, 2, 0")
			equal(h.t, "events", h.events(id), []string{"SMS UNDELIVERABLE", "VOICE DISPATCHED"})
		}},
		{83, "failed later", func(h *harness) {
			h.accepted(with)
			h.advance(10 * time.Second)
			equal(h.t, "calls before", len(h.voice.messages()), 0)
			h.receipt(h.sms, 0, delivery.ReceiptUndeliverable)
			equal(h.t, "calls", len(h.voice.messages()), 1)
		}},
		{84, "silent", func(h *harness) {
			id := h.accepted(with)
			calledAt(h, time.Minute)
			equal(h.t, "events", h.events(id), []string{"SMS DISPATCHED", "SMS TIMED_OUT", "VOICE DISPATCHED"})
		}},
		{85, "half of a short validity", func(h *harness) {
			h.patch("/templates/sms/"+h.T1, `{"codeExpirationTime":1}`).empty(http.StatusOK)
			h.accepted(with)
			calledAt(h, 30*time.Second)
		}},
		{86, "verified meanwhile", func(h *harness) {
			id := h.accepted(with)
			h.advance(20 * time.Second)
			equal(h.t, "verdict", h.verdict(id, "483920"), "VERIFIED")
			neverCalled(h)
			equal(h.t, "events", h.events(id), []string{"SMS DISPATCHED"})
		}},
		{87, "deleted meanwhile", func(h *harness) {
			id := h.accepted(with)
			h.advance(20 * time.Second)
			gone(h, "/otp/"+id)
			neverCalled(h)
			h.get("/otp/" + id).nr(id)
		}},
		{88, "the fallback extends the OTP", func(h *harness) {
			id := h.accepted(with)
			calledAt(h, time.Minute)
			equal(h.t, "life", h.life(id), 5*time.Minute)
		}},
		{89, "no voice template", func(h *harness) {
			gone(h, "/templates/voice/"+h.T3)
			h.accepted(with)
			equal(h.t, "messages", len(h.sms.messages()), 1)
			neverCalled(h)
		}},
		{90, "no SMS template", func(h *harness) {
			gone(h, "/templates/sms/"+h.T1, "/templates/sms/"+h.T2)
			id := h.accepted(with)
			equal(h.t, "messages", len(h.sms.messages()), 0)
			equal(h.t, "calls", len(h.voice.messages()), 1)
			equal(h.t, "life", h.life(id), 4*time.Minute)
		}},
		{91, "no template at all", func(h *harness) {
			gone(h, "/templates/sms/"+h.T1, "/templates/sms/"+h.T2, "/templates/voice/"+h.T3)
			h.send(with).cv("priorityName")
			h.nothingSent()
		}},
		{92, "the plan is a snapshot", func(h *harness) {
			h.accepted(with)
			h.advance(5 * time.Second)
			gone(h, "/priorities/"+h.R2)
			calledAt(h, 55*time.Second)
		}},
	}
}

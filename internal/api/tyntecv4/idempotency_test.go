package tyntecv4_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// V-08.
func TestARepeatedSendAnswersAsTheFirst(t *testing.T) {
	t.Parallel()
	h := start(t)
	key := header{"Idempotency-Key", "8e03978e-40d5"}
	first := h.accepted("", key)
	equal(t, "id of the repetition", h.accepted("", key), first)
	equal(t, "messages", len(h.sms.messages()), 1)
	h.send(`{"languageCode":"de"}`, key).pr(http.StatusUnprocessableEntity)
	if other := h.accepted("", header{"Idempotency-Key", "other"}); other == first {
		t.Error("another key gave the same OTP")
	}
	h.post("/otp", sendBody(t, ""), key, header{"apiKey", "key-b"}).cv("priorityName", "profileName")
	h.advance(24*time.Hour + time.Second)
	if later := h.accepted("", key); later == first {
		t.Error("the key still counts after 24 hours")
	}
}

func TestARepeatedSendAnswersAsTheFirstWhateverBecameOfWhatItNames(t *testing.T) {
	t.Parallel()
	h := start(t)
	key := header{"Idempotency-Key", "send-1"}
	first := h.accepted("", key)
	h.delete("/profiles/" + h.P1).empty(http.StatusOK)
	h.send("").cv("profileName")
	h.send("", header{"Idempotency-Key", "send-2"}).cv("profileName")
	equal(t, "id of the repetition", h.accepted("", key), first)
	h.send(`{"languageCode":"de"}`, key).pr(http.StatusUnprocessableEntity)
	equal(t, "messages", len(h.sms.messages()), 1)
	h.advance(24*time.Hour + time.Second)
	h.send("", key).cv("profileName")
}

func TestARepeatedCheckAnswersAsTheFirstAndCountsNothing(t *testing.T) {
	t.Parallel()
	h := start(t)
	id := h.accepted(`{"otpCode":"483920"}`)
	key := header{"Idempotency-Key", "check-1"}
	for range 5 {
		r := h.post("/otp/"+id+"/validate", `{"otpCode":"000000"}`, key).status(http.StatusOK)
		equal(t, "verdict", r.text("otpStatus"), "WRONG_CODE")
	}
	h.otp(id, "WRONG_CODE", 1)
	h.post("/otp/"+id+"/validate", `{"otpCode":"483920"}`, key).pr(http.StatusUnprocessableEntity)
	h.otp(id, "WRONG_CODE", 1)
	right := header{"Idempotency-Key", "check-2"}
	for range 2 {
		r := h.post("/otp/"+id+"/validate", `{"otpCode":"483920"}`, right).status(http.StatusOK)
		equal(t, "verdict", r.text("otpStatus"), "VERIFIED")
	}
}

func TestARepeatedDeleteIsRecognised(t *testing.T) {
	t.Parallel()
	h := start(t)
	first, second := h.accepted(""), h.accepted("")
	key := header{"Idempotency-Key", "delete-1"}
	h.delete("/otp/"+first, key).empty(http.StatusOK)
	h.delete("/otp/"+first, key).empty(http.StatusOK)
	h.delete("/otp/"+second, key).pr(http.StatusUnprocessableEntity)
	h.get("/otp/" + second).status(http.StatusOK)
	h.delete("/otp/7b0a5f3c-52a9-4c0e-9d1e-0f6d6f1f0a11", key).pr(http.StatusUnprocessableEntity)
	h.delete("/otp/not-a-uuid", key).pr(http.StatusUnprocessableEntity)
	// What was not there keeps no key.
	for range 2 {
		h.delete("/otp/not-a-uuid", header{"Idempotency-Key", "delete-2"}).empty(http.StatusOK)
	}
}

func TestAMalformedIdempotencyKeyIsRefused(t *testing.T) {
	t.Parallel()
	h := start(t)
	for _, value := range []string{"a b", strings.Repeat("k", 256), "ä"} {
		h.send("", header{"Idempotency-Key", value}).br()
		h.post("/otp/not-a-uuid/validate", `{"otpCode":"483920"}`, header{"Idempotency-Key", value}).br()
		h.delete("/otp/not-a-uuid", header{"Idempotency-Key", value}).br()
	}
	h.nothingSent()
}

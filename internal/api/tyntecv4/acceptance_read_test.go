package tyntecv4_test

import (
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
)

// readExamples are those under "Read, list, delete".
func readExamples() []example {
	randomID := uuid.NewString()
	two := func(h *harness) (first, second string) {
		return h.accepted(`{"otpCode":"483920"}`), h.accepted(`{"otpCode":"483920","to":"+4915100000000"}`)
	}
	listed := func(query string, want func(first, second string) []any) func(h *harness) {
		return func(h *harness) {
			first, second := two(h)
			equal(h.t, "listed", h.get("/otp"+query).members("otpId"), want(first, second))
		}
	}
	both := func(first, second string) []any { return []any{second, first} }
	onlyFirst := func(first, _ string) []any { return []any{first} }
	return []example{
		{45, "a fresh OTP", func(h *harness) {
			id := h.accepted(`{"otpCode":"483920"}`)
			r := h.get("/otp/" + id).status(http.StatusOK)
			equal(h.t, "record", r.object(), map[string]any{
				"otpId": id, "to": number, "otpStatus": "ACTIVE", "allowedAttempts": 3.0, "attemptCount": 0.0,
				"otpCreated": "2026-05-04T09:30:00.125Z", "otpExpire": "2026-05-04T09:33:00.125Z",
			})
			equal(h.t, "life", h.life(id), 3*time.Minute)
			if strings.Contains(string(r.body), "483920") {
				h.t.Errorf("%s holds the code", r.body)
			}
		}},
		{46, "an id that is no UUID", func(h *harness) { h.get("/otp/not-a-uuid").nr("not-a-uuid") }},
		{47, "an unknown id", func(h *harness) { h.get("/otp/" + randomID).nr(randomID) }},
		{48, "another account's OTP", func(h *harness) {
			id := h.accepted("")
			h.get("/otp/"+id, header{"apiKey", "key-b"}).nr(id)
		}},
		{49, "newest first", listed("", both)},
		{50, "one number", listed("?to=%2B4915112345678", onlyFirst)},
		{51, "one number, its plus not escaped", listed("?to=+4915112345678", onlyFirst)},
		{52, "verified ones", func(h *harness) {
			first, _ := two(h)
			equal(h.t, "verdict", h.verdict(first, "483920"), "VERIFIED")
			equal(h.t, "listed", h.get("/otp?otpStatus=VERIFIED").members("otpId"), []any{first})
		}},
		{53, "a state that is no filter", func(h *harness) { h.get("/otp?otpStatus=ACTIVE").cv("otpStatus") }},
		{54, "empty filters", listed("?to=&otpStatus=", both)},
		{55, "a number that is none", func(h *harness) { h.get("/otp?to=abc").cv("to") }},
		{56, "delete", func(h *harness) {
			id := h.accepted("")
			h.delete("/otp/" + id).empty(http.StatusOK)
			h.get("/otp/" + id).nr(id)
			h.post("/otp/"+id+"/validate", `{"otpCode":"483920"}`).nr(id)
		}},
		{57, "delete what is not there", func(h *harness) {
			id := h.accepted("")
			for _, target := range []string{id, id, randomID} {
				h.delete("/otp/" + target).empty(http.StatusOK)
			}
		}},
	}
}

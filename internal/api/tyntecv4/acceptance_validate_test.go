package tyntecv4_test

import (
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/delivery"
)

// validateExamples are those under "Validate".
func validateExamples() []example {
	const right, wrong = "483920", "000000"
	// fresh runs a story with a new OTP of the profile login.
	fresh := func(story func(h *harness, id string)) func(h *harness) {
		return func(h *harness) { story(h, h.accepted(`{"otpCode":"483920"}`)) }
	}
	verdicts := func(h *harness, id string, codes []string, want ...string) {
		h.t.Helper()
		got := []string{}
		for _, c := range codes {
			got = append(got, h.verdict(id, c))
		}
		equal(h.t, "verdicts", got, want)
	}
	refused := func(body string) func(h *harness) {
		return fresh(func(h *harness, id string) {
			h.post("/otp/"+id+"/validate", body).cv("otpCode")
			h.otp(id, "ACTIVE", 0)
		})
	}
	return []example{
		{58, "the right code", fresh(func(h *harness, id string) {
			r := h.post("/otp/"+id+"/validate", `{"otpCode":"483920"}`).status(http.StatusOK)
			equal(h.t, "body", string(r.body), `{"otpStatus":"VERIFIED"}`)
			h.otp(id, "VERIFIED", 1)
		})},
		{59, "the right code again", fresh(func(h *harness, id string) {
			verdicts(h, id, []string{right, right}, "VERIFIED", "ALREADY_REPORTED")
			h.otp(id, "VERIFIED", 1)
		})},
		{60, "a wrong code after VERIFIED", fresh(func(h *harness, id string) {
			verdicts(h, id, []string{right, wrong}, "VERIFIED", "ALREADY_REPORTED")
		})},
		{61, "a wrong code", fresh(func(h *harness, id string) {
			verdicts(h, id, []string{wrong}, "WRONG_CODE")
			h.otp(id, "WRONG_CODE", 1)
		})},
		{62, "wrong, then right", fresh(func(h *harness, id string) {
			verdicts(h, id, []string{wrong, right}, "WRONG_CODE", "VERIFIED")
			h.otp(id, "VERIFIED", 2)
		})},
		{63, "three wrong codes", fresh(func(h *harness, id string) {
			verdicts(h, id, []string{wrong, wrong, wrong}, "WRONG_CODE", "WRONG_CODE", "TOO_MANY_ATTEMPTS")
			h.otp(id, "TOO_MANY_ATTEMPTS", 3)
		})},
		{64, "the right code after three wrong ones", fresh(func(h *harness, id string) {
			verdicts(h, id, []string{wrong, wrong, wrong, right}, "WRONG_CODE", "WRONG_CODE", "TOO_MANY_ATTEMPTS", "TOO_MANY_ATTEMPTS")
			h.otp(id, "TOO_MANY_ATTEMPTS", 3)
		})},
		{65, "one attempt allowed", func(h *harness) {
			id := h.accepted(`{"otpCode":"483920","profileName":"strict"}`)
			verdicts(h, id, []string{wrong}, "TOO_MANY_ATTEMPTS")
		}},
		{66, "just before the end", fresh(func(h *harness, id string) {
			h.advance(3*time.Minute - time.Millisecond)
			verdicts(h, id, []string{right}, "VERIFIED")
		})},
		{67, "at the end", fresh(func(h *harness, id string) {
			h.advance(3 * time.Minute)
			verdicts(h, id, []string{right}, "EXPIRED")
			h.otp(id, "EXPIRED", 0)
		})},
		{68, "expired after a wrong code", fresh(func(h *harness, id string) {
			verdicts(h, id, []string{wrong}, "WRONG_CODE")
			h.advance(3 * time.Minute)
			h.otp(id, "EXPIRED", 1)
		})},
		{69, "verified stays verified", fresh(func(h *harness, id string) {
			verdicts(h, id, []string{right}, "VERIFIED")
			h.advance(time.Hour)
			h.otp(id, "VERIFIED", 1)
			verdicts(h, id, []string{right}, "ALREADY_REPORTED")
		})},
		{70, "blocked stays blocked", fresh(func(h *harness, id string) {
			verdicts(h, id, []string{wrong, wrong, wrong}, "WRONG_CODE", "WRONG_CODE", "TOO_MANY_ATTEMPTS")
			h.advance(time.Hour)
			verdicts(h, id, []string{right}, "TOO_MANY_ATTEMPTS")
		})},
		{71, "no code", refused(`{}`)},
		{72, "a code that is too short", refused(`{"otpCode":"123"}`)},
		{73, "a code that is too long", refused(`{"otpCode":"123456789012"}`)},
		{74, "capitals are folded", func(h *harness) {
			verdicts(h, h.accepted(`{"otpCode":"1abc3r"}`), []string{"1ABC3R"}, "VERIFIED")
		}},
		{75, "a code as a number", fresh(func(h *harness, id string) {
			r := h.post("/otp/"+id+"/validate", `{"otpCode":483920}`, asLenient()).status(http.StatusOK)
			equal(h.t, "verdict", r.text("otpStatus"), "VERIFIED")
		})},
		{76, "an unknown OTP", func(h *harness) {
			id := uuid.NewString()
			h.post("/otp/"+id+"/validate", `{"otpCode":"483920"}`).nr(id)
		}},
		{77, "50 right codes at once", fresh(func(h *harness, id string) {
			equal(h.t, "verdicts", atOnce(h, id, right), map[string]int{"VERIFIED": 1, "ALREADY_REPORTED": 49})
		})},
		{78, "50 wrong codes at once", fresh(func(h *harness, id string) {
			equal(h.t, "verdicts", atOnce(h, id, wrong), map[string]int{"WRONG_CODE": 2, "TOO_MANY_ATTEMPTS": 48})
			h.otp(id, "TOO_MANY_ATTEMPTS", 3)
		})},
		{79, "an undeliverable code is good", fresh(func(h *harness, id string) {
			h.receipt(h.sms, 0, delivery.ReceiptUndeliverable)
			equal(h.t, "events", h.events(id), []string{"SMS DISPATCHED", "SMS UNDELIVERABLE"})
			verdicts(h, id, []string{right}, "VERIFIED")
		})},
		{80, "two OTPs for one number", func(h *harness) {
			first, second := h.accepted(`{"otpCode":"483920"}`), h.accepted(`{"otpCode":"110022"}`)
			verdicts(h, first, []string{"110022", "483920"}, "WRONG_CODE", "VERIFIED")
			verdicts(h, second, []string{"483920", "110022"}, "WRONG_CODE", "VERIFIED")
		}},
	}
}

// atOnce checks a code 50 times in parallel and counts the verdicts.
func atOnce(h *harness, id, code string) map[string]int {
	h.t.Helper()
	const n = 50
	verdicts := make(chan string, n)
	var wait sync.WaitGroup
	for range n {
		wait.Go(func() {
			r := h.post("/otp/"+id+"/validate", `{"otpCode":"`+code+`"}`)
			if r.code != http.StatusOK {
				h.t.Errorf("answer %d %s", r.code, r.body)
				return
			}
			verdicts <- r.text("otpStatus")
		})
	}
	wait.Wait()
	close(verdicts)
	count := map[string]int{}
	for v := range verdicts {
		count[v]++
	}
	return count
}

package tyntecv1_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/admission"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/store/testdb"
	"github.com/countersign/countersign/internal/verify"
)

func TestExamplesOfTheLifeOfAnOTP(t *testing.T) {
	t.Parallel()
	for _, e := range []example{
		{"V1-26 a right code", func(h *harness) {
			id, code := h.sendSMS("")
			h.check(id, code).otp("VERIFIED", 1, 202) // headers: see common
		}},
		{"V1-27 the right code again", func(h *harness) {
			id, code := h.sendSMS("")
			h.check(id, code).otp("VERIFIED", 1, 202)
			h.check(id, code).otp("VERIFIED", 1, 410)
		}},
		{"V1-28 three wrong codes", func(h *harness) {
			id, code := h.sendSMS("")
			h.check(id, wrong(code)).otp("ACTIVE", 1, 401)
			h.check(id, wrong(code)).otp("ACTIVE", 2, 401)
			h.check(id, wrong(code)).otp("TOO_MANY_ATTEMPTS", 3, 403)
			h.check(id, code).otp("TOO_MANY_ATTEMPTS", 3, 410)
		}},
		{"V1-29 right at the last attempt", func(h *harness) {
			id, code := h.sendSMS("")
			h.check(id, wrong(code)).is(401)
			h.check(id, wrong(code)).is(401)
			h.check(id, code).otp("VERIFIED", 3, 202)
		}},
		{"V1-30 one millisecond before the end", func(h *harness) {
			id, code := h.sendSMS("")
			h.at(5*time.Minute - time.Millisecond)
			h.check(id, code).otp("VERIFIED", 1, 202)
		}},
		{"V1-31 at the end", func(h *harness) {
			id, code := h.sendSMS("")
			h.at(5 * time.Minute)
			h.check(id, code).otp("EXPIRED", 0, 403)
			h.check(id, code).otp("EXPIRED", 0, 410)
		}},
		{"V1-32 reading does not use up the 403", func(h *harness) {
			id, code := h.sendSMS("")
			h.at(6 * time.Minute)
			h.get(otps+"/"+id).otp("EXPIRED", 0, 200)
			h.get(otps+"/"+id).otp("EXPIRED", 0, 200)
			h.check(id, code).otp("EXPIRED", 0, 403)
			h.check(id, code).otp("EXPIRED", 0, 410)
		}},
		{"V1-33 a check without code", func(h *harness) {
			id, _ := h.sendSMS("")
			h.post(otps+"/"+id+"/check").refused(400, "1901")
			h.post(otps+"/"+id+"/check?otpCode=").refused(400, "1901")
			h.get(otps+"/"+id).otp("ACTIVE", 0, 200)
		}},
		{"V1-34 a check of nothing", func(h *harness) {
			h.check("6f1d2c34-5b7a-4e90-8c21-0a9b8c7d6e5f", "1234").refused(404, "1921")
			h.check("abc", "1234").refused(404, "1921")
		}},
		{"V1-35 lost leading zeros", func(h *harness) {
			id, _ := h.sendSMS("&otpCode=0427")
			h.check(id, "427").otp("VERIFIED", 1, 202)
		}},
		{"V1-36 parallel wrong checks", func(h *harness) {
			id, code := h.sendSMS("")
			equal(h.t, "statuses", h.parallel(id, wrong(code), 20), map[int]int{401: 2, 403: 1, 410: 17})
			h.get(otps+"/"+id).otp("TOO_MANY_ATTEMPTS", 3, 200)
		}},
		{"V1-37 parallel right checks", func(h *harness) {
			id, code := h.sendSMS("")
			equal(h.t, "statuses", h.parallel(id, code, 2), map[int]int{202: 1, 410: 1})
		}},
		{"V1-38 a resend by voice", func(h *harness) {
			a := h.post(otps + "?" + toMobile).is(200)
			id, code := a.text("otpId"), h.last(h.sms, 1).Code.Reveal()
			h.at(time.Minute)
			again := h.post(otps+"/"+id+"?via=VOICE").otp("ACTIVE", 0, 200)
			equal(h.t, "entity", again.object(), a.object())
			v := h.last(h.voice, 1)
			equal(h.t, "code", v.Code.Reveal(), code)
			equal(h.t, "call", v.Text(), "OTP code: "+code[:1]+", "+code[1:2]+", "+code[2:3]+", "+code[3:]+". Valid for 300 seconds.")
		}},
		{"V1-39 a resend of what is over", func(h *harness) {
			id, code := h.sendSMS("")
			h.check(id, code).is(202)
			h.post(otps+"/"+id).refused(401, "1930")
			h.sent(1, 0)
		}},
		{"V1-40 a deleted OTP is gone", func(h *harness) {
			id, code := h.sendSMS("")
			h.check(id, code).is(202)
			h.delete(otps+"/"+id).otp("VERIFIED", 1, 200)
			h.get(otps+"/"+id).refused(404, "1921")
			h.check(id, code).refused(404, "1921")
			h.get(otps+"/"+id+"/events").refused(404, "1921")
			h.delete(otps+"/"+id).refused(404, "1921")
		}},
		{"V1-41 the list of a number", func(h *harness) {
			first := h.send(toMobile)
			second := h.send(toMobile)
			h.send(toFixed)
			all := h.get(otps + "?" + toMobile).list()
			if len(all) != 2 || all[0]["otpId"] != second || all[1]["otpId"] != first {
				h.t.Errorf("list %v, want %s and %s", all, second, first)
			}
			h.get(otps + "?number=%2B447400123999").is(204)
			h.get(otps).refused(400, "1901")
			h.get(otps+"?number=07400123456&country=GB").refused(400, "1902")
		}},
		{"V1-42 a call that fails", func(h *harness) {
			id := h.send(toFixed)
			h.at(12 * time.Second)
			h.fails(h.voice, 0, "BUSY", "The line is busy")
			a := h.get(otps + "/" + id + "/events")
			sent, failed := a.list()[0], a.list()[1]
			equal(h.t, "events", len(a.list()), 2)
			equal(h.t, "first event", sent, map[string]any{
				"type": "DELIVER_OTP_REQ", "status": nil, "statusText": "VOICE",
				"created": sent["created"], "timestampCreated": "2026-01-01T00:00:00.000Z",
			})
			equal(h.t, "second event", failed, map[string]any{
				"type": "DELIVER_OTP_RES_FAIL", "status": "failed", "statusText": "BUSY",
				"created": float64(h.wall.Now().UnixMilli()), "timestampCreated": "2026-01-01T00:00:12.000Z",
			})
			h.get(otps+"/"+id).otp("ACTIVE", 0, 200)
			h.post(otps+"/"+id).otp("ACTIVE", 0, 200)
			h.sent(0, 2)
		}},
	} {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			e.run(start(t))
		})
	}
}

// parallel checks a code n times at once and counts the statuses.
func (h *harness) parallel(id, code string, n int) map[int]int {
	var mu sync.Mutex
	var all sync.WaitGroup
	statuses := map[int]int{}
	begin := make(chan struct{})
	for range n {
		all.Go(func() {
			<-begin
			a := h.raw(http.MethodPost, otps+"/"+id+"/check?otpCode="+code)
			mu.Lock()
			defer mu.Unlock()
			statuses[a.status]++
		})
	}
	close(begin)
	all.Wait()
	return statuses
}

func TestAmongManyParallelGuessesExactlyTheAllowedAreCompared(t *testing.T) {
	t.Parallel()
	h := startWith(t, options{rules: guard.Compat(0)})
	h.post(applications + "/default?attempts=10").is(200)
	for range 5 {
		id, code := h.sendSMS("&otpCode=0427")
		statuses := map[int]int{}
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range 40 {
			typed := wrong(code)
			if i%4 == 0 {
				typed = "427"
			}
			all.Go(func() {
				a := h.raw(http.MethodPost, otps+"/"+id+"/check?otpCode="+typed)
				mu.Lock()
				defer mu.Unlock()
				statuses[a.status]++
			})
		}
		all.Wait()
		a := h.get(otps + "/" + id).is(200)
		attempts, _ := a.object()["attemptCount"].(float64)
		if statuses[202] > 1 || statuses[202]+statuses[401]+statuses[403] != int(attempts) || attempts > 10 {
			t.Fatalf("answers %v, and then %s", statuses, a.body)
		}
		if (a.text("otpStatus") == "VERIFIED") != (statuses[202] == 1) {
			t.Fatalf("answers %v, and then %s", statuses, a.body)
		}
	}
}

func TestHelpWithTypedCodesDoesNotEnlargeTheGuess(t *testing.T) {
	t.Parallel()
	h := start(t)
	for _, c := range []struct {
		stored, typed string
		status        int
	}{
		{"0427", "%20427+", 202},
		{"0427", "%090427%0A", 202},
		{"0000", "0", 202},
		{"0427", "00427", 401},
		{"0427", "4%2027", 401},
		{"0427", "%D9%A427", 401}, // an Arabic four
		{"4270", "427", 401},
		{"Ab12", "ab12", 401},
		{"Ab12", "%20Ab12%20", 202},
		{"0Ab1", "Ab1", 401},
	} {
		h.wall.Add(time.Hour)
		id := h.send(toMobile + "&otpCode=" + c.stored)
		h.check(id, c.typed).is(c.status)
	}
	id := h.send("number=%2B447400123999&otpCode=0427")
	for _, none := range []string{"%20", "%00", "%ff", "%zz"} {
		h.check(id, none).refused(400, "1901")
	}
	h.get(otps+"/"+id).otp("ACTIVE", 0, 200)
}

func TestAnOTPCanBeSentAgainUntilItEnds(t *testing.T) {
	t.Parallel()
	h := start(t)
	id, _ := h.sendSMS("")
	for _, query := range []string{"via=FAX", "sender=12345678901234567", "caller=%2B44-20"} {
		if a := h.post(otps + "/" + id + "?" + query); a.status != 400 {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
	h.post(otps+"/abc?via=FAX").refused(400, "1904")
	h.post(otps+"/abc").refused(404, "1921")
	h.sent(1, 0)
	h.post(otps + "/" + id + "?sender=ONCE").is(200)
	equal(t, "sender", h.last(h.sms, 2).Step.Sender, "ONCE")
	h.post(otps + "/" + id).is(200)
	equal(t, "next sender", h.last(h.sms, 3).Step.Sender, "VERIFY")
	h.at(5 * time.Minute)
	h.post(otps+"/"+id).refused(401, "1930")
	id, code := h.sendSMS("")
	for range 3 {
		h.check(id, wrong(code))
	}
	h.post(otps+"/"+id).refused(401, "1930")
	h.sent(4, 0)
}

func TestEventsTellOfDeliveriesOnly(t *testing.T) {
	t.Parallel()
	h := start(t)
	id, code := h.sendSMS("")
	known, err := h.dispatcher.Receive(t.Context(), delivery.Receipt{Carrier: "sms", Ref: "sms0", State: delivery.ReceiptDelivered})
	if err != nil || !known {
		t.Fatalf("receipt: %v, %v", known, err)
	}
	h.post(otps + "/" + id + "?via=voice").is(200)
	h.fails(h.voice, 0, "17", "No answer")
	h.post(otps + "/" + id).is(200)
	h.fails(h.sms, 1, "1", "")
	h.check(id, wrong(code)).is(401)
	h.check(id, code).is(202)
	var got []string
	for _, e := range h.get(otps + "/" + id + "/events").list() {
		kind, _ := e["type"].(string)
		text, _ := e["statusText"].(string)
		got = append(got, kind+" "+text)
	}
	equal(t, "events", got, []string{
		"DELIVER_OTP_REQ SMS", "DELIVER_OTP_RES_SUCCESS DELIVERED", "DELIVER_OTP_REQ VOICE", "DELIVER_OTP_RES_FAIL No answer",
		"DELIVER_OTP_REQ SMS", "DELIVER_OTP_RES_FAIL UNDELIVERABLE",
	})
	id = h.send("number=%2B447400123999")
	h.at(6 * time.Minute) // the receipt that never came is no event
	equal(t, "events", len(h.get(otps+"/"+id+"/events").list()), 1)
}

func TestWhatWouldWaitTooLongIsRefused(t *testing.T) {
	t.Parallel()
	var full admission.Work
	h := startWith(t, options{room: func(w admission.Work) error {
		if w == full {
			return verify.ErrOverloaded
		}
		return nil
	}})
	id := h.send(toMobile)
	full = admission.Send
	a := h.post(otps+"?"+toMobile).refused(503, "1999")
	equal(t, "Retry-After", a.header.Get("Retry-After"), "1")
	h.post(otps+"/"+id).refused(503, "1999")
	h.check(id, "").refused(400, "1901")
	full = admission.Check
	h.check(id, "").refused(503, "1999")
	h.send(toMobile)
}

// sick is a store that fails in one way.
type sick struct {
	verify.Store
	err error
}

func (s *sick) CreateOTP(context.Context, verify.NewOTP) (verify.Record, error) {
	return verify.Record{}, s.err
}

func TestFailuresOfTheStoreSayNothing(t *testing.T) {
	t.Parallel()
	var store sick
	h := startWith(t, options{store: func(s testdb.Store) (verify.Store, catalog.Store) {
		store.Store = s
		return &store, s
	}})
	store.err = errors.New("disk on fire")
	a := h.post(otps+"?"+toMobile+"&otpCode=847362").refused(500, "1999")
	noneIn(t, "answer", string(a.body), "fire")
	noneIn(t, "log", h.log.String(), "847362", "447400123456", k1)
	for _, err := range []error{verify.ErrOverloaded, verify.ErrUnavailable, verify.ErrOutcomeUnknown} {
		store.err = err
		h.post(otps+"?"+toMobile).refused(503, "1999")
	}
	store.err = &verify.LimitError{Limit: "sends", RetryAfter: 1500 * time.Millisecond}
	a = h.post(otps+"?"+toMobile).refused(429, "1950")
	equal(t, "Retry-After", a.header.Get("Retry-After"), "2")
}

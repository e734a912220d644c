package tyntecv1_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
)

// bare is how the connector calls: no body, no media type, no length but 0,
// the header's name in lower case.
func bare(k string) with {
	return func(r *http.Request) {
		r.Body, r.ContentLength = http.NoBody, 0
		header("apiKey")(r)
		r.Header["apikey"] = []string{k}
	}
}

// P-22 is about the connector's own files and is tested with them.
func TestExamplesOfThePowerPlatformConnector(t *testing.T) {
	t.Parallel()
	flow := bare(k1)
	for _, e := range []example{
		{"P-01 a number that was an integer", func(h *harness) {
			a := h.post(otps+"?number=447400123456&via=AUTO", flow).is(200).has("number", "+447400123456", "referenceId", nil)
			equal(h.t, "members", len(a.object()), 11)
			h.sent(1, 0)
		}},
		{"P-02 a sender with a capital letter", func(h *harness) {
			h.post(otps+"?"+toMobile+"&Sender=ACME&pinLength=6", flow).is(200)
			m := h.last(h.sms, 1)
			equal(h.t, "sender", m.Step.Sender, "ACME")
			matches(h.t, m.Code.Reveal(), `^\d{6}$`)
		}},
		{"P-03 a caller with a capital letter", func(h *harness) {
			h.post(otps+"?number=442079460123&Caller=442079460999", flow).is(200)
			equal(h.t, "caller", h.last(h.voice, 1).Step.Sender, "442079460999")
		}},
		{"P-04 both spellings", func(h *harness) {
			h.post(otps+"?number=447400123456&Sender=BIG&sender=small", flow).is(200)
			equal(h.t, "sender", h.last(h.sms, 1).Step.Sender, "small")
		}},
		{"P-05 inputs left blank", func(h *harness) {
			a := h.post(otps+"?number=447400123456&text=&language=&country=&otpCode=&applicationId=", flow).is(200)
			a.has("applicationId", h.get(applications+"/default").text("applicationId"))
			matches(h.t, h.last(h.sms, 1).Text(), `^OTP code: \d{4}\. Valid for 300 seconds\.$`)
		}},
		{"P-06 an application as integer", func(h *harness) {
			id := h.application("")
			h.post(otps+"?number=447400123456&applicationId=0", flow).is(200).
				has("applicationId", h.get(applications+"/default").text("applicationId"))
			h.post(otps+"?number=447400123456&applicationId=17", flow).refused(404, "1920")
			h.post(otps+"?number=447400123456&applicationId="+id, flow).is(200).has("applicationId", id)
		}},
		{"P-07 a national number that lost its zero", func(h *harness) {
			h.post(otps+"?number=7400123456&country=GB", flow).is(200).has("number", "+447400123456")
		}},
		{"P-08 a right code", func(h *harness) {
			id, code := h.sendSMS("")
			h.post(otps+"/"+id+"/check?otpCode="+code, flow).otp("VERIFIED", 1, 202) // headers: see common
		}},
		{"P-09 a code that was an integer", func(h *harness) {
			id, _ := h.sendSMS("&otpCode=0427")
			h.post(otps+"/"+id+"/check?otpCode=427", flow).otp("VERIFIED", 1, 202)
		}},
		{"P-10 padding is on the left only", func(h *harness) {
			id, _ := h.sendSMS("&otpCode=0427")
			h.post(otps+"/"+id+"/check?otpCode=4270", flow).otp("ACTIVE", 1, 401)
			h.post(otps+"/"+id+"/check?otpCode=42", flow).otp("ACTIVE", 2, 401)
		}},
		{"P-11 a check without code", func(h *harness) {
			id, _ := h.sendSMS("")
			h.post(otps+"/"+id+"/check", flow).refused(400, "1901")
			h.get(otps+"/"+id, flow).otp("ACTIVE", 0, 200)
		}},
		{"P-12 three wrong codes", func(h *harness) {
			id, code := h.sendSMS("")
			for _, status := range []int{401, 401, 403} {
				h.post(otps+"/"+id+"/check?otpCode="+wrong(code), flow).is(status)
			}
			h.get(otps+"/"+id, flow).otp("TOO_MANY_ATTEMPTS", 3, 200)
		}},
		{"P-13 a resend with a caller", func(h *harness) {
			h.resendWith("?via=VOICE&Sender=X&Caller=442079460999")
		}},
		{"P-14 a resend in the first edition's spelling", func(h *harness) {
			h.resendWith("?via=VOICE&sender=X&caller=442079460999")
		}},
		{"P-15 a channel that is an integer", func(h *harness) {
			id, _ := h.sendSMS("")
			h.post(otps+"/"+id+"?via=1", flow).refused(400, "1904")
			h.post(otps+"/"+id+"?via=", flow).otp("ACTIVE", 0, 200)
			h.sent(2, 0)
		}},
		{"P-16 a resend of what is over", func(h *harness) {
			id, code := h.sendSMS("")
			h.check(id, code).is(202)
			h.post(otps+"/"+id, flow).refused(401, "1930")
		}},
		{"P-17 a deleted OTP", func(h *harness) {
			id, _ := h.sendSMS("")
			h.delete(otps+"/"+id, flow).otp("ACTIVE", 0, 200)
			h.get(otps+"/"+id, flow).refused(404, "1921")
		}},
		{"P-18 a bad key", func(h *harness) {
			a := h.post(otps+"?"+toMobile, bare("bad")).refused(401, "1940")
			equal(h.t, "WWW-Authenticate", a.header.Get("WWW-Authenticate"), `ApiKey realm="2fa"`)
		}},
		{"P-19 the throttle changes nothing", func(h *harness) {
			id, code := h.sendSMS("")
			for range 100 {
				h.get(otps+"/"+id, bare(kt)).is(200)
			}
			a := h.post(otps+"/"+id+"/check?otpCode="+wrong(code), bare(kt)).refused(429, "1950")
			if s, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || s < 1 || s > 60 {
				h.t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
			}
			h.get(otps+"/"+id).otp("ACTIVE", 0, 200)
			h.at(time.Minute)
			h.post(otps+"/"+id+"/check?otpCode="+wrong(code), bare(kt)).otp("ACTIVE", 1, 401)
		}},
		{"P-20 each key has its throttle", func(h *harness) {
			id, _ := h.sendSMS("")
			for range 100 {
				h.get(otps+"/"+id, bare(kt)).is(200)
				h.get(otps+"/"+id, bare(ku)).is(200)
			}
		}},
		{"P-21 a channel that fails at once", func(h *harness) {
			h.sms.answer = &delivery.Result{
				Class: delivery.Permanent, Failure: otp.Failure{Area: delivery.AreaCarrier, Code: "3", Text: "Refused"},
			}
			id := h.send(toMobile, flow)
			h.sent(1, 0)
			h.at(4 * time.Minute)
			h.sent(1, 0)
			h.get(otps+"/"+id, flow).otp("ACTIVE", 0, 200)
			var kinds []any
			for _, e := range h.get(otps + "/" + id + "/events").list() {
				kinds = append(kinds, e["type"])
			}
			equal(h.t, "events", kinds, []any{"DELIVER_OTP_REQ", "DELIVER_OTP_RES_FAIL"})
		}},
	} {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			e.run(start(t))
		})
	}
}

func (h *harness) resendWith(query string) {
	h.t.Helper()
	a := h.post(otps+"?"+toMobile, bare(k1)).is(200)
	h.at(time.Minute)
	h.post(otps+"/"+a.text("otpId")+query, bare(k1)).otp("ACTIVE", 0, 200).has("expire", a.object()["expire"])
	equal(h.t, "caller", h.last(h.voice, 1).Step.Sender, "442079460999")
	h.sent(1, 1)
}

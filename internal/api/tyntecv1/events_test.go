package tyntecv1_test

import (
	"fmt"
	"testing"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
)

func TestADeliveryThatTheChannelRefusedWasHandedToItOnceAndFailed(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.sms.answer = &delivery.Result{Class: delivery.Permanent, Failure: otp.Failure{Area: delivery.AreaCarrier, Code: "3", Text: "Rejected"}}
	id := h.send(toMobile)
	h.get(otps+"/"+id).otp("ACTIVE", 0, 200)
	h.sms.answer = nil
	h.post(otps + "/" + id).is(200)
	h.sent(2, 0)
	var got []string
	for _, e := range h.get(otps + "/" + id + "/events").list() {
		got = append(got, fmt.Sprint(e["type"], " ", e["status"], " ", e["statusText"]))
	}
	equal(t, "events", got, []string{
		"DELIVER_OTP_REQ <nil> SMS", "DELIVER_OTP_RES_FAIL failed Rejected", "DELIVER_OTP_REQ <nil> SMS",
	})
}

func TestWhatNeverReachedAChannelWasNotHandedToOne(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.sms.answer = &delivery.Result{Class: delivery.Permanent, Failure: delivery.NoRoute}
	id := h.send(toMobile)
	list := h.get(otps + "/" + id + "/events").list()
	if len(list) != 1 || list[0]["type"] != "DELIVER_OTP_RES_FAIL" {
		t.Errorf("events %v; want the failure alone", list)
	}
}

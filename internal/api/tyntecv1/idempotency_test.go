package tyntecv1_test

import "testing"

// V-08: what the path names is part of the request.
func TestAnIdempotencyKeyIsOfOneOTP(t *testing.T) {
	t.Parallel()
	h := start(t)
	first, code := h.sendSMS("")
	second, _ := h.sendSMS("")
	once := header("Idempotency-Key", "check-1")
	h.post(otps+"/"+first+"/check?otpCode="+wrong(code), once).otp("ACTIVE", 1, 401)
	h.post(otps+"/"+second+"/check?otpCode="+wrong(code), once).refused(422, "1901")
	h.get(otps+"/"+second).otp("ACTIVE", 0, 200)

	once = header("Idempotency-Key", "resend-1")
	h.post(otps+"/"+first, once).otp("ACTIVE", 1, 200)
	h.post(otps+"/"+second, once).refused(422, "1901")
	h.sent(3, 0)

	once = header("Idempotency-Key", "delete-1")
	h.delete(otps+"/"+first, once).otp("ACTIVE", 1, 200)
	h.delete(otps+"/"+second, once).refused(422, "1901")
	h.get(otps+"/"+second).otp("ACTIVE", 0, 200)
}

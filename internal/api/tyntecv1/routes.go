package tyntecv1

import (
	"context"

	"github.com/countersign/countersign/internal/admission"
)

// route is one operation.
type route struct {
	pattern    string         // method and path; {…} stands for one segment
	work       admission.Work // what it asks of the database
	parameters []string       // that it reads, as documented and in that order
	handle     func(context.Context, *call) (reply, error)
}

// routes are the operations of contract v1 §3, in its order.
func (f *facade) routes() []route {
	const send, check, other = admission.Send, admission.Check, admission.Other
	settings := []string{"name", "pinLength", "alphanumeric", "attempts", "expire", "sender", "caller"}
	changes := []string{"name", "pinLength", "alphaNumeric", "attempts", "expire", "sender", "caller", "deleteCaller"}
	return []route{
		{"POST /2fa/v1/otp", send, []string{
			"number", "applicationId", "via", "country", "language", "text", "referenceId", "otpCode", "pinLength", "sender", "caller",
		}, f.send},
		{"GET /2fa/v1/otp", other, []string{"number"}, f.list},
		{"GET /2fa/v1/otp/{otpId}", other, nil, f.status},
		{"POST /2fa/v1/otp/{otpId}", send, []string{"via", "sender", "caller"}, f.resend},
		{"DELETE /2fa/v1/otp/{otpId}", other, nil, f.deleteOTP},
		{"POST /2fa/v1/otp/{otpId}/check", check, []string{"otpCode"}, f.check},
		{"GET /2fa/v1/otp/{otpId}/events", other, nil, f.events},

		{"GET /2fa/v1/application", other, nil, f.listApplications},
		{"POST /2fa/v1/application", other, settings, f.createApplication},
		{"GET /2fa/v1/application/{applicationId}", other, nil, f.readApplication},
		{"POST /2fa/v1/application/{applicationId}", other, changes, f.editApplication},
		{"DELETE /2fa/v1/application/{applicationId}", other, nil, f.deleteApplication},
		{"POST /2fa/v1/application/{applicationId}/language", other, []string{"language", "text", "channel"}, f.setText},
		{"DELETE /2fa/v1/application/{applicationId}/language", other, []string{"language", "channel"}, f.deleteText},
	}
}

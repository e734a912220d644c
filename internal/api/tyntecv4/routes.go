package tyntecv4

import (
	"context"

	"github.com/countersign/countersign/internal/admission"
	"github.com/countersign/countersign/internal/message"
)

// route is one operation.
type route struct {
	pattern string         // method and path; {…} stands for one segment
	work    admission.Work // what it asks of the database
	handle  func(context.Context, *call) (reply, error)
	absent  absence // the body that says that the path's target does not exist
}

// absence is the shape of an operation's 404.
type absence uint8

const (
	noResource absence = iota // NR
	noTemplate                // NT
)

// routes are the operations of contract v4 §6, in its order.
func (f *facade) routes() []route {
	const (
		sms, viber, voice  = message.SMS, message.Viber, message.Voice
		send, check, other = admission.Send, admission.Check, admission.Other
	)
	return []route{
		{"GET /2fa/v4/otp", other, f.listOTPs, noResource},
		{"POST /2fa/v4/otp", send, f.send, noResource},
		{"GET /2fa/v4/otp/{otp-id}", other, f.readOTP, noResource},
		{"DELETE /2fa/v4/otp/{otp-id}", other, f.deleteOTP, noResource},
		{"POST /2fa/v4/otp/{otp-id}/validate", check, f.validate, noResource},

		{"GET /2fa/v4/configurations/callbacks", other, f.listCallbacks, noResource},
		{"POST /2fa/v4/configurations/callbacks", other, f.createCallback, noResource},
		{"DELETE /2fa/v4/configurations/callbacks/{id}", other, f.deleteCallback, noResource},
		{"PATCH /2fa/v4/configurations/callbacks/{id}", other, f.patchCallback, noResource},
		{"GET /2fa/v4/configurations/channels/whatsapp", other, f.readWhatsAppConfig, noResource},
		{"POST /2fa/v4/configurations/channels/whatsapp", other, f.createWhatsAppConfig, noResource},
		{"GET /2fa/v4/configuration/channel/whatsapp", other, f.readWhatsAppConfig, noResource},
		{"POST /2fa/v4/configuration/channel/whatsapp", other, f.createWhatsAppConfig, noResource},

		{"GET /2fa/v4/priorities", other, f.listPriorities, noResource},
		{"POST /2fa/v4/priorities", other, f.createPriority, noResource},
		{"GET /2fa/v4/priorities/{id}", other, f.readPriority, noResource},
		{"DELETE /2fa/v4/priorities/{id}", other, f.deletePriority, noResource},
		{"PATCH /2fa/v4/priorities/{id}", other, f.patchPriority, noResource},

		{"GET /2fa/v4/profiles", other, f.listProfiles, noResource},
		{"POST /2fa/v4/profiles", other, f.createProfile, noResource},
		{"GET /2fa/v4/profiles/{id}", other, f.readProfile, noResource},
		{"DELETE /2fa/v4/profiles/{id}", other, f.deleteProfile, noResource},
		{"PATCH /2fa/v4/profiles/{id}", other, f.patchProfile, noResource},
		{"POST /2fa/v4/profiles/{profile-id}/templates", other, f.linkTemplates, noResource},
		{"DELETE /2fa/v4/profiles/{profile-id}/templates/{template-name}", other, f.unlinkTemplate, noResource},

		{"GET /2fa/v4/templates", other, f.listTemplates(sms, viber, voice), noTemplate},

		{"GET /2fa/v4/templates/sms", other, f.findTemplates(sms), noTemplate},
		{"POST /2fa/v4/templates/sms", other, f.createTemplate(sms), noTemplate},
		{"GET /2fa/v4/templates/sms/{id}", other, f.readTemplate(sms), noTemplate},
		{"DELETE /2fa/v4/templates/sms/{id}", other, f.deleteTemplate(sms), noTemplate},
		{"PATCH /2fa/v4/templates/sms/{id}", other, f.patchTemplate(sms), noTemplate},

		{"GET /2fa/v4/templates/viber", other, f.findTemplates(viber), noTemplate},
		{"POST /2fa/v4/templates/viber", other, f.createTemplate(viber), noTemplate},
		{"GET /2fa/v4/templates/viber/{id}", other, f.readTemplate(viber), noTemplate},
		{"DELETE /2fa/v4/templates/viber/{id}", other, f.deleteTemplate(viber), noTemplate},
		{"PATCH /2fa/v4/templates/viber/{id}", other, f.patchTemplate(viber), noTemplate},

		{"GET /2fa/v4/templates/voice", other, f.findTemplates(voice), noTemplate},
		{"POST /2fa/v4/templates/voice", other, f.createTemplate(voice), noTemplate},
		{"GET /2fa/v4/templates/voice/{id}", other, f.readTemplate(voice), noTemplate},
		{"DELETE /2fa/v4/templates/voice/{id}", other, f.deleteTemplate(voice), noTemplate},
		{"PATCH /2fa/v4/templates/voice/{id}", other, f.patchTemplate(voice), noTemplate},

		{"GET /2fa/v4/templates/whatsapp", other, f.findWhatsAppTemplates, noTemplate},
		{"POST /2fa/v4/templates/whatsapp", other, f.submitWhatsAppTemplate, noTemplate},
		{"DELETE /2fa/v4/templates/whatsapp/{template-id}", other, f.deleteWhatsAppTemplate, noTemplate},
	}
}

package tyntecv4_test

import (
	"net/http"

	"github.com/countersign/countersign/internal/catalog"
)

const (
	whatsAppPath      = "/configurations/channels/whatsapp"
	whatsAppTemplates = "/templates/whatsapp"
	whatsAppAccount   = "289a1c20-06c5-4964-b32d-24d214a78ae5"
	whatsAppConfig    = `{"whatsAppAccountId":"` + whatsAppAccount + `"}`
	newLoginWA        = `{"name":"login_wa","language":"en_US"}`
)

// whatsAppExamples are those under "WhatsApp".
func whatsAppExamples() []example {
	configured := func(story func(h *harness)) func(h *harness) {
		return func(h *harness) {
			h.post(whatsAppPath, whatsAppConfig).empty(http.StatusCreated)
			story(h)
		}
	}
	refused := func(more string) func(h *harness) {
		return configured(func(h *harness) {
			h.post(whatsAppTemplates, `{"name":"login_wa","language":"en_US",`+more+`}`).br()
			equal(h.t, "templates", len(h.get(whatsAppTemplates).list()), 0)
		})
	}
	// linked also makes the profile wa, with WhatsApp and SMS, and the
	// priorities wa-only and wa-then-sms.
	linked := func(status string, story func(h *harness)) func(h *harness) {
		return configured(func(h *harness) {
			h.post(whatsAppTemplates, newLoginWA).empty(http.StatusCreated)
			h.whatsApp.review(status)
			h.post("/profiles", `{"name":"wa","channels":[{"type":"WHATSAPP","templates":[{"name":"login_wa"}]},
				{"type":"SMS","templates":[{"name":"login_sms_en"}]}]}`).created()
			h.post("/priorities", `{"name":"wa-only","channelPriority":[{"channel":"WHATSAPP","priority":1}]}`).created()
			h.post("/priorities", `{"name":"wa-then-sms","channelPriority":[{"channel":"WHATSAPP","priority":1},{"channel":"SMS","priority":2}]}`).created()
			story(h)
		})
	}
	const send = `"otpCode":"483920","profileName":"wa","priorityName":`
	return []example{
		{155, "no configuration", func(h *harness) { h.get(whatsAppPath).nr() }},
		{156, "configure", func(h *harness) { h.post(whatsAppPath, whatsAppConfig).empty(http.StatusCreated) }},
		{157, "configure again", configured(func(h *harness) {
			h.post(whatsAppPath, whatsAppConfig).problem(http.StatusConflict, "Conflict")
		})},
		{158, "configure nothing", func(h *harness) { h.post(whatsAppPath, `{}`).cv("whatsAppAccountId") }},
		{159, "the older path", configured(func(h *harness) {
			r := h.get("/configuration/channel/whatsapp").status(http.StatusOK)
			equal(h.t, "body", string(r.body), whatsAppConfig)
			equal(h.t, "body", string(h.get(whatsAppPath).body), whatsAppConfig)
		})},
		{160, "list without configuration", func(h *harness) { h.get(whatsAppTemplates).mw() }},
		{161, "submit without configuration", func(h *harness) { h.post(whatsAppTemplates, newLoginWA).nt() }},
		{162, "submit", configured(func(h *harness) {
			h.post(whatsAppTemplates, newLoginWA).empty(http.StatusCreated)
			equal(h.t, "templates", h.get(whatsAppTemplates).list(), []map[string]any{{
				"templateId": "login_wa", "accountId": whatsAppAccount, "name": "login_wa", "language": "en_US", "status": "PENDING",
				"type": "OTP", "otpType": "COPY_CODE", "message": "*{{1}}* is your verification code.",
				"isAddSecurityRecommendation": true, "codeExpirationTime": 3.0, "codeExpirationText": "This code expires in 3 minutes.",
				"createdAt": "2026-05-04T09:30:00", "updatedAt": "2026-05-04T09:30:00",
			}})
		})},
		{163, "submit another language", configured(func(h *harness) {
			h.post(whatsAppTemplates, newLoginWA).empty(http.StatusCreated)
			h.post(whatsAppTemplates, `{"name":"login_wa","language":"de"}`).empty(http.StatusCreated)
			equal(h.t, "languages", h.get(whatsAppTemplates+"?name=login_wa").members("language"), []any{"en_US", "de"})
		})},
		{164, "submit again", configured(func(h *harness) {
			h.post(whatsAppTemplates, newLoginWA).empty(http.StatusCreated)
			h.post(whatsAppTemplates, newLoginWA).br()
		})},
		{165, "one tap without package", refused(`"otpType":"ONE_TAP","signatureHash":"K8a%2FAINcGX7"`)},
		{166, "one tap", configured(func(h *harness) {
			h.post(whatsAppTemplates, `{"name":"tap","language":"en","otpType":"ONE_TAP","packageName":"com.example.acme",
				"signatureHash":"K8a%2FAINcGX7"}`).empty(http.StatusCreated)
			got := h.get(whatsAppTemplates).list()[0]
			equal(h.t, "package", got["packageName"], any("com.example.acme"))
			equal(h.t, "hash", got["signatureHash"], any("K8a%2FAINcGX7"))
			equal(h.t, "type", got["otpType"], any("ONE_TAP"))
		})},
		{167, "one tap with a short hash", refused(`"otpType":"ONE_TAP","packageName":"com.example.acme","signatureHash":"short"`)},
		{168, "zero tap", refused(`"otpType":"ZERO_TAP"`)},
		{169, "too long a time", refused(`"codeExpirationTime":91`)},
		{170, "an unknown name", configured(func(h *harness) {
			equal(h.t, "body", string(h.get(whatsAppTemplates+"?name=ghost").status(http.StatusOK).body), "[]")
		})},
		{171, "delete", linked(catalog.WhatsAppApproved, func(h *harness) {
			h.post(whatsAppTemplates, `{"name":"login_wa","language":"de"}`).empty(http.StatusCreated)
			h.delete(whatsAppTemplates + "/login_wa").empty(http.StatusNoContent)
			equal(h.t, "statuses", h.get(whatsAppTemplates+"?name=login_wa").members("status"), []any{"DELETION_PENDING", "DELETION_PENDING"})
			h.send(`{` + send + `"wa-only","senderWA":"4930123456"}`).cv("priorityName")
			h.post(whatsAppTemplates, newLoginWA).br()
			h.delete(whatsAppTemplates + "/login_wa").empty(http.StatusNoContent)
		})},
		{172, "delete what is not there", configured(func(h *harness) { h.delete(whatsAppTemplates + "/ghost").nt("ghost") })},
		{173, "read one", configured(func(h *harness) {
			r := h.get(whatsAppTemplates + "/login_wa").pr(http.StatusMethodNotAllowed)
			equal(h.t, "Allow", r.header.Get("Allow"), "DELETE")
		})},
		{174, "a pending template is left out", linked(catalog.WhatsAppPending, func(h *harness) {
			id := h.accepted(`{` + send + `"wa-then-sms"}`)
			h.texts(`^ACME code 483920, valid 3 min\.$`)
			equal(h.t, "events", h.events(id), []string{"SMS DISPATCHED"})
		})},
		{175, "no sender", linked(catalog.WhatsAppApproved, func(h *harness) {
			h.send(`{` + send + `"wa-only"}`).cv("senderWA")
			h.nothingSent()
		})},
		{176, "over WhatsApp", linked(catalog.WhatsAppApproved, func(h *harness) {
			h.accepted(`{` + send + `"wa-only","senderWA":"+4930123456"}`)
			got := h.whatsApp.carrier.messages()
			equal(h.t, "messages", len(got), 1)
			step := got[0].Step
			equal(h.t, "call", []string{
				step.Sender, step.Template, step.Language, step.AccountRef, got[0].Code.Reveal(), got[0].Text(),
			}, []string{"4930123456", "login_wa", "en_US", whatsAppAccount, "483920", "*483920* is your verification code."})
		})},
		{177, "only a pending template", linked(catalog.WhatsAppPending, func(h *harness) {
			h.send(`{` + send + `"wa-only","senderWA":"+4930123456"}`).cv("priorityName")
		})},
	}
}

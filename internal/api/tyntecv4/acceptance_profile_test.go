package tyntecv4_test

import (
	"net/http"

	"github.com/google/uuid"
)

// profileExamples are those under "Profiles".
func profileExamples() []example {
	const (
		english   = `{"type":"SMS","templates":[{"name":"login_sms_en","languageCode":"en"}]}`
		french    = `{"name":"login_sms_fr","languageCode":"fr"}`
		secondEn  = `{"name":"other_en","languageCode":"en"}`
		newFrench = `{"name":"login_sms_fr","language":"fr","message":"Code {{otp_code}}"}`
		newSecond = `{"name":"other_en","language":"en","message":"Other {{otp_code}}"}`
	)
	profile := func(channels string) string { return `{"name":"n","channels":[` + channels + `]}` }
	ofEnglish := func(more string) string { return `{"name":"n",` + more + `,"channels":[` + english + `]}` }
	sms := func(links string) string { return `{"type":"SMS","templates":[` + links + `]}` }
	add := func(links string) string { return `{"channels":[` + sms(links) + `]}` }
	refused := func(body, field string) func(h *harness) {
		return func(h *harness) {
			h.post("/profiles", body).cv(field)
			equal(h.t, "profiles", len(h.get("/profiles").list()), 2)
		}
	}
	two := func(first, second, field string) func(h *harness) {
		return func(h *harness) {
			refused(ofEnglish(first), field)(h)
			refused(ofEnglish(second), field)(h)
		}
	}
	before := []string{"SMS login_sms_en en", "SMS login_sms_de de", "VOICE login_voice_en en"}
	return []example{
		{131, "the defaults", func(h *harness) {
			id := h.post("/profiles", profile(english)).created()
			equal(h.t, "profile", h.get("/profiles/"+id).object(), map[string]any{
				"id": id, "name": "n", "alphanumeric": false, "attempts": 3.0, "otpCodeLength": 6.0,
				"channels": []any{map[string]any{"type": "SMS", "templates": []any{map[string]any{"name": "login_sms_en", "languageCode": "en"}}}},
			})
		}},
		{132, "alphanumeric as a word and as a boolean", func(h *harness) {
			for _, value := range []string{`"TRUE"`, `true`} {
				id := h.post("/profiles", `{"name":"`+uuid.NewString()+`","alphanumeric":`+value+`,"channels":[]}`).created()
				equal(h.t, "alphanumeric", h.get("/profiles/" + id).object()["alphanumeric"], any(true))
			}
		}},
		{133, "alphanumeric as another word", refused(ofEnglish(`"alphanumeric":"yes"`), "alphanumeric")},
		{134, "attempts out of range", two(`"attempts":0`, `"attempts":11`, "attempts")},
		{135, "length out of range", two(`"otpCodeLength":3`, `"otpCodeLength":12`, "otpCodeLength")},
		{136, "no channels given", func(h *harness) {
			h.post("/profiles", `{"name":"n"}`).cv("channels").says("must not be null")
		}},
		{137, "no channels", func(h *harness) {
			id := h.post("/profiles", profile("")).created()
			equal(h.t, "channels", h.get("/profiles/" + id).object()["channels"], any([]any{}))
			h.send(`{"profileName":"n"}`).cv("priorityName")
		}},
		{138, "an unknown template", refused(profile(sms(`{"name":"ghost"}`)), "channels[0].templates[0].name")},
		{139, "a wrong language", refused(profile(sms(`{"name":"login_sms_en","languageCode":"de"}`)), "channels[0].templates[0].languageCode")},
		{140, "no language", func(h *harness) {
			id := h.post("/profiles", profile(sms(`{"name":"login_sms_en"}`))).created()
			equal(h.t, "links", h.links(id), []string{"SMS login_sms_en en"})
		}},
		{141, "a language twice", func(h *harness) {
			h.post("/templates/sms", newSecond).created()
			refused(profile(sms(`{"name":"login_sms_en","languageCode":"en"},`+secondEn)), "channels[0].templates[1].languageCode")(h)
			refused(profile(sms(`{"name":"login_sms_en"},{"name":"other_en"}`)), "channels[0].templates[1].languageCode")(h)
		}},
		{142, "a name twice", refused(`{"name":"login","channels":[]}`, "name")},
		{143, "WhatsApp without configuration", func(h *harness) {
			h.post("/profiles", profile(`{"type":"WHATSAPP","templates":[{"name":"login_wa","languageCode":"en_US"}]}`)).mw()
		}},
		{144, "a change touches later sends", func(h *harness) {
			open := h.accepted("")
			h.patch("/profiles/"+h.P1, `{"attempts":2}`).empty(http.StatusOK)
			equal(h.t, "attempts of the open one", h.get("/otp/" + open).object()["allowedAttempts"], any(3.0))
			equal(h.t, "attempts of the next", h.get("/otp/" + h.accepted("")).object()["allowedAttempts"], any(2.0))
		}},
		{145, "a change replaces the links", func(h *harness) {
			h.patch("/profiles/"+h.P1, `{"channels":[{"type":"VOICE","templates":[{"name":"login_voice_en","languageCode":"en"}]}]}`).empty(http.StatusOK)
			equal(h.t, "links", h.links(h.P1), []string{"VOICE login_voice_en en"})
		}},
		{146, "a change of what is not there", func(h *harness) {
			id := uuid.NewString()
			h.patch("/profiles/"+id, `{"attempts":2}`).nr(id)
		}},
		{147, "link another language", func(h *harness) {
			h.post("/templates/sms", newFrench).created()
			h.post("/profiles/"+h.P1+"/templates", add(french)).empty(http.StatusCreated)
			equal(h.t, "links", h.links(h.P1), []string{
				"SMS login_sms_en en", "SMS login_sms_de de", "SMS login_sms_fr fr", "VOICE login_voice_en en",
			})
		}},
		{148, "link a language again", func(h *harness) {
			h.post("/templates/sms", newSecond).created()
			h.post("/profiles/"+h.P1+"/templates", add(secondEn)).
				problem(http.StatusConflict, "Conflict", "channel", "SMS", "language", "en")
		}},
		{149, "link all or nothing", func(h *harness) {
			h.post("/templates/sms", newFrench).created()
			h.post("/templates/sms", newSecond).created()
			h.post("/profiles/"+h.P1+"/templates", add(french+","+secondEn)).
				problem(http.StatusConflict, "Conflict", "channel", "SMS", "language", "en")
			equal(h.t, "links", h.links(h.P1), before)
		}},
		{150, "link to what is not there", func(h *harness) {
			id := uuid.NewString()
			h.post("/profiles/"+id+"/templates", add(`{"name":"login_sms_en"}`)).nr(id)
		}},
		{151, "unlink", func(h *harness) {
			h.delete("/profiles/" + h.P1 + "/templates/login_sms_de").empty(http.StatusOK)
			equal(h.t, "links", h.links(h.P1), []string{"SMS login_sms_en en", "VOICE login_voice_en en"})
		}},
		{152, "unlink what is not linked", func(h *harness) {
			h.delete("/profiles/" + h.P1 + "/templates/ghost").cv("template-name")
		}},
		{153, "unlink the last", func(h *harness) {
			h.delete("/profiles/" + h.P2 + "/templates/login_sms_en").empty(http.StatusOK)
			equal(h.t, "channels", h.get("/profiles/" + h.P2).object()["channels"], any([]any{}))
		}},
		{154, "delete with an open OTP", func(h *harness) {
			id := h.accepted(`{"otpCode":"483920"}`)
			h.delete("/profiles/" + h.P1).empty(http.StatusOK)
			equal(h.t, "verdict", h.verdict(id, "483920"), "VERIFIED")
			h.send("").cv("profileName")
		}},
	}
}

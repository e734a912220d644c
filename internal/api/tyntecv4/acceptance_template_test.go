package tyntecv4_test

import (
	"net/http"
	"strings"
)

// templateExamples are those under "Templates".
func templateExamples() []example {
	const a = `{"name":"a","language":"en","message":"x {{otp_code}}"}`
	refused := func(body, field string) func(h *harness) {
		return func(h *harness) {
			h.post("/templates/sms", body).cv(field)
			equal(h.t, "templates", len(h.get("/templates").list()), 3)
		}
	}
	minutes := func(value string) string {
		return `{"name":"a","language":"en","message":"x {{otp_code}}","codeExpirationTime":` + value + `}`
	}
	return []example{
		{110, "the default time", func(h *harness) {
			id := h.post("/templates/sms", a).created()
			equal(h.t, "template", h.get("/templates/sms/"+id).object(), map[string]any{
				"id": id, "channel": "SMS", "name": "a", "language": "en", "codeExpirationTime": 3.0, "message": "x {{otp_code}}",
			})
		}},
		{111, "a name twice", func(h *harness) {
			h.post("/templates/sms", a).created()
			h.post("/templates/sms", strings.Replace(a, `"en"`, `"de"`, 1)).problem(http.StatusConflict, "Conflict", "templateName", "a")
		}},
		{112, "a name on another channel", func(h *harness) {
			h.post("/templates/sms", a).created()
			id := h.post("/templates/viber", a).created()
			equal(h.t, "channel", h.get("/templates/viber/"+id).text("channel"), "VIBER")
		}},
		{113, "no placeholder", refused(`{"name":"a","language":"en","message":"no code here"}`, "message")},
		{114, "a placeholder with blanks", refused(`{"name":"a","language":"en","message":"{{ otp_code }}"}`, "message")},
		{115, "a long message", refused(`{"name":"a","language":"en","message":"`+strings.Repeat("ä", 501)+`{{otp_code}}"}`, "message")},
		{116, "a line break", func(h *harness) {
			id := h.post("/templates/sms", `{"name":"a","language":"en","message":"line1\nCode {{otp_code}}"}`).created()
			equal(h.t, "message", h.get("/templates/sms/"+id).text("message"), "line1\nCode {{otp_code}}")
		}},
		{117, "an unknown language", refused(`{"name":"a","language":"pt","message":"x {{otp_code}}"}`, "language")},
		{118, "a long name", refused(`{"name":"`+strings.Repeat("n", 257)+`","language":"en","message":"x {{otp_code}}"}`, "name")},
		{119, "times out of range", func(h *harness) {
			h.post("/templates/sms", minutes("0")).cv("codeExpirationTime")
			h.post("/templates/sms", minutes("121")).cv("codeExpirationTime")
			h.post("/templates/sms", minutes("2.5")).br()
		}},
		{120, "a time as a string", func(h *harness) {
			id := h.post("/templates/sms", minutes(`"5"`), asLenient()).created()
			equal(h.t, "minutes", h.get("/templates/sms/" + id).object()["codeExpirationTime"], any(5.0))
		}},
		{121, "the language is fixed", func(h *harness) {
			h.patch("/templates/sms/"+h.T1, `{"language":"fr","codeExpirationTime":7}`).empty(http.StatusOK)
			r := h.get("/templates/sms/" + h.T1)
			equal(h.t, "language", r.text("language"), "en")
			equal(h.t, "minutes", r.object()["codeExpirationTime"], any(7.0))
		}},
		{122, "another template's name", func(h *harness) {
			h.patch("/templates/sms/"+h.T1, `{"name":"login_sms_de"}`).problem(http.StatusConflict, "Conflict", "templateName", "login_sms_de")
		}},
		{123, "links follow a new name", func(h *harness) {
			h.patch("/templates/sms/"+h.T1, `{"name":"renamed"}`).empty(http.StatusOK)
			equal(h.t, "links", h.links(h.P1), []string{"SMS renamed en", "SMS login_sms_de de", "VOICE login_voice_en en"})
			h.accepted("")
			h.texts(`^ACME code \d{6}, `)
		}},
		{124, "a change to no placeholder", func(h *harness) {
			h.patch("/templates/sms/"+h.T1, `{"message":"no code"}`).cv("message")
		}},
		{125, "a template of another channel", func(h *harness) { h.get("/templates/sms/" + h.T3).nt(h.T3) }},
		{126, "find by language", func(h *harness) {
			equal(h.t, "found", h.get("/templates/sms?language=de").members("id"), []any{h.T2})
		}},
		{127, "find by a language that does not exist", func(h *harness) {
			equal(h.t, "body", string(h.get("/templates/sms?language=xx").status(http.StatusOK).body), "[]")
		}},
		{128, "all templates", func(h *harness) {
			r := h.get("/templates")
			equal(h.t, "ids", r.members("id"), []any{h.T1, h.T2, h.T3})
			equal(h.t, "channels", r.members("channel"), []any{"SMS", "SMS", "VOICE"})
		}},
		{129, "links outlive templates", func(h *harness) {
			h.delete("/templates/sms/" + h.T2).empty(http.StatusOK)
			equal(h.t, "links", h.links(h.P1), []string{"SMS login_sms_en en", "SMS login_sms_de de", "VOICE login_voice_en en"})
			h.accepted(`{"languageCode":"de"}`)
			h.texts(`^ACME code \d{6}, `)
		}},
		{130, "links work again", func(h *harness) {
			h.delete("/templates/sms/" + h.T2).empty(http.StatusOK)
			h.post("/templates/sms", `{"name":"login_sms_de","language":"de","message":"Neu: {{otp_code}}"}`).created()
			h.accepted(`{"languageCode":"de"}`)
			h.texts(`^Neu: \d{6}$`)
		}},
	}
}

// links returns a profile's links, each as channel, name and language.
func (h *harness) links(profile string) []string {
	h.t.Helper()
	all := []string{}
	channels, _ := h.get("/profiles/" + profile).status(http.StatusOK).object()["channels"].([]any)
	for _, c := range channels {
		channel, _ := c.(map[string]any)
		templates, _ := channel["templates"].([]any)
		for _, t := range templates {
			link, _ := t.(map[string]any)
			all = append(all, channel["type"].(string)+" "+link["name"].(string)+" "+link["languageCode"].(string))
		}
	}
	return all
}

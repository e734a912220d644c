package tyntecv4_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/api/tyntecv4"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/message"
)

func TestFailuresOfWhatsAppNameAccountAndTemplate(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.post(whatsAppPath, whatsAppConfig).empty(http.StatusCreated)
	h.whatsApp.fails(catalog.ErrWhatsAppUnreachable)
	const title = "Internal Server Error"
	link := `{"name":"n","channels":[{"type":"WHATSAPP","templates":[{"name":"login_wa"}]}]}`
	h.get(whatsAppTemplates).problem(http.StatusInternalServerError, title, "accountId", whatsAppAccount)
	h.get(whatsAppTemplates+"?name=x").problem(http.StatusInternalServerError, title, "accountId", whatsAppAccount, "templateName", "x")
	h.post(whatsAppTemplates, newLoginWA).problem(http.StatusInternalServerError, title, "accountId", whatsAppAccount, "templateName", "login_wa")
	h.delete(whatsAppTemplates+"/login_wa").problem(http.StatusInternalServerError, title, "accountId", whatsAppAccount, "templateName", "login_wa")
	h.post("/profiles", link).problem(http.StatusInternalServerError, title, "accountId", whatsAppAccount, "templateName", "login_wa")
	h.whatsApp.fails(catalog.ErrWhatsAppAccount)
	h.get(whatsAppTemplates).nt()
	h.post(whatsAppTemplates, newLoginWA).nt()
	h.delete(whatsAppTemplates + "/login_wa").nt("login_wa")
	h.post("/profiles", link).cv("channels[0].templates[0].name")
	h.whatsApp.fails(catalog.ErrWhatsAppRefused)
	h.post(whatsAppTemplates, newLoginWA).br()
}

func TestWhatsAppThatCannotBeAskedIsLeftOutOfThePlan(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.post(whatsAppPath, whatsAppConfig).empty(http.StatusCreated)
	h.post(whatsAppTemplates, newLoginWA).empty(http.StatusCreated)
	h.whatsApp.review(catalog.WhatsAppApproved)
	h.post("/profiles", `{"name":"wa","channels":[{"type":"WHATSAPP","templates":[{"name":"login_wa"}]},
		{"type":"SMS","templates":[{"name":"login_sms_en"}]}]}`).created()
	h.post("/priorities", `{"name":"both","channelPriority":[{"channel":"WHATSAPP","priority":1},{"channel":"SMS","priority":2}]}`).created()
	h.post("/priorities", `{"name":"one","channelPriority":[{"channel":"WHATSAPP","priority":1}]}`).created()
	h.whatsApp.fails(catalog.ErrWhatsAppUnreachable)
	id := h.accepted(`{"profileName":"wa","priorityName":"both"}`)
	equal(t, "events", h.events(id), []string{"SMS DISPATCHED"})
	h.send(`{"profileName":"wa","priorityName":"one","senderWA":"4930123456"}`).
		problem(http.StatusInternalServerError, "Internal Server Error", "accountId", whatsAppAccount, "templateName", "login_wa")
}

func TestAProfileKeepsItsWhatsAppLinksWhileWhatsAppCannotBeAsked(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.post(whatsAppPath, whatsAppConfig).empty(http.StatusCreated)
	h.post(whatsAppTemplates, newLoginWA).empty(http.StatusCreated)
	wa := func(link string) string { return `{"channels":[{"type":"WHATSAPP","templates":[{` + link + `}]}]}` }
	id := h.post("/profiles", `{"name":"wa",`+wa(`"name":"login_wa"`)[1:]).created()
	h.whatsApp.fails(catalog.ErrWhatsAppUnreachable)
	for _, link := range []string{`"name":"login_wa"`, `"name":"login_wa","languageCode":"en_US"`} {
		h.patch("/profiles/"+id, wa(link)).status(http.StatusOK)
	}
	for link, name := range map[string]string{`"name":"other"`: "other", `"name":"login_wa","languageCode":"de"`: "login_wa"} {
		h.patch("/profiles/"+id, wa(link)).
			problem(http.StatusInternalServerError, "Internal Server Error", "accountId", whatsAppAccount, "templateName", name)
	}
}

func TestWhatsAppTemplateMembers(t *testing.T) {
	t.Parallel()
	h := newServer(t, options{})
	h.post(whatsAppPath, whatsAppConfig).empty(http.StatusCreated)
	h.post(whatsAppTemplates, `{"name":"copy","language":"de","type":"OTP","addSecurityRecommendation":false,"codeExpirationTime":90,
		"copyButtonText":"Kopieren","autofillButtonText":{},"packageName":[],"signatureHash":1.5}`, asLenient()).empty(http.StatusCreated)
	h.post(whatsAppTemplates, `{"name":"tap","language":"en","otpType":"ONE_TAP","packageName":"com.a_1.B","signatureHash":"K8a/AINcGX7",
		"autofillButtonText":"Fill","copyButtonText":"Copy"}`).empty(http.StatusCreated)
	got := h.get(whatsAppTemplates).list()
	for _, absent := range []string{"autofillButtonText", "packageName", "signatureHash", "buttonUrl"} {
		if got[0][absent] != nil {
			t.Errorf("copy code template has %s", absent)
		}
	}
	equal(t, "minutes", got[0]["codeExpirationTime"], any(90.0))
	equal(t, "recommendation", got[0]["isAddSecurityRecommendation"], any(false))
	equal(t, "copy button", got[0]["copyButtonText"], any("Kopieren"))
	equal(t, "autofill button", got[1]["autofillButtonText"], any("Fill"))
	equal(t, "by language", h.get(whatsAppTemplates+"?language=de").members("name"), []any{"copy"})
	equal(t, "by name and language", len(h.get(whatsAppTemplates+"?name=copy&language=en").list()), 0)
	const tap = `"otpType":"ONE_TAP","packageName":"com.a","signatureHash":"K8a/AINcGX7"`
	for _, body := range []string{
		`{}`, `{"name":"a"}`, `{"language":"en"}`, `{"name":"a-b","language":"en"}`, `{"name":"a","language":"zh"}`,
		`{"name":"` + strings.Repeat("a", 513) + `","language":"en"}`, `{"name":"a","language":"en","type":"MARKETING"}`,
		`{"name":"a","language":"en","addSecurityRecommendation":"true"}`, `{"name":"a","language":"en","codeExpirationTime":0}`,
		`{"name":"a","language":"en","copyButtonText":""}`, `{"name":"a","language":"en","copyButtonText":"` + strings.Repeat("ä", 26) + `"}`,
		`{"name":"a","language":"en",` + strings.Replace(tap, "com.a", "com", 1) + `}`,
		`{"name":"a","language":"en",` + strings.Replace(tap, "com.a", "com.1a", 1) + `}`,
		`{"name":"a","language":"en",` + strings.Replace(tap, "com.a", "com."+strings.Repeat("a", 221), 1) + `}`,
		`{"name":"a","language":"en",` + strings.Replace(tap, "K8a/", "K8a%zz", 1) + `}`,
		`{"name":"a","language":"en",` + tap + `,"autofillButtonText":"` + strings.Repeat("a", 26) + `"}`,
	} {
		h.post(whatsAppTemplates, body).br()
	}
	h.delete(whatsAppTemplates + "/a-b").br()
	equal(t, "templates", len(h.get(whatsAppTemplates).list()), 2)
}

func TestProfilesLinkSeveralLanguagesOfOneWhatsAppTemplate(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.post(whatsAppPath, whatsAppConfig).empty(http.StatusCreated)
	h.post(whatsAppTemplates, newLoginWA).empty(http.StatusCreated)
	h.post(whatsAppTemplates, `{"name":"login_wa","language":"de"}`).empty(http.StatusCreated)
	link := func(more string) string {
		return `{"name":"n","channels":[{"type":"WHATSAPP","templates":[{"name":"login_wa"` + more + `}]},
			{"type":"SMS","templates":[{"name":"login_sms_en"}]},{"type":"VOICE","templates":[]},
			{"type":"WHATSAPP","templates":[{"name":"login_wa","languageCode":"de"}]}]}`
	}
	h.post("/profiles", link("")).cv("channels[0].templates[0].languageCode")
	h.post("/profiles", link(`,"languageCode":"fr"`)).cv("channels[0].templates[0].languageCode")
	id := h.post("/profiles", link(`,"languageCode":"en_US"`)).created()
	equal(t, "links", h.links(id), []string{"WHATSAPP login_wa en_US", "WHATSAPP login_wa de", "SMS login_sms_en en"})
	h.delete("/profiles/" + id + "/templates/login_wa").empty(http.StatusOK)
	equal(t, "links", h.links(id), []string{"SMS login_sms_en en"})
}

func TestAChangeKeepsLinksToTemplatesThatAreGone(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.delete("/templates/sms/" + h.T2).empty(http.StatusOK)
	const same = `{"channels":[{"type":"SMS","templates":[{"name":"login_sms_de"},{"name":"login_sms_en","languageCode":"en"}]}]}`
	h.patch("/profiles/"+h.P1, same).empty(http.StatusOK)
	equal(t, "links", h.links(h.P1), []string{"SMS login_sms_de de", "SMS login_sms_en en"})
	h.patch("/profiles/"+h.P2, same).cv("channels[0].templates[0].name")
	h.patch("/profiles/"+h.P2, `{"name":"login"}`).cv("name")
	h.patch("/profiles/"+h.P2, `{"name":"strict","attempts":2,"alphanumeric":false,"otpCodeLength":4,"channels":[]}`).empty(http.StatusOK)
	equal(t, "profile", h.get("/profiles/"+h.P2).object(), map[string]any{
		"id": h.P2, "name": "strict", "alphanumeric": false, "attempts": 2.0, "otpCodeLength": 4.0, "channels": []any{},
	})
}

func TestSendersComeFromRequestThenAccountThenServer(t *testing.T) {
	t.Parallel()
	h := startWith(t, options{config: func(c *tyntecv4.Config) {
		c.Senders = tyntecv4.Senders{SMS: "SERVER", Voice: "+4930", Viber: "12345", WhatsApp: "+4930123456"}
		c.Wait = func(message.Channel) time.Duration { return 10 * time.Second }
	}})
	h.post("/templates/viber", `{"name":"v","language":"en","message":"{{otp_code}}"}`).created()
	h.post("/profiles/"+h.P1+"/templates", `{"channels":[{"type":"VIBER","templates":[{"name":"v"}]}]}`).empty(http.StatusCreated)
	h.post("/priorities", `{"name":"viber-voice","channelPriority":[{"channel":"VIBER","priority":1},{"channel":"VOICE","priority":2}]}`).created()
	h.accepted("")
	h.accepted(`{"priorityName":"viber-voice"}`)
	h.advance(10 * time.Second)
	h.must(h.store.SetSettings(t.Context(), "a", map[string]string{
		account.SettingSender: "ACCOUNT", account.SettingSenderViber: "7777", account.SettingCaller: "+4940",
	}))
	h.accepted("")
	h.accepted(`{"sender":"REQUEST"}`)
	h.accepted(`{"priorityName":"viber-voice","caller":"+4950","senderViber":"4242"}`)
	h.advance(10 * time.Second)
	var sms, viber, voice []string
	for _, m := range h.sms.messages() {
		sms = append(sms, m.Step.Sender)
	}
	for _, m := range h.viber.messages() {
		viber = append(viber, m.Step.Sender)
	}
	for _, m := range h.voice.messages() {
		voice = append(voice, m.Step.Sender)
	}
	equal(t, "SMS", sms, []string{"SERVER", "ACCOUNT", "REQUEST"})
	equal(t, "Viber", viber, []string{"12345", "4242"})
	equal(t, "voice", voice, []string{"+4930", "+4950"})
}

func TestViberNeedsASender(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.post("/templates/viber", `{"name":"v","language":"en","message":"{{otp_code}}"}`).created()
	h.post("/profiles/"+h.P1+"/templates", `{"channels":[{"type":"VIBER","templates":[{"name":"v"}]}]}`).empty(http.StatusCreated)
	h.send(`{"priorityName":"viber-only"}`).cv("senderViber")
	h.accepted(`{"priorityName":"viber-only","senderViber":"12345"}`)
	equal(t, "messages", len(h.viber.messages()), 1)
}

func TestALongListIsCutAndSaysSo(t *testing.T) {
	t.Parallel()
	h := startWith(t, options{config: func(c *tyntecv4.Config) { c.Limits.ListLimit = 3 }})
	ids := []any{}
	for range 3 {
		ids = append([]any{h.accepted("")}, ids...)
	}
	r := h.get("/otp")
	equal(t, "ids", r.members("otpId"), ids)
	equal(t, "header", r.header.Get("X-Result-Truncated"), "")
	ids = append([]any{h.accepted("")}, ids[:2]...)
	r = h.get("/otp")
	equal(t, "ids", r.members("otpId"), ids)
	equal(t, "header", r.header.Get("X-Result-Truncated"), "true")
}

func TestABodyMayHaveAsManyOctetsAsTheOperatorSays(t *testing.T) {
	t.Parallel()
	for size, said := range map[int]string{2048: "2 KiB", 1500: "1500 octets"} {
		h := startWith(t, options{config: func(c *tyntecv4.Config) { c.Limits.BodySize = size }})
		body := `{"name":"n","language":"en","message":"{{otp_code}}"}`
		h.post("/templates/sms", body+strings.Repeat(" ", size-len(body))).created()
		r := h.post("/templates/sms", body+strings.Repeat(" ", size+1-len(body))).pr(http.StatusRequestEntityTooLarge)
		equal(t, "detail", r.text("detail"), "The body is larger than "+said)
	}
}

func TestTextsInCodesAreNotExpanded(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.post("/templates/sms", `{"name":"odd","language":"fr","message":"{{otp_code}}{{otp_code}} {{ otp_code }} {{OTP_CODE}} {{expiration_time}}{{x}}"}`).created()
	h.post("/profiles/"+h.P1+"/templates", `{"channels":[{"type":"SMS","templates":[{"name":"odd"}]}]}`).empty(http.StatusCreated)
	h.accepted(`{"languageCode":"fr","otpCode":"{{x}}<&>"}`)
	equal(t, "text", h.sms.messages()[0].Text(), "{{x}}<&>{{x}}<&> {{ otp_code }} {{OTP_CODE}} 3{{x}}")
}

// P-03, P-06: what nobody may read in an answer or the log.
func TestNoAnswerAndNoLogHoldsACode(t *testing.T) {
	t.Parallel()
	h := start(t)
	const code, key = "c4n4ry-73", "key-a"
	h.whatsApp.fails(catalog.ErrWhatsAppUnreachable)
	h.post(whatsAppPath, whatsAppConfig).empty(http.StatusCreated)
	answers := []*response{h.send(`{"otpCode":"` + code + `"}`)}
	id := answers[0].text("id")
	answers = append(answers, h.get("/otp"), h.get("/otp/"+id),
		h.post("/otp/"+id+"/validate", `{"otpCode":"`+code+`"}`), h.post("/otp/"+id+"/validate", `{"otpCode":"`+code+`"}`),
		h.send(`{"otpCode":"`+code+`A"}`), h.send(`{"otpCode":"`+code+code+`"}`), h.send(`{"otpCode":["`+code+`"]}`),
		h.post("/otp", `{"otpCode":"`+code+`"`), h.get(whatsAppTemplates), h.get("/otp?apiKey="+key, asLenient()), h.get("/nothing?apiKey="+key))
	for _, r := range answers {
		if strings.Contains(string(r.body), code) || strings.Contains(string(r.body), key) {
			t.Errorf("%s\n→ %s", r.request, r.body)
		}
	}
	for _, secret := range []string{code, key, number[1:]} {
		if strings.Contains(h.log.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, h.log)
		}
	}
	if !strings.Contains(h.log.String(), "request failed") {
		t.Errorf("the log holds nothing of the failure:\n%s", h.log)
	}
}

func TestATemplateIsReachedOnItsOwnChannelOnly(t *testing.T) {
	t.Parallel()
	h := start(t)
	before := string(h.get("/templates").body)
	for _, path := range []string{"/templates/sms/", "/templates/viber/"} {
		h.get(path + h.T3).nt(h.T3)
		h.patch(path+h.T3, `{"codeExpirationTime":9}`).nt(h.T3)
		h.patch(path+"x", `{"codeExpirationTime":9}`).nt("x")
		h.delete(path + h.T3).empty(http.StatusOK)
	}
	equal(t, "templates", string(h.get("/templates").body), before)
}

package tyntecv4_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestMembersAreCoercedAsTheContractSays(t *testing.T) {
	t.Parallel()
	h := newServer(t, options{})
	profile := func(members string) string { return `{"name":"p","channels":[],` + members + `}` }
	template := func(members string) string {
		return `{"name":"t","language":"en","message":"x {{otp_code}}",` + members + `}`
	}
	for _, c := range []struct {
		path, body string
		want       []string // fields of violations; nil for BR
	}{
		{"/profiles", profile(`"attempts":"11"`), []string{"attempts"}},
		{"/profiles", profile(`"attempts":99999999999999999999`), []string{"attempts"}},
		{"/profiles", profile(`"attempts":-99999999999999999999`), []string{"attempts"}},
		{"/profiles", profile(`"attempts":3.0`), nil},
		{"/profiles", profile(`"attempts":3e0`), nil},
		{"/profiles", profile(`"attempts":"-3"`), nil},
		{"/profiles", profile(`"attempts":""`), nil},
		{"/profiles", profile(`"attempts":"three"`), nil},
		{"/profiles", profile(`"attempts":true`), nil},
		{"/profiles", profile(`"attempts":[3]`), nil},
		{"/profiles", profile(`"alphanumeric":1`), []string{"alphanumeric"}},
		{"/profiles", profile(`"alphanumeric":""`), []string{"alphanumeric"}},
		{"/profiles", profile(`"alphanumeric":{}`), nil},
		{"/profiles", profile(`"name":""`), []string{"name"}},
		{"/profiles", profile(`"name":true`), nil},
		{"/profiles", profile(`"name":1.5`), nil},
		{"/profiles", profile(`"name":null`), []string{"name"}},
		{"/profiles", profile(`"name":"a\u0000b"`), []string{"name"}},
		{"/profiles", profile(`"name":"a\u0001"`), []string{"name"}},
		{"/priorities", `{"name":"a\nb","channelPriority":[{"channel":"SMS","priority":1}]}`, []string{"name"}},
		{"/templates/sms", template(`"name":"a\tb"`), []string{"name"}},
		{"/profiles", profile(`"channels":{}`), nil},
		{"/profiles", profile(`"channels":["SMS"]`), nil},
		{"/profiles", profile(`"channels":[null]`), []string{"channels[0]"}},
		{"/profiles", profile(`"channels":[{}]`), []string{"channels[0].templates", "channels[0].type"}},
		{"/profiles", profile(`"channels":[{"type":"sms","templates":[null,{},{"name":{}}]}]`), nil},
		{
			"/profiles", profile(`"channels":[{"type":"sms","templates":[null,{},{"name":"a","languageCode":"en"},{"name":"b","languageCode":"en"}]}]`),
			[]string{"channels[0].templates[0]", "channels[0].templates[1].name", "channels[0].templates[3].languageCode", "channels[0].type"},
		},
		{ // a language may come twice where the channels are not named
			"/profiles", profile(`"channels":[{"templates":[{"name":"a","languageCode":"en"}]},{"type":" ","templates":[{"name":"b","languageCode":"en"}]}]`),
			[]string{"channels[0].type", "channels[1].type"},
		},
		{"/templates/sms", template(`"codeExpirationTime":"121"`), []string{"codeExpirationTime"}},
		{"/templates/sms", template(`"language":5`), []string{"language"}},
		{"/templates/sms", template(`"message":"` + strings.Repeat("ä", 513) + `"`), []string{"message", "message"}},
		{"/templates/sms", template(`"message":" "`), []string{"message"}},
		{"/priorities", `{"name":"r","channelPriority":[null,{"channel":"SMS"}]}`, []string{"channelPriority[0]", "channelPriority[1].priority"}},
		{"/priorities", `{"name":"r","channelPriority":[{"channel":"SMS","priority":2147483648}]}`, []string{"channelPriority[0].priority"}},
		{"/priorities", `{"name":"r","channelPriority":{"channel":"SMS"}}`, nil},
		{"/otp/x/validate", `{"otpCode":"     "}`, []string{"otpCode"}},
		{"/otp/x/validate", `{"otpCode":true}`, nil},
		{"/otp", `{"to":"x","profileName":" ","priorityName":"","otpCode":"Ab\u0001","sender":"","caller":"` + strings.Repeat("c", 33) + `","senderWA":"++49"}`, []string{
			"caller", "otpCode", "otpCode", "otpCode", "priorityName", "profileName", "sender", "senderWA", "to",
		}},
	} {
		r := h.post(c.path, c.body)
		if c.want == nil {
			r.br()
		} else {
			r.cv(c.want...)
		}
	}
	for _, path := range []string{"/profiles", "/templates", "/priorities"} {
		equal(t, path, len(h.get(path).list()), 0)
	}
}

func TestMembersThatAreAcceptedInOtherForms(t *testing.T) {
	t.Parallel()
	h := newServer(t, options{})
	for i, c := range []struct {
		body string
		want map[string]any
	}{
		{`"name":12345,"attempts":"007","otpCodeLength":4`, map[string]any{"name": "12345", "attempts": 7.0, "otpCodeLength": 4.0}},
		{`"name":"a","name":"b","attempts":99,"attempts":5`, map[string]any{"name": "b", "attempts": 5.0}},
		{`"name":"first","alphanumeric":"tRuE"`, map[string]any{"alphanumeric": true}},
		{`"name":"  padded ","Attempts":9`, map[string]any{"name": "  padded ", "attempts": 3.0}},
		{`"name":"😀","attempts":null`, map[string]any{"name": "😀", "attempts": 3.0}},
	} {
		id := h.post("/profiles", `{"channels":[],`+c.body+`}`, asLenient()).created()
		got := h.get("/profiles/" + id).object()
		for name, want := range c.want {
			equal(t, fmt.Sprintf("case %d, %s", i, name), got[name], want)
		}
		h.get("/profiles/" + strings.ToUpper(id)).status(http.StatusOK)
	}
}

func TestLengthsCountCodePoints(t *testing.T) {
	t.Parallel()
	h := start(t)
	long := strings.Repeat("😀", 256)
	h.post("/profiles", `{"name":"`+long+`","channels":[]}`).created()
	equal(t, "found", len(h.get("/profiles?name="+long).list()), 1)
	h.post("/profiles", `{"name":"`+long+`x","channels":[]}`).cv("name")
	h.accepted(`{"otpCode":"` + strings.Repeat("ü", 11) + `"}`)
	h.send(`{"otpCode":"` + strings.Repeat("ü", 12) + `"}`).cv("otpCode")
}

func TestAPlusThatWasNotEscapedIsPutBackBeforeTheNumberIsRead(t *testing.T) {
	t.Parallel()
	h := start(t)
	id := h.accepted(`{"to":"+0000000000000"}`) // the published sample, whose zeros are no prefix
	for _, to := range []string{"+0000000000000", "%2B0000000000000", "%20%2B0000000000000"} {
		equal(t, to, h.get("/otp?to="+to).members("otpId"), []any{id})
	}
}

func TestFiltersOfTheCatalogsListsRefuseNothing(t *testing.T) {
	t.Parallel()
	h := start(t)
	for _, path := range []string{"/priorities", "/profiles", "/templates/sms", "/templates/voice", "/templates/viber"} {
		equal(t, path+", nobody's name first", len(h.get(path+"?name=nobody&name=").list()), 0)
		for _, query := range []string{"?name=&name=", "?x=%zz", "?%zz=1&name=", "?name=%zz"} {
			h.get(path + query).status(http.StatusOK)
		}
	}
	equal(t, "a name behind what cannot be read", h.get("/priorities?x=%zz&name=sms-only").members("name"), []any{"sms-only"})
}

func TestParametersThatComeTwiceAreRefused(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.get("/otp?to=%2B4915112345678&to=%2B4915112345679").cv("to")
	h.get("/otp?to=%zz").br()
	h.get("/otp?otpStatus=x&to=y").cv("otpStatus", "to")
	h.post(whatsAppPath, whatsAppConfig).empty(http.StatusCreated)
	h.get(whatsAppTemplates + "?name=a&name=b").br()
	h.get(whatsAppTemplates + "?name=" + strings.Repeat("n", 513)).br()
	h.get(whatsAppTemplates + "?language=" + strings.Repeat("l", 17)).br()
	h.get(whatsAppTemplates + "?name=a%00").br()
	h.get(whatsAppTemplates + "?name=" + strings.Repeat("n", 512) + "&language=" + strings.Repeat("l", 16)).status(http.StatusOK)
}

// U+0000, which PostgreSQL cannot keep: where it breaks no rule it names nothing.
func TestNoDatabaseGetsTheCharacterU0000(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.post(whatsAppPath, whatsAppConfig).empty(http.StatusCreated)
	for _, member := range []string{
		`"copyButtonText":"a\u0000b"`, `"otpType":"ONE_TAP","packageName":"a.b","signatureHash":"12345678901","autofillButtonText":"\u0000"`,
	} {
		h.post(whatsAppTemplates, `{"name":"login_wa","language":"en",`+member+`}`).br()
	}
	equal(t, "templates", len(h.get(whatsAppTemplates).list()), 0)
	h.send(`{"profileName":"a\u0000"}`).cv("profileName")
	h.send(`{"priorityName":"a\u0000"}`).cv("priorityName")
	links := `{"channels":[{"type":"SMS","templates":[{"name":"a\u0000","languageCode":"\u0000"}]}]}`
	h.post("/profiles/"+h.P1+"/templates", links).cv("channels[0].templates[0].name")
	h.patch("/profiles/"+h.P1, links).cv("channels[0].templates[0].name")
	h.delete("/profiles/" + h.P1 + "/templates/a%00").cv("template-name")
	h.delete("/profiles/" + h.P1 + "/templates/%FF").cv("template-name")
	h.get("/otp/a%00").nr("a\x00")
	for _, list := range []string{"/profiles", "/priorities", "/templates/sms"} {
		equal(t, list, len(h.get(list+"?name=a%00").list()), 0)
		equal(t, list, len(h.get(list+"?name=%FF", asLenient()).list()), 0)
	}
}

func TestAnUnknownMemberMayHoldAnything(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.accepted(`{"colour":` + strings.Repeat(`[{"a":`, 1000) + `"blue"` + strings.Repeat(`}]`, 1000) + `}`)
	h.post("/otp", `{"colour":`+strings.Repeat(`[`, 1000)).br()
}

func TestASemicolonInTheQueryIsPartOfAValue(t *testing.T) {
	t.Parallel()
	h := start(t)
	id := h.post("/priorities", `{"name":"a;b","channelPriority":[{"channel":"SMS","priority":1}]}`).created()
	for _, query := range []string{"?name=a;b", "?name=a%3Bb", "?x;y&name=a;b"} {
		equal(t, query, h.get("/priorities"+query).members("id"), []any{id})
	}
}

func TestNamesInPathsArePercentEncoded(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.post("/templates/sms", `{"name":"a/b c%2F?","language":"fr","message":"{{otp_code}}"}`).created()
	h.post("/profiles/"+h.P1+"/templates", `{"channels":[{"type":"SMS","templates":[{"name":"a/b c%2F?"}]}]}`).empty(http.StatusCreated)
	before := len(h.links(h.P1))
	h.delete("/profiles/" + h.P1 + "/templates/a%2Fb%20c%252F%3F").empty(http.StatusOK)
	equal(t, "links", len(h.links(h.P1)), before-1)
}

func TestCallbackRules(t *testing.T) {
	t.Parallel()
	h := start(t)
	for _, url := range []string{
		"http://127.0.0.1/x", "http://[::1]/x", "https://169.254.169.254/", "http://10.0.0.1:8080/", "https://", "https:///x", "//x.example/",
		"https:x.example", "javascript:alert(1)", "https://x.example:0/", "https://x.example:99999/", "https://x.example/#", "https://x example/",
		"https://x.example/a b", " https://x.example/", "https://x.example/" + strings.Repeat("p", 2048), "http://0x7f.1/",
	} {
		h.post(callbacks, `{"url":"`+url+`"}`).cv("url")
	}
	for _, url := range []string{
		"http://x.example/e", "https://user:pass@x.example:8443/e?q=1&r=%20", "https://93.184.216.34/", "HTTPS://X.example/",
		"https://x.example/" + strings.Repeat("p", 2030),
	} {
		id := h.post(callbacks, `{"url":"`+url+`"}`).created()
		h.delete(callbacks + "/" + id).empty(http.StatusOK)
	}
	with := func(headers string) string { return `{"url":"https://x.example/e","headers":` + headers + `}` }
	for _, c := range []struct {
		headers string
		want    []string
	}{
		{`{"content-length":"1"}`, []string{"headers.content-length"}},
		{`{"X-A":"1","x-a":"2"}`, []string{"headers.x-a"}},
		{`{"Proxy-Authorization":"x"}`, []string{"headers.Proxy-Authorization"}},
		{`{"webhook-id":"x"}`, []string{"headers.webhook-id"}},
		{`{"":"x"}`, []string{"headers.", "headers."}},
		{`{"a b":"x"}`, []string{"headers.a b"}},
		{`{"` + strings.Repeat("n", 129) + `":"x"}`, []string{"headers." + strings.Repeat("n", 129)}},
		{`{"x":"` + strings.Repeat("v", 2049) + `"}`, []string{"headers.x"}},
		{`{"x":"ä"}`, []string{"headers.x"}},
		{`{` + strings.TrimSuffix(manyHeaders(21), ",") + `}`, []string{"headers"}},
		{`{"x":[]}`, nil},
		{`["x"]`, nil},
	} {
		r := h.post(callbacks, with(c.headers))
		if c.want == nil {
			r.br()
		} else {
			r.cv(c.want...)
		}
	}
	id := h.post(callbacks, with(`{"Authorization":"Bearer x","X-Team":7,"X-Half":0.50,"X-Yes":true,"X-None":null,"User-Agent":"me"}`), asLenient()).created()
	equal(t, "headers", h.get(callbacks).list()[0], map[string]any{"id": id, "url": "https://x.example/e", "headers": map[string]any{
		"Authorization": "Bearer x", "X-Team": "7", "X-Half": "0.50", "X-Yes": "true", "User-Agent": "me",
	}})
	h.post(callbacks, with(`{`+strings.TrimSuffix(manyHeaders(20), ",")+`}`)).created()
	h.post(callbacks, `{"url":"https://x.example/","profileId":"`+strings.ToUpper(h.P1)+`"}`).created()
	equal(t, "profile", h.get(callbacks).list()[2]["profileId"], any(h.P1))
}

func manyHeaders(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"X-%d":"v",`, i)
	}
	return b.String()
}

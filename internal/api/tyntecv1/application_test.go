package tyntecv1_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/api/tyntecv1"
	"github.com/countersign/countersign/internal/catalog"
)

const baseText = "OTP code: {{OTP}}. Valid for {{SEC}} seconds."

func TestExamplesOfApplications(t *testing.T) {
	t.Parallel()
	for _, e := range []example{
		{"V1-43 the default application", func(h *harness) {
			for _, path := range []string{applications, applications + "/"} {
				all := h.get(path).list()
				if len(all) != 1 {
					h.t.Fatalf("%d applications, want 1", len(all))
				}
				want := map[string]any{
					"accountId": "acme", "applicationId": all[0]["applicationId"], "name": "default", "pinLength": 4.0, "alphanumeric": false,
					"attempts": 3.0, "expire": 300.0, "template": map[string]any{"en": baseText}, "sender": "VERIFY", "caller": nil,
					"created": float64(h.wall.Now().UnixMilli()),
				}
				equal(h.t, "default application", all[0], want)
			}
		}},
		{"V1-44 an application out of nothing", func(h *harness) {
			h.post(applications+"/").is(200).has("name", "App-1767225600000", "created", 1767225600000, "pinLength", 4,
				"alphanumeric", false, "attempts", 3, "expire", 300, "sender", "VERIFY", "caller", nil)
			h.post(applications).is(200).has("name", "App-1767225600001", "created", 1767225600001)
		}},
		{"V1-45 JSON that is labelled as a form", func(h *harness) {
			h.post(applications, form(`{"name":"WEB","pinLength":6,"attempts":5,"expire":1500,"sender":"ACME"}`)).is(200).
				has("name", "WEB", "pinLength", 6, "attempts", 5, "expire", 1500, "sender", "ACME")
		}},
		{"V1-46 a reserved name", func(h *harness) {
			h.post(applications, jsonBody(`{"name":"default"}`)).refused(400, "1017")
			h.post(applications, jsonBody(`{"name":"Default"}`)).refused(400, "1017")
		}},
		{"V1-47 bounds of the lifetime", func(h *harness) {
			h.post(applications, jsonBody(`{"expire":29}`)).refused(400, "1008")
			h.post(applications, jsonBody(`{"expire":7200}`)).is(200).has("expire", 7200)
			h.post(applications, jsonBody(`{"expire":7201}`)).refused(400, "1008")
		}},
		{"V1-48 a change of the default application", func(h *harness) {
			was := h.get(applications + "/default").object()
			is := h.post(applications + "/default?pinLength=5&attempts=5&sender=ACME").is(200).object()
			was["pinLength"], was["attempts"], was["sender"] = 5.0, 5.0, "ACME"
			equal(h.t, "application", is, was)
			equal(h.t, "application read", h.get(applications+"/default").object(), was)
			_, code := h.sendSMS("")
			matches(h.t, code, `^[0-9]{5}$`)
		}},
		{"V1-49 the default application keeps its name", func(h *harness) {
			h.post(applications+"/default?name=other").refused(400, "1911")
			h.get(applications+"/default").is(200).has("name", "default")
		}},
		{"V1-50 letters and digits", func(h *harness) {
			id := h.application("")
			h.post(applications+"/"+id+"?alphaNumeric=true&pinLength=8").is(200).has("alphanumeric", true, "pinLength", 8)
			o, code := h.sendSMS("&applicationId=" + id)
			matches(h.t, code, `^[a-z0-9]{8}$`)
			h.check(o, strings.ToUpper(code)).otp("VERIFIED", 1, 202)
		}},
		{"V1-51 a caller that comes and goes", func(h *harness) {
			id := h.application("")
			h.post(applications+"/"+id+"?caller=442079460123").is(200).has("caller", "442079460123")
			h.post(applications+"/"+id+"?deleteCaller=true").is(200).has("caller", nil)
		}},
		{"V1-52 all or nothing", func(h *harness) {
			id := h.application("")
			h.post(applications+"/"+id+"?pinLength=6&expire=5").refused(400, "1008")
			h.get(applications+"/"+id).is(200).has("pinLength", 4)
		}},
		{"V1-53 the default application cannot be deleted", func(h *harness) {
			h.delete(applications+"/default").refused(403, "1911")
			id := h.get(applications + "/default").text("applicationId")
			h.delete(applications+"/"+id).refused(403, "1911")
		}},
		{"V1-54 OTPs of a deleted application", func(h *harness) {
			id := h.application("")
			o, code := h.sendSMS("&applicationId=" + id)
			h.delete(applications+"/"+id).is(200).has("applicationId", id)
			h.get(otps+"/"+o).otp("ACTIVE", 0, 200)
			h.check(o, code).refused(404, "1922")
			h.post(otps+"/"+o).refused(404, "1922")
			equal(h.t, "list", len(h.get(otps+"?"+toMobile).list()), 1)
			h.get(otps+"/"+o).otp("ACTIVE", 0, 200)
			h.get(otps + "/" + o + "/events").is(200)
			h.delete(otps + "/" + o).is(200)
		}},
		{"V1-55 texts in another language", func(h *harness) {
			h.post(applications+"/default/language?language=DE&text=Code%20{{OTP}}").is(200).
				has("template", map[string]any{"en": baseText, "de": "Code {{OTP}}"})
			h.post(applications+"/default/language?language=DE&text=Code%20{{OTP}}&channel=VOICE").is(200).
				has("template", map[string]any{"en": baseText, "de": "Code {{OTP}}", "de-voice": "Code {{OTP}}"})
		}},
		{"V1-56 each channel has its text", func(h *harness) {
			h.german()
			h.send("number=%2B4915123456789")
			matches(h.t, h.last(h.sms, 1).Text(), `^Ihr Code: \d{4}$`)
			h.send("number=%2B4915123456789&via=VOICE")
			matches(h.t, h.last(h.voice, 1).Text(), `^Der Code lautet \d, \d, \d, \d$`)
			h.send("number=%2B4915123456789&language=fr")
			matches(h.t, h.last(h.sms, 2).Text(), `^OTP code: \d{4}\. Valid for 300 seconds\.$`)
		}},
		{"V1-57 texts that are refused", func(h *harness) {
			h.post(applications+"/default/language?language=de&text=Code").refused(400, "1905")
			h.post(applications+"/default/language?language=deu&text={{OTP}}").refused(400, "1910")
			h.post(applications+"/default/language?language=de&text={{OTP}}&channel=FAX").refused(400, "1904")
		}},
		{"V1-58 texts that are deleted", func(h *harness) {
			h.german()
			h.delete(applications+"/default/language?language=de").is(200).
				has("template", map[string]any{"en": baseText, "de-voice": "Der Code lautet {{OTP}}"})
			h.delete(applications+"/default/language?language=de").refused(404, "1923")
			h.delete(applications+"/default/language?language=en").refused(400, "1910")
		}},
		{"V1-59 nothing crosses accounts", func(h *harness) {
			o, code := h.sendSMS("")
			id := h.application("")
			h.get(otps+"/"+o, key(otherKey)).refused(404, "1921")
			h.post(otps+"/"+o+"/check?otpCode="+code, key(otherKey)).refused(404, "1921")
			h.delete(otps+"/"+o, key(otherKey)).refused(404, "1921")
			h.get(applications+"/"+id, key(otherKey)).refused(404, "1920")
			h.get(otps+"?"+toMobile, key(otherKey)).is(204)
			h.post(otps+"?"+toMobile+"&applicationId="+id, key(otherKey)).refused(404, "1920")
			h.get(otps+"/"+o).otp("ACTIVE", 0, 200)
		}},
		{"V1-60 logs hold neither key nor code", func(h *harness) {
			id := h.post(otps+"?"+toMobile+"&apiKey=k1", noKey()).text("otpId")
			code := h.last(h.sms, 1).Code.Reveal()
			h.check(id, code).is(202)
			h.get(otps + "?" + toMobile + "&APIKEY=k1").is(200)
			log := h.access.String()
			if strings.Count(log, "\n") != 3 || !strings.Contains(log, "POST /2fa/v1/otp/{otpId}/check\n") {
				h.t.Fatalf("access log:\n%s", log)
			}
			noneIn(h.t, "access log", strings.ReplaceAll(log, id, ""), k1, code, "447400123456")
			noneIn(h.t, "log", h.log.String(), k1, code, "447400123456")
		}},
	} {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			e.run(start(t))
		})
	}
}

// application creates an application and returns its id.
func (h *harness) application(body string) string {
	h.t.Helper()
	return h.post(applications, jsonBody(body)).is(200).text("applicationId")
}

func (h *harness) german() {
	h.t.Helper()
	h.post(applications + "/default/language?language=de&text=Ihr%20Code:%20{{OTP}}").is(200)
	h.post(applications + "/default/language?language=de&channel=voice&text=Der%20Code%20lautet%20{{OTP}}").is(200)
}

func noneIn(t *testing.T, what, text string, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(text, s) {
			t.Errorf("%s holds %q:\n%s", what, s, text)
		}
	}
}

func TestSettingsAreRefusedInTheOrderOfTheContract(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.post(applications, jsonBody(`{"name":"taken"}`)).is(200)
	for body, code := range map[string]string{
		`{"name":" DEFAULT ","pinLength":3}`: "1017", `{"name":"` + strings.Repeat("ä", 101) + `"}`: "1909",
		`{"name":["x"]}`: "1909", `{"name":"taken"}`: "1909", `{"name":"taken","pinLength":11}`: "1909",
		`{"pinLength":11,"expire":1}`: "1006", `{"pinLength":4.5}`: "1006", `{"pinLength":"x"}`: "1006", `{"pinLength":{}}`: "1006",
		`{"pinLength":true}`: "1006", `{"pinLength":-4}`: "1006", `{"pinLength":1e1}`: "1006",
		`{"alphanumeric":"maybe","attempts":0}`: "1912", `{"alphaNumeric":[]}`: "1912",
		`{"attempts":0,"expire":1}`: "1907", `{"attempts":11}`: "1907",
		`{"expire":"1h","sender":"*"}`: "1008", `{"sender":"*","caller":"*"}`: "1908", `{"caller":"*"}`: "1908",
		`{"name":`: "1901", `[]`: "1901", `"x"`: "1901", `{"name":"x"} {}`: "1901",
	} {
		h.post(applications, jsonBody(body)).refused(400, code)
	}
	equal(t, "applications", len(h.get(applications).list()), 2)
	name := strings.Repeat("ä", 100)
	h.post(applications, jsonBody(`{"name":"`+name+`","pinLength":"6","alphanumeric":"Yes","attempts":"1","expire":30,"caller":null,
		"accountId":"x","applicationId":"y","created":1,"template":{"de":"x"},"unknown":[1]}`)).is(200).
		has("name", name, "pinLength", 6, "alphanumeric", true, "attempts", 1, "expire", 30, "caller", nil, "accountId", "acme",
			"template", map[string]any{"en": baseText})
	id := h.application(`{"name":"other"}`)
	h.post(applications+"/"+id+"?name=taken").refused(400, "1909")
	h.post(applications+"/"+id+"?name=taken&expire=1").refused(400, "1909")
	h.post(applications+"/"+id+"?name=other&expire=1").refused(400, "1008")
	h.post(applications+"/"+id+"?name=Default").refused(400, "1017")
	h.post(applications+"/"+id+"?name=other").is(200).has("name", "other")
	h.post(applications+"/"+id+"?deleteCaller=maybe").refused(400, "1912")
	h.post(applications+"/"+id+"?caller=*&deleteCaller=1").refused(400, "1908")
	h.post(applications+"/"+id+"?caller=441234567&deleteCaller=1").is(200).has("caller", nil)
	h.post(applications+"/"+id+"?deleteCaller=no&unknown=1").is(200).has("name", "other")
	h.post(applications+"/"+id).is(200).has("name", "other", "applicationId", id)
	h.delete(applications+"/"+id, jsonBody("{")).refused(400, "1901")
	for _, absent := range []string{"6f1d2c34-5b7a-4e90-8c21-0a9b8c7d6e5f", "abc", "0", "17", "%00"} {
		h.get(applications+"/"+absent).refused(404, "1920")
		h.post(applications+"/"+absent+"?pinLength=99").refused(404, "1920")
		h.delete(applications+"/"+absent).refused(404, "1920")
		h.post(applications+"/"+absent+"/language").refused(404, "1920")
		h.delete(applications+"/"+absent+"/language?language=de").refused(404, "1920")
	}
}

func TestTextsAreNamedByLanguageAndChannel(t *testing.T) {
	t.Parallel()
	h := start(t)
	path := applications + "/default/language"
	h.post(path).refused(400, "1901")
	h.post(path+"?language=de").refused(400, "1901")
	h.delete(path).refused(400, "1901")
	h.delete(path+"?language=e%00").refused(400, "1910")
	h.delete(path+"?language=%E2%84%AAo").refused(400, "1910") // the Kelvin sign is no k, a long s no s
	h.delete(path+"?language=de&channel=%C5%BFms").refused(400, "1904")
	h.post(path, jsonBody(`{"language":"EN","channel":"sms","text":"SMS {{OTP}} & <b> \u00e4"}`)).is(200).
		has("template", map[string]any{"en": baseText, "en-sms": "SMS {{OTP}} & <b> ä"})
	h.post(path, form("language=en&channel=&text=All+{{OTP}}")).is(200)
	h.send(toMobile + "&language=xx")
	matches(t, h.last(h.sms, 1).Text(), `^SMS \d{4} & <b> ä$`)
	h.send(toMobile + "&via=voice")
	matches(t, h.last(h.voice, 1).Text(), `^All \d, \d, \d, \d$`)
	h.delete(path+"?language=en&channel=voice").refused(404, "1923")
	h.delete(path, form("language=en&channel=SMS")).is(200).has("template", map[string]any{"en": "All {{OTP}}"})
	h.post(path+"?language=de&text={{OTP}}"+strings.Repeat("a", 1594)).refused(400, "1905")
}

func TestThereAre183Languages(t *testing.T) {
	t.Parallel()
	n := 0
	for a := 'a'; a <= 'z'; a++ {
		for b := 'a'; b <= 'z'; b++ {
			if tyntecv1.IsLanguage(string([]rune{a, b})) {
				n++
			}
		}
	}
	if n != 183 {
		t.Errorf("%d languages, want 183", n)
	}
	for _, none := range []string{"", "e", "EN", "eng", "n ", " e", "sh", "iw"} {
		if tyntecv1.IsLanguage(none) {
			t.Errorf("%q is a language", none)
		}
	}
}

func TestAnAliasNamesAnApplication(t *testing.T) {
	t.Parallel()
	h := start(t)
	id := h.application(`{"name":"numbered","sender":"NUMBERED"}`)
	h.post(otps+"?"+toMobile+"&applicationId=17").refused(404, "1920")
	h.must(h.store.UpdateApplication(t.Context(), "acme", id, func(a catalog.Application) (catalog.Application, error) {
		a.Alias = 17
		return a, nil
	}))
	h.post(otps+"?"+toMobile+"&applicationId=17").is(200).has("applicationId", id)
	equal(t, "sender", h.last(h.sms, 1).Step.Sender, "NUMBERED")
	h.post(otps+"?"+toMobile+"&applicationId=18").refused(404, "1920")
	h.post(otps+"?"+toMobile+"&applicationId=-17").refused(404, "1920")
	h.post(otps+"?"+toMobile+"&applicationId=17", key(otherKey)).refused(404, "1920")
	h.sent(1, 0)
}

func TestDisabledKeysAndAccounts(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.post(otps+"?"+toMobile, header("apiKey", "")).refused(401, "1940")
	h.post(otps+"?"+toMobile+"&apiKey=k1", header("apiKey", "")).refused(401, "1940")
	h.post(otps+"?"+toMobile, header("apiKey", k1, k1)).refused(401, "1940")
	h.post(otps+"?"+toMobile+"&apikey=k1", noKey()).is(200)
	h.post(otps+"?"+toMobile+"&apikey=wrong&apiKey=k1", noKey()).is(200) // the documented spelling
	h.post(otps+"?"+toMobile+"&apiKey=%zz", noKey()).refused(401, "1940")
	h.post(otps, noKey(), form(toMobile+"&apiKey=k1")).refused(401, "1940")
	h.must(h.store.RevokeKey(t.Context(), kt))
	h.post(otps+"?"+toMobile, key(kt)).refused(403, "1941")
	h.must(h.store.CreateKey(t.Context(), account.Key{
		ID: "old", Account: "acme", Hash: account.HashKey("old"), Created: h.wall.Now(), Expires: h.wall.Now().Add(time.Minute),
	}))
	h.post(otps+"?"+toMobile, key("old")).is(200)
	h.at(time.Minute)
	h.post(otps+"?"+toMobile, key("old")).refused(403, "1941")
	h.must(h.store.SetSuspended(t.Context(), "acme", true))
	h.post(otps+"?"+toMobile).refused(403, "1941")
	h.get("/2fa/v1/nothing").refused(403, "1941")
}

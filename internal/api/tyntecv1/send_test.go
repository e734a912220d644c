package tyntecv1_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/message"
)

func TestExamplesOfKeysNumbersAndSends(t *testing.T) {
	t.Parallel()
	for _, e := range []example{
		{"V1-01 a send makes one OTP and one text message", func(h *harness) {
			a := h.post(otps+"?"+toMobile).otp("ACTIVE", 0, 200)
			a.has("number", "+447400123456", "referenceId", nil, "accountId", "acme",
				"created", int(h.wall.Now().UnixMilli()), "expire", int(h.wall.Now().UnixMilli())+300_000,
				"timestampCreated", "2026-01-01T00:00:00.000Z", "timestampExpire", "2026-01-01T00:05:00.000Z")
			m := h.last(h.sms, 1)
			equal(h.t, "sender", m.Step.Sender, "VERIFY")
			matches(h.t, m.Text(), `^OTP code: [0-9]{4}\. Valid for 300 seconds\.$`)
			h.sent(1, 0)
		}},
		{"V1-02 the header's name has no case", func(h *harness) {
			h.post(otps+"?"+toMobile, noKey(), header("APIKEY", k1)).is(200)
		}},
		{"V1-03 the key may be in the query", func(h *harness) {
			h.post(otps+"?"+toMobile+"&apiKey=k1", noKey()).is(200)
		}},
		{"V1-04 a missing key is told apart", func(h *harness) {
			a := h.post(otps+"?"+toMobile, noKey()).refused(401, "1940")
			equal(h.t, "WWW-Authenticate", a.header.Get("WWW-Authenticate"), `ApiKey realm="2fa"`)
			h.sent(0, 0)
		}},
		{"V1-05 the header decides alone", func(h *harness) {
			h.post(otps+"?"+toMobile+"&apiKey=k1", key("wrong")).refused(401, "1940")
		}},
		{"V1-06 a raw plus is a plus", func(h *harness) {
			h.post(otps+"?number=+447400123456").is(200).has("number", "+447400123456")
		}},
		{"V1-07 00 is a plus", func(h *harness) {
			h.post(otps+"?number=00447400123456").is(200).has("number", "+447400123456")
		}},
		{"V1-08 the vendor's own sample number", func(h *harness) {
			h.post(otps+"?number=4412312313").is(200).has("number", "+4412312313")
			h.sent(1, 0)
		}},
		{"V1-09 a national number without country", func(h *harness) {
			h.post(otps+"?number=07400123456").refused(400, "1902")
		}},
		{"V1-10 a national number with country", func(h *harness) {
			h.post(otps+"?number=07400123456&country=gb").is(200).has("number", "+447400123456")
		}},
		{"V1-11 a number of another country", func(h *harness) {
			h.post(otps+"?"+toMobile+"&country=DE").refused(400, "1903")
		}},
		{"V1-12 a bare mobile number of another country", func(h *harness) {
			h.post(otps+"?number=447400123456&country=DE").refused(400, "1903")
			h.sent(0, 0)
		}},
		{"V1-13 national numbers as people write them", func(h *harness) {
			for query, want := range map[string]string{
				"number=2025550123&country=US": "+12025550123", "number=15123456789&country=DE": "+4915123456789",
				"number=07700900123&country=GB": "+447700900123",
			} {
				h.post(otps+"?"+query).is(200).has("number", want)
			}
			h.sent(3, 0)
		}},
		{"V1-14 a send without number", func(h *harness) { h.post(otps).refused(400, "1901") }},
		{"V1-15 a fixed line is called", func(h *harness) {
			h.send(toFixed)
			h.sent(0, 1)
		}},
		{"V1-16 a fixed line may be sent a text message", func(h *harness) {
			h.send(toFixed + "&via=sms")
			h.sent(1, 0)
		}},
		{"V1-17 a mobile may be called", func(h *harness) {
			h.send(toMobile + "&Via=VOICE")
			h.sent(0, 1)
		}},
		{"V1-18 there is no fax", func(h *harness) {
			h.post(otps+"?"+toMobile+"&via=FAX").refused(400, "1904")
			h.sent(0, 0)
		}},
		{"V1-19 the length of the code", func(h *harness) {
			_, code := h.sendSMS("&pinLength=10")
			matches(h.t, code, `^[0-9]{10}$`)
			for _, n := range []string{"11", "3", "x"} {
				h.post(otps+"?"+toMobile+"&pinLength="+n).refused(400, "1006")
			}
		}},
		{"V1-20 a code of the client's own", func(h *harness) {
			id, _ := h.sendSMS("&otpCode=SECRET-9&text=Code%20in%20your%20letter")
			equal(h.t, "text", h.last(h.sms, 1).Text(), "Code in your letter")
			h.check(id, "secret-9").otp("ACTIVE", 1, 401)
			h.check(id, "SECRET-9").otp("VERIFIED", 2, 202)
		}},
		{"V1-21 a text without place for the code", func(h *harness) {
			h.post(otps+"?"+toMobile+"&text=Hello").refused(400, "1905")
		}},
		{"V1-22 placeholders", func(h *harness) {
			_, code := h.sendSMS("&text=Use%20{{OTP}}%20({{OTP}}),%20{{SEC}}s")
			equal(h.t, "text", h.last(h.sms, 1).Text(), "Use "+code+" ("+code+"), 300s")
		}},
		{"V1-23 the client's reference", func(h *harness) {
			a := h.post(otps+"?"+toMobile+"&referenceId=order-17").is(200).has("referenceId", "order-17")
			h.get(otps+"/"+a.text("otpId")).is(200).has("referenceId", "order-17")
		}},
		{"V1-24 the default application by word and by id", func(h *harness) {
			a := h.get(applications + "/default").is(200).text("applicationId")
			h.post(otps+"?"+toMobile+"&applicationId=default").is(200).has("applicationId", a)
			h.post(otps+"?"+toMobile+"&applicationId="+a).is(200).has("applicationId", a)
		}},
		{"V1-25 an unknown application", func(h *harness) {
			h.post(otps+"?"+toMobile+"&applicationId=6f1d2c34-5b7a-4e90-8c21-0a9b8c7d6e5f").refused(404, "1920")
			h.sent(0, 0)
		}},
	} {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			e.run(start(t))
		})
	}
}

func matches(t *testing.T, got, pattern string) {
	t.Helper()
	if !regexp.MustCompile(pattern).MatchString(got) {
		t.Errorf("%q does not match %s", got, pattern)
	}
}

func TestParametersOfASendAreRefusedOneByOne(t *testing.T) {
	t.Parallel()
	h := start(t)
	for query, code := range map[string]string{
		"number=x": "1902", "number=%2B1": "1902", "number=%2B999123456789": "1902", "number=%00": "1902",
		toMobile + "&country=XX": "1903", toMobile + "&country=GBR": "1903",
		toMobile + "&via=1": "1904", toMobile + "&via=%C5%BFms": "1904", // a long s
		toMobile + "&text=" + strings.Repeat("a", 1600) + "{{OTP}}": "1905", toMobile + "&text={{otp}}": "1905",
		toMobile + "&text={{OTP}}%00": "1905", toMobile + "&text={{OTP}}%ff": "1905", toMobile + "&text={{OTP}}%zz": "1905",
		toMobile + "&referenceId=" + strings.Repeat("%C3%A4", 256): "1901", toMobile + "&referenceId=a%00": "1901",
		toMobile + "&otpCode=123": "1906", toMobile + "&otpCode=" + strings.Repeat("1", 21): "1906",
		toMobile + "&otpCode=12%2034": "1906", toMobile + "&otpCode=12%C3%A434": "1906",
		toMobile + "&otpCode=1234&pinLength=3": "1006", toMobile + "&pinLength=%2B5": "1006", toMobile + "&pinLength=4.0": "1006",
		toMobile + "&pinLength=99999999999999999999": "1006",
		toMobile + "&sender=TWELVE-CHARS":            "1908", toMobile + "&sender=ab*": "1908",
		toMobile + "&sender=%20": "1908", toMobile + "&sender=1234567890123456": "1908",
		toMobile + "&caller=%2B44-20": "1908", toMobile + "&caller=12345678901234567": "1908",
	} {
		h.post(otps+"?"+query).refused(400, code)
	}
	h.sent(0, 0)
	h.post(otps + "?" + toMobile + "&sender=12").is(200) // a word of two characters
	h.post(otps + "?" + toMobile + "&referenceId=" + strings.Repeat("%C3%A4", 255)).is(200)
	h.post(otps + "?" + toMobile + "&text={{OTP}}" + strings.Repeat("%C3%A4", 1593)).is(200)
}

func TestANumberGetsTheLanguageOfItsCountry(t *testing.T) {
	t.Parallel()
	h := start(t)
	for _, l := range []string{"de", "pt", "es", "nl"} {
		h.post(applications + "/default/language?language=" + l + "&text=" + l + "%20{{OTP}}").is(200)
	}
	for query, want := range map[string]string{
		"number=%2B4915123456789": "de", "number=%2B43664123456": "de", "number=%2B41791234567": "de",
		"number=%2B32470123456": "nl", "number=%2B5511961234567": "pt", "number=%2B525512345678": "es",
		"number=%2B33612345678": "OTP code:", "number=%2B12025550123": "OTP code:",
		"number=%2B447400123456&language=DE": "de", "number=%2B4915123456789&language=deu": "OTP code:",
		"number=%2B4915123456789&language=de-voice": "OTP code:", "number=%2B4915123456789&language=%00": "OTP code:",
	} {
		before := len(h.sms.messages())
		h.send(query)
		if text := h.last(h.sms, before+1).Text(); !strings.HasPrefix(text, want) {
			t.Errorf("%s: text %q, want it to begin with %q", query, text, want)
		}
	}
}

func TestWhatIsSentIsFixedAtSend(t *testing.T) {
	t.Parallel()
	h := start(t)
	id, code := h.sendSMS("&sender=SHOP&caller=442079460999")
	h.post(applications + "/default?attempts=1&expire=30&sender=OTHER&caller=442079460111").is(200)
	h.post(applications + "/default/language?language=en&text=New%20{{OTP}}").is(200)
	h.post(applications + "/default/language?language=en&channel=VOICE&text=New%20{{OTP}}").is(200)
	h.at(time.Minute)
	h.post(otps + "/" + id + "?via=SMS").is(200)
	h.post(otps + "/" + id + "?via=VOICE").is(200)
	m := h.last(h.sms, 2)
	equal(t, "text", m.Text(), "OTP code: "+code+". Valid for 300 seconds.")
	equal(t, "sender", m.Step.Sender, "SHOP")
	v := h.last(h.voice, 1)
	equal(t, "call", v.Text(), "OTP code: "+strings.Join(strings.Split(code, ""), ", ")+". Valid for 300 seconds.")
	equal(t, "caller", v.Step.Sender, "442079460999")
	h.check(id, wrong(code)).otp("ACTIVE", 1, 401)
	h.check(id, code).otp("VERIFIED", 2, 202)
}

func TestTheServersCallerCallsWhereNeitherRequestNorApplicationNamesOne(t *testing.T) {
	t.Parallel()
	h := startWith(t, options{caller: "442079460000"})
	id := h.send(toFixed)
	h.post(otps + "/" + id + "?via=VOICE").is(200)
	h.send(toFixed + "&caller=442079460111")
	h.send(toFixed + "&caller=VERIFY") // is somebody, but nobody that calls can show
	h.post(applications + "/default?caller=442079460222").is(200)
	h.send(toFixed)
	var callers []string
	for _, m := range h.voice.messages() {
		callers = append(callers, m.Step.Sender)
	}
	equal(t, "callers", callers, []string{"442079460000", "442079460000", "442079460111", "", "442079460222"})
	h.get(applications+"/default").is(200).has("caller", "442079460222")
}

func TestACallerThatIsNoNumberIsNotShown(t *testing.T) {
	t.Parallel()
	h := startWith(t, options{})
	h.post(applications+"/default?caller=VERIFY").is(200).has("caller", "VERIFY")
	id := h.send(toFixed)
	equal(t, "caller", h.last(h.voice, 1).Step.Sender, "")
	h.post(otps + "/" + id + "?caller=442079460111").is(200)
	equal(t, "caller of the resend", h.last(h.voice, 2).Step.Sender, "442079460111")
	h.post(otps + "/" + id).is(200)
	equal(t, "caller of the next resend", h.last(h.voice, 3).Step.Sender, "")
	id = h.send(toFixed + "&caller=442079460999")
	h.post(otps + "/" + id + "?caller=VERIFY").is(200)
	equal(t, "caller of a resend whose own is no number", h.last(h.voice, 5).Step.Sender, "")
	h.post(otps + "/" + id).is(200)
	equal(t, "caller of the resend after it", h.last(h.voice, 6).Step.Sender, "442079460999")
}

func TestACallSpeaksTheLanguageOfItsText(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.post(applications + "/default/language?language=fr&text=Code%20{{OTP}}").is(200)
	for query, want := range map[string]string{
		"number=%2B33142685300": "fr", "number=%2B390612345678": "en", "number=%2B390612345678&text=Codice%20{{OTP}}": "it",
	} {
		before := len(h.voice.messages())
		h.send(query)
		m := h.last(h.voice, before+1)
		equal(t, query, m.Step.Language, want)
		equal(t, query, m.Step.Channel, message.Voice)
	}
}

func TestAPhoneNumberThatIsAJSONNumberReachesNobodyElse(t *testing.T) {
	t.Parallel()
	h := start(t)
	for _, number := range []string{"4915123456789", "4915123456789.0", "4.915123456789e12"} {
		h.post(otps, jsonBody(`{"number":`+number+`}`)).is(200).has("number", "+4915123456789")
	}
	h.post(otps, jsonBody(`{"number":4915123456789.5}`)).refused(400, "1902")
	h.post(otps, jsonBody(`{"number":4915123456789,"pinLength":6.0}`)).refused(400, "1006")
	h.sent(3, 0)
	id, _ := h.sendSMS("&otpCode=1234")
	h.post(otps+"/"+id+"/check", jsonBody(`{"otpCode":1234.0}`)).otp("VERIFIED", 1, 202)
}

func TestALimitOnSendsIsAnswered429AndSendsNothing(t *testing.T) {
	t.Parallel()
	h := start(t)
	for range 10 {
		h.send(toMobile)
	}
	a := h.post(otps+"?"+toMobile).refused(429, "1950")
	equal(t, "Retry-After", a.header.Get("Retry-After"), "3600")
	h.sent(10, 0)
	h.send("number=%2B447400123457") // another recipient
	h.at(time.Hour)
	h.send(toMobile)
}

func TestALimitOnCallsLeavesSMS(t *testing.T) {
	t.Parallel()
	h := start(t)
	id := h.send(toMobile + "&via=VOICE")
	for range 2 {
		h.post(otps + "/" + id + "?via=VOICE").is(200)
	}
	a := h.post(otps+"/"+id+"?via=VOICE").refused(429, "1950")
	equal(t, "Retry-After of a resend", a.header.Get("Retry-After"), "3600")
	h.post(otps+"?"+toMobile+"&via=VOICE").refused(429, "1950")
	h.send(toMobile)
	h.sent(1, 3)
}

func TestARepeatedSendAnswersAsTheFirstWithoutItsApplication(t *testing.T) {
	t.Parallel()
	h := start(t)
	app := h.application(`{"name":"short-lived"}`)
	lived := h.post(otps+"?"+toMobile+"&applicationId="+app, header("Idempotency-Key", "send-2")).is(200)
	h.delete(applications + "/" + app).is(200)
	again := h.post(otps+"?"+toMobile+"&applicationId="+app, header("Idempotency-Key", "send-2")).is(200)
	equal(t, "repeated answer without the application", string(again.body), string(lived.body))
	h.post(otps+"?"+toMobile+"&applicationId="+app).refused(404, "1920")
	h.sent(1, 0)
}

func TestARepeatedCheckOrResendAnswersAsTheFirstWithoutItsApplication(t *testing.T) {
	t.Parallel()
	h := start(t)
	app := h.application(`{"name":"short-lived"}`)
	id := h.post(otps + "?" + toMobile + "&applicationId=" + app).is(200).text("otpId")
	code := h.last(h.sms, 1).Code.Reveal()
	first := map[string]*answer{}
	repeated := []struct {
		key, target string
		status      int
	}{
		{"resend", otps + "/" + id + "?via=sms", 200},
		{"wrong check", otps + "/" + id + "/check?otpCode=" + wrong(code), 401},
		{"right check", otps + "/" + id + "/check?otpCode=" + code, 202},
		{"late check", otps + "/" + id + "/check?otpCode=" + code, 410},
	}
	once := func(key string) with { return header("Idempotency-Key", strings.ReplaceAll(key, " ", "-")) }
	for _, r := range repeated {
		first[r.key] = h.post(r.target, once(r.key)).is(r.status)
	}
	h.delete(applications + "/" + app).is(200)
	for _, r := range repeated {
		again := h.post(r.target, once(r.key)).is(r.status)
		equal(t, r.key, string(again.body), string(first[r.key].body))
		h.post(r.target).refused(404, "1922")
		h.post(r.target, once("new "+r.key)).refused(404, "1922")
	}
	h.post(otps+"/"+id+"?via=voice", once("resend")).refused(422, "1901")
	h.post(otps+"/"+id+"/check?otpCode="+code, once("wrong check")).refused(422, "1901")
	h.get(otps+"/"+id).otp("VERIFIED", 2, 200)
	h.sent(2, 0)
}

func TestAnIdempotencyKeyRepeatsTheAnswer(t *testing.T) {
	t.Parallel()
	h := start(t)
	once := header("Idempotency-Key", "send-1")
	first := h.post(otps+"?"+toMobile+"&via=sms", once).is(200)
	again := h.post(otps, once, form("NUMBER=%2B447400123456&via=sms")).is(200) // however it is sent
	equal(t, "repeated answer", string(again.body), string(first.body))
	h.sent(1, 0)
	h.post(otps+"?"+toMobile, once).refused(422, "1901")
	h.post(otps+"?"+toMobile, header("Idempotency-Key", "a b")).refused(400, "1901")
	h.post(otps+"?"+toMobile, header("Idempotency-Key", "")).refused(400, "1901")
	h.sent(1, 0)

	id, code := first.text("otpId"), h.last(h.sms, 1).Code.Reveal()
	checkOnce := header("Idempotency-Key", "check-1")
	check := otps + "/" + id + "/check?otpCode="
	h.post(check+wrong(code), checkOnce).otp("ACTIVE", 1, 401)
	h.post(check+wrong(code), checkOnce).otp("ACTIVE", 1, 401)
	h.get(otps+"/"+id).otp("ACTIVE", 1, 200)
	h.post(check+code, checkOnce).refused(422, "1901")

	resendOnce := header("Idempotency-Key", "resend-1")
	h.post(otps+"/"+id, resendOnce).otp("ACTIVE", 1, 200)
	h.post(otps+"/"+id, resendOnce).otp("ACTIVE", 1, 200)
	h.sent(2, 0)

	deleteOnce := header("Idempotency-Key", "delete-1")
	h.delete(otps+"/"+id, deleteOnce).otp("ACTIVE", 1, 200)
	h.delete(otps+"/"+id, deleteOnce).otp("ACTIVE", 1, 200)
	h.delete(otps+"/"+id).refused(404, "1921")
	h.post(check+wrong(code), checkOnce).otp("ACTIVE", 1, 401) // what was answered then
	h.post(check+wrong(code)).refused(404, "1921")
}

func TestPathsAndMethods(t *testing.T) {
	t.Parallel()
	h := start(t)
	for method, target := range map[string]string{
		http.MethodGet: "/2fa/v1/", http.MethodPost: "/2fa/v1/otp/x/y/z", http.MethodDelete: "/2fa/v1//otp",
		http.MethodPut: "/2fa/v1/otps",
	} {
		h.call(method, target).refused(404, "1901")
	}
	a := h.call(http.MethodPut, otps).refused(405, "1901")
	equal(t, "Allow", a.header.Get("Allow"), "POST, GET")
	a = h.call(http.MethodPatch, applications+"/default/").refused(405, "1901")
	equal(t, "Allow", a.header.Get("Allow"), "GET, POST, DELETE")
	h.call(http.MethodGet, otps+"/x/check").refused(405, "1901")
	h.post(otps+"?"+toMobile, jsonBody(`{"text":"`+strings.Repeat("a", 64<<10)+`"}`)).refused(413, "1901")
	big := content("", strings.Repeat("a", 64<<10+1))
	h.delete(otps+"/x", big).refused(413, "1901")
	h.call(http.MethodGet, otps+"?"+toMobile, big).refused(413, "1901")
	h.call(http.MethodGet, otps+"?"+toMobile, big, noKey()).refused(401, "1940")
	h.call(http.MethodGet, otps+"?"+toMobile, jsonBody(strings.Repeat("a", 64<<10))).is(204) // nobody reads it
	for _, slash := range []string{"", "/"} {
		id := h.post(otps + slash + "?" + toMobile).is(200).text("otpId")
		h.get(otps + "/" + id + slash).is(200)
		h.get(otps + "/" + strings.ToUpper(id) + slash).is(200)
		h.get(otps + slash + "?" + toMobile).is(200)
		h.get(otps + "/" + id + "/events" + slash).is(200)
		h.post(otps + "/" + id + slash).is(200)
		h.post(otps + "/" + id + "/check" + slash + "?otpCode=x").is(401)
		h.delete(otps + "/" + id + slash).is(200)
		h.post(applications + "/default/language" + slash + "?language=fr&text={{OTP}}").is(200)
		h.delete(applications + "/default/language" + slash + "?language=fr").is(200)
	}
}

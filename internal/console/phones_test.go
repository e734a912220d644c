package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/message"
)

func TestAPhoneShowsItsThreadsByChannelTheNewestFirst(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	for _, m := range []struct {
		channel message.Channel
		text    string
	}{
		{message.SMS, "First #"},
		{message.WhatsApp, "*#* is your verification code."},
		{message.Voice, "Hello. Your code is #."},
		{message.Viber, "Viber #"},
		{message.Email, "Subject: your code\n<script>#"},
		{message.SMS, "Last #"},
	} {
		s.wall.Add(time.Second)
		s.arrive("acme", someNumber, m.channel, m.text)
	}
	s.arrive("acme", "+33612345678", message.SMS, "Elsewhere #")
	b := s.entered(access.Owner)
	for _, path := range []string{"/phones", "/phones/wall", "/phones/" + s.keyOf(someNumber), "/phones/" + s.keyOf(someNumber) + "/screen"} {
		body := b.get(http.StatusOK, path).has(
			t, `data-channel="SMS"`, `data-channel="WHATSAPP"`, `data-channel="VOICE"`, `data-channel="VIBER"`, `data-channel="EMAIL"`,
			`data-copy="483920" hidden>Copy code`, `data-speak="Hello. Your code is 4, 8, 3, 9, 2, 0." hidden>Listen`,
			"Subject: your code\n&lt;script&gt;483920", "From ACME",
		).body
		order := []string{">First 483920", ">Last 483920", "Subject: your code", "Viber 483920", "Your code is 4, 8", "*483920* is your"}
		at := -1
		for _, text := range order {
			next := strings.Index(body, text)
			if next < at {
				t.Errorf("%s: %q comes too early: the thread with the newest message is first, its messages oldest first", path, text)
			}
			at = next
		}
		if n := strings.Count(body, "Copy code"); n != 1 {
			t.Errorf("%s: %d copy buttons, want WhatsApp's", path, n)
		}
	}
	if n := strings.Count(b.get(http.StatusOK, "/phones").body, `data-testid="phone"`); n != 2 {
		t.Errorf("%d phones, want 2", n)
	}
}

func TestNoURLOfThePhonesHoldsANumber(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	s.arrive("acme", someNumber, message.SMS, "Your code is #")
	body := s.entered(access.Owner).get(http.StatusOK, "/phones").body
	for _, part := range strings.Split(body, `="/console`)[1:] {
		if at, _, _ := strings.Cut(part, `"`); strings.Contains(at, "12345678") {
			t.Errorf("the URL /console%s holds the number", at)
		}
	}
}

func TestAnOrderIsKeptShownAndAudited(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	s.arrive("acme", someNumber, message.SMS, "Your code is #")
	b := s.entered(access.Owner)
	at := "/phones/" + s.keyOf(someNumber)
	for _, c := range []struct {
		does  string
		order sandbox.Order
		says  string
	}{
		{"late", sandbox.ArriveLate, "ten seconds late"},
		{"fail", sandbox.ReportFailed, "then reported undeliverable"},
		{"silent", sandbox.ReportNothing, "nothing is reported"},
		{"refuse", sandbox.RefuseSubmit, "refused at once"},
		{"normal", sandbox.NoOrder, "delivered at once"},
	} {
		if a := b.post(http.StatusSeeOther, at, at+"/order", "does", c.does); a.location() != "/console"+at {
			t.Errorf("%s leads to %s", c.does, a.location())
		}
		b.get(http.StatusOK, at).has(t, c.says, `value="`+c.does+`" aria-pressed="true"`)
		orders, err := s.orders.Of(t.Context(), "acme")
		if err != nil || len(orders) > 1 {
			t.Fatalf("orders = %v, %v", orders, err)
		}
		for key, does := range orders {
			if does != c.order {
				t.Errorf("%s is the order %d for %x, want %d", c.does, does, key, c.order)
			}
		}
		if !strings.Contains(s.audited(), `"sandbox.order","actor":"console local","account":"acme","subject":"`+c.does+" ") {
			t.Errorf("%s is not audited", c.does)
		}
	}
	b.post(http.StatusUnprocessableEntity, at, at+"/order", "does", "explode").has(t, "Virtual phones")
	b.post(http.StatusNotFound, at, "/phones/xyz/order", "does", "late")
}

func TestABadTestCodeComesBackWithTheReason(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.entered(access.Owner)
	b.post(http.StatusUnprocessableEntity, "/phones", "/phones", "to", "nobody", "via", "pigeon").
		has(t, `value="nobody"`, "This is no phone number.", "Choose one of the channels.")
	s.api.answer = func(string, string, string) (int, string) {
		return http.StatusBadRequest, `{"title":"Constraint Violation","status":400,"violations":[{"field":"senderWA","message":"must not be blank"}]}`
	}
	b.post(http.StatusUnprocessableEntity, "/phones", "/phones", "to", someNumber, "via", "sms").
		has(t, "The API refused: senderWA must not be blank", `value="&#43;4915112345678"`, "What was asked of the API")
	s.api.answer = func(string, string, string) (int, string) {
		return http.StatusTooManyRequests, `{"title":"Too Many Requests","status":429,"detail":"Too many requests for this recipient"}`
	}
	b.post(http.StatusUnprocessableEntity, "/phones", "/phones", "to", someNumber, "via", "sms").has(t, "Too many requests for this recipient")
}

func TestTheRoundOfAnOTPIsShownToItsOwnPhoneOnly(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	var asked []string
	verdict := "WRONG_CODE"
	s.api.answer = func(method, path, body string) (int, string) {
		asked = append(asked, method+" "+path+" "+body)
		if method == http.MethodPost {
			return http.StatusOK, `{"otpStatus":"` + verdict + `"}`
		}
		return http.StatusOK, `{"otpId":"o1","to":"` + someNumber + `","otpStatus":"ACTIVE","allowedAttempts":3,"attemptCount":1}`
	}
	b := s.entered(access.Owner)
	at := "/phones/" + s.keyOf(someNumber)
	b.get(http.StatusOK, at+"?otp=o1&via=whatsapp").has(
		t, "ACTIVE", "1 of 3 attempts", "Type the code", "Nothing has come yet", "$API_KEY",
		"/2fa/v4/otp&#39; -H &#34;apiKey: $API_KEY&#34;", "&#34;senderWA&#34;:&#34;4930123456&#34;", "/2fa/v4/otp/o1/validate",
	)
	b.get(http.StatusNotFound, "/phones/"+s.keyOf("+33612345678")+"?otp=o1&via=sms")
	if a := b.get(http.StatusSeeOther, at+"/check"); a.location() != "/console"+at {
		t.Errorf("the form's address leads to %s", a.location())
	}
	b.post(http.StatusUnprocessableEntity, at+"?otp=o1&via=sms", at+"/check", "otp", "o1", "via", "sms", "code", " ").
		has(t, "Type the code that the message holds.")
	b.post(http.StatusUnprocessableEntity, at+"?otp=o1&via=sms", at+"/check", "otp", "o1", "via", "sms", "code", "111111").
		has(t, "This code is wrong.", `id="p-code"`).lacks(t, "111111")
	for _, c := range []struct{ verdict, says string }{
		{"VERIFIED", "The code is right."}, {"ALREADY_REPORTED", "a code works once"}, {"EXPIRED", "The OTP has ended: EXPIRED."},
	} {
		verdict = c.verdict
		if a := b.post(http.StatusSeeOther, at+"?otp=o1&via=sms", at+"/check", "otp", "o1", "via", "sms", "code", "483920"); a.location() != "/console"+at+"?otp=o1&via=sms" {
			t.Errorf("%s leads to %s", c.verdict, a.location())
		}
		b.get(http.StatusOK, at+"?otp=o1&via=sms").has(t, c.says)
	}
	if last := asked[len(asked)-2]; last != `POST /2fa/v4/otp/o1/validate {"otpCode":"483920"}` {
		t.Errorf("asked %s", last)
	}
	s.entered(access.Support).get(http.StatusOK, at+"?otp=o1&via=sms").lacks(t, "15112345678", "Type the code", "$API_KEY")
}

func TestNoTestCodeLeavesTheMachine(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.entered(access.Owner)
	token := b.token("/probe")
	s.sandboxed.Store(false)
	if a := b.do(http.MethodPost, "/phones", map[string][]string{"csrf": {token}, "to": {someNumber}, "via": {"sms"}}); a.status != http.StatusNotFound {
		t.Errorf("a test code where real carriers serve = %d, want 404", a.status)
	}
}

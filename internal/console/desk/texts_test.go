package desk_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/console/desk"
	"github.com/countersign/countersign/internal/message"
)

func TestATemplateIsMadeChangedAndDeleted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	owner.get(http.StatusOK, "/templates").has("There is none yet.")
	owner.get(http.StatusOK, "/templates/new?channel=VIBER").has(`value="VIBER" selected`)
	var at string
	if got := s.audited(func() {
		at = owner.post(http.StatusSeeOther, "/templates", "channel", "SMS", "name", "login", "language", "de",
			"message", "Code {{otp_code}}\r\n{{expiration_time}} Min.", "codeExpirationTime", "7").location
	}); !strings.HasPrefix(got, "template.create SMS ") {
		t.Errorf("audited: %q", got)
	}
	all, err := s.catalog.Templates(t.Context(), acme)
	s.must(err)
	want := catalog.Template{ID: all[0].ID, Channel: message.SMS, Name: "login", Language: "de", Message: "Code {{otp_code}}\n{{expiration_time}} Min.", Minutes: 7}
	if len(all) != 1 || all[0] != want {
		t.Fatalf("templates are %+v, want %+v", all, want)
	}
	owner.get(http.StatusOK, at).has("The template was made.", "Code 12345678901\n7 Min.", `value="login"`)
	owner.get(http.StatusOK, "/templates").has("login", "German", "1 × GSM-7")
	if got := s.audited(func() {
		owner.change(http.StatusSeeOther, at, "name", "signin", "message", "Neu {{otp_code}}", "codeExpirationTime", "8", "language", "fr", "channel", "VOICE")
	}); got != "template.change "+want.ID {
		t.Errorf("audited: %q", got)
	}
	want.Name, want.Message, want.Minutes = "signin", "Neu {{otp_code}}", 8 // language and channel are fixed
	if got, err := s.catalog.Template(t.Context(), acme, want.ID); err != nil || got != want {
		t.Errorf("changed, it is %+v, %v; want %+v", got, err, want)
	}
	if got := s.audited(func() {
		if a := owner.post(http.StatusSeeOther, at+"/delete"); a.location != "/templates" {
			t.Errorf("deleting leads to %s", a.location)
		}
	}); got != "template.delete SMS "+want.ID {
		t.Errorf("audited: %q", got)
	}
	owner.get(http.StatusNotFound, at)
}

func TestATemplateFormComesBackWithWhatWasTypedAndWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	s.template(message.SMS, "taken", "en", "{{otp_code}}")
	for _, c := range []struct {
		name             string
		change           map[string]string
		field, problem   string
		audited, nothing bool
	}{
		{"no name", map[string]string{"name": " "}, "name", "The name must not be blank.", false, true},
		{"a name that is too long", map[string]string{"name": strings.Repeat("n", 257)}, "name", "The name must have 1 to 256 characters.", false, true},
		{"a name that is taken", map[string]string{"name": "taken"}, "name", "The template name is taken on this channel.", true, true},
		{"no code in the text", map[string]string{"message": "Hello"}, "message", "The text must contain {{otp_code}}, where the code goes.", false, true},
		{"a text that is too long", map[string]string{"message": "{{otp_code}}" + strings.Repeat("n", 512)}, "message", "The text must have 0 to 512 characters.", false, true},
		{"words for minutes", map[string]string{"codeExpirationTime": "three"}, "codeExpirationTime", "The number of minutes must be a whole number.", false, true},
		{"too many minutes", map[string]string{"codeExpirationTime": "121"}, "codeExpirationTime", "The number of minutes must be less than or equal to 120.", false, true},
		{"an unknown channel", map[string]string{"channel": "PIGEON"}, "channel", "Choose one of the channels.", false, true},
		{"an unknown language", map[string]string{"language": "xx"}, "language", "The language must be one of ", false, true},
	} {
		pairs := []string{}
		for name, value := range map[string]string{
			"channel": "SMS", "name": "mine", "language": "en", "message": "My own words {{otp_code}}", "codeExpirationTime": "3",
		} {
			if other, ok := c.change[name]; ok {
				value = other
			}
			pairs = append(pairs, name, value)
		}
		var a answer
		audited := s.audited(func() { a = owner.post(http.StatusUnprocessableEntity, "/templates", pairs...) })
		if got := a.problem(c.field); !strings.HasPrefix(got, c.problem) {
			t.Errorf("%s: %s is refused with %q, want %q", c.name, c.field, got, c.problem)
		}
		a.has(`aria-invalid="true"`, `data-testid="problems"`)
		if _, other := c.change["message"]; !other {
			a.has("My own words {{otp_code}}")
		}
		if (audited != "") != c.audited {
			t.Errorf("%s: audited %q", c.name, audited)
		}
		if c.audited && !strings.Contains(audited, "\nnot_done template.create") {
			t.Errorf("%s: audited %q, want it to say that it was not done", c.name, audited)
		}
		if all, err := s.catalog.Templates(t.Context(), acme); err != nil || len(all) != 1 {
			t.Errorf("%s: there are %d templates, %v; want the one of before", c.name, len(all), err)
		}
	}
}

func TestThePreviewSaysWhatATextCosts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	preview := func(message string, more ...string) answer {
		return owner.post(http.StatusOK, "/templates/preview", append([]string{
			"channel", "SMS", "name", "login", "language", "en", "codeExpirationTime", "3", "message", message,
		}, more...)...)
	}
	for _, c := range []struct{ text, encoding, segments string }{
		{"Code {{otp_code}}", "GSM-7", "1"},
		{strings.Repeat("a", 149) + "{{otp_code}}", "GSM-7", "1"},
		{strings.Repeat("a", 150) + "{{otp_code}}", "GSM-7", "2"}, // the code has 11 characters
		{strings.Repeat("€", 75) + "{{otp_code}}", "GSM-7", "2"},  // extension characters take two
		{"Code {{otp_code}} 🙂", "UCS-2", "1"},
		{strings.Repeat("ж", 60) + "{{otp_code}}", "UCS-2", "2"},
		{"{{expiration_time}} {{otp_code}}", "GSM-7", "1"},
	} {
		a := preview(c.text)
		if got := a.testid("encoding"); got != c.encoding {
			t.Errorf("%q: encoding %s, want %s", c.text, got, c.encoding)
		}
		if got := a.testid("segments"); got != c.segments {
			t.Errorf("%q: segments %s, want %s", c.text, got, c.segments)
		}
		a.has("<h1>New template</h1>") // without JavaScript it is the whole page, the form in it
	}
	if got := len(s.entries()); got != 0 {
		t.Errorf("previews are in the audit list: %d entries", got)
	}
	preview("nothing of it").has("not in the text")
	preview("{{otp_code}}").has(`data-testid="look-SMS"`, `data-testid="look-VIBER"`, `data-testid="look-VOICE"`, "1, 2, 3, 4")
	if a := preview("Hello {{otp_code}}", "channel", "VOICE"); strings.Contains(a.body, `data-testid="segments">`) && !strings.Contains(a.body, "look-VOICE") {
		t.Error("a call has segments")
	}
}

func TestThePreviewFollowsTypingInAFragment(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, role := range []access.Role{access.Owner, access.Support} {
		b := s.as(role)
		form := url.Values{"csrf": {b.csrf}, "channel": {"SMS"}, "language": {"en"}, "message": {"Äußerst “neu” {{otp_code}}"}}
		a := b.do(http.MethodPost, "/templates/preview", form, "HX-Request", "true")
		if a.status != http.StatusOK {
			t.Fatalf("the fragment is %d", a.status)
		}
		a.has(`<mark>“</mark>`, "U&#43;201C", "UCS-2").lacks("<html", "<form", "csrf")
		if button := strings.Contains(a.body, "Put the substitutes in"); button != (role == access.Owner) {
			t.Errorf("%s has the button to change the text: %v", role, button)
		}
	}
}

func TestTheLongestCodeIsThatOfTheProfilesThatUseTheTemplate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	id := s.template(message.SMS, "login", "en", strings.Repeat("a", 152)+"{{otp_code}}")
	at := "/templates/text/" + id
	owner.get(http.StatusOK, at).has("11 characters").lacks("as profile")
	for name, length := range map[string]int{"short": 4, "long": 8} {
		s.must(s.store.CreateProfile(t.Context(), acme, catalog.Profile{
			ID: name, Name: name, Attempts: 3, CodeLength: length, Links: []catalog.Link{{Channel: message.SMS, Template: "login", Language: "en"}},
		}))
	}
	s.must(s.store.CreateProfile(t.Context(), acme, catalog.Profile{ID: "x", Name: "elsewhere", Attempts: 3, CodeLength: 10}))
	a := owner.get(http.StatusOK, at).has("8 characters, as profile <bdi>long</bdi> asks for", "with the longest code there can be, 11 characters, 2", ">short</a>", ">long</a>").lacks("elsewhere")
	if got := a.testid("segments"); !strings.HasPrefix(got, "1") {
		t.Errorf("segments are %s, want 1", got)
	}
}

func TestSubstitutesMakeATextFit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		char, instead string
		known         bool
	}{
		{"’", "'", true},
		{"“", `"`, true},
		{"–", "-", true},
		{"…", "...", true},
		{"\u00a0", " ", true},
		{"\u200b", "", true},
		{"™", "TM", true},
		{"á", "a", true},
		{"ç", "c", true},
		{"Ő", "O", true},
		{"ł", "l", true},
		{"œ", "oe", true},
		{"ß", "", false},
		{"δ", "Δ", true},
		{"α", "A", true},
		{"Ά", "A", true},
		{"🙂", "", true},
		{"ж", "", false},
		{"中", "", false},
		{"₹", "", false},
		{"`", "'", true},
		{"\ufe0f", "", true},
	} {
		r := []rune(c.char)[0]
		if c.char == "ß" {
			continue // GSM 03.38 has it
		}
		instead, known := desk.Substitute(r)
		if instead != c.instead || known != c.known {
			t.Errorf("for %q: %q, %v; want %q, %v", c.char, instead, known, c.instead, c.known)
		}
		if known && message.Segments(instead).Encoding != message.GSM7 {
			t.Errorf("%q stands for %q, and does not fit either", instead, c.char)
		}
	}
	if got, want := desk.Substituted("Ça va – “oui” ж ß €"), `Ça va - "oui" ж ß €`; got != want {
		t.Errorf("substituted is %q, want %q", got, want)
	}
	s := newSite(t)
	owner := s.as(access.Owner)
	a := owner.post(http.StatusOK, "/templates/preview", "act", "substitute", "channel", "SMS", "name", "n", "language", "en", "message", "“{{otp_code}}” – now")
	if got := a.testid("encoding"); got != "GSM-7" {
		t.Errorf("with substitutes the encoding is %s", got)
	}
	a.has("&#34;{{otp_code}}&#34; - now")
}

func TestEveryLanguageHasAName(t *testing.T) {
	t.Parallel()
	for _, code := range message.Languages() {
		if desk.LanguageName(code) == code {
			t.Errorf("%s has none", code)
		}
	}
}

func TestSupportReadsTemplatesAndSeesNoForm(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.template(message.Voice, "call", "en_GB", "Hello <b> {{otp_code}}")
	support := s.as(access.Support)
	support.get(http.StatusOK, "/templates").has("call", "English (UK)").lacks("New SMS template")
	support.get(http.StatusOK, "/templates/text/"+id).has("Hello &lt;b&gt; 1, 2, 3", "Listen").lacks("Save", "Delete", "text-form")
	s.must(s.store.CreateTemplate(t.Context(), other, catalog.Template{ID: "theirs", Channel: message.SMS, Name: "theirs", Language: "en"}))
	support.get(http.StatusOK, "/templates").lacks("theirs")
	support.get(http.StatusNotFound, "/templates/text/theirs")
}

func TestAPageOfTemplatesReadsTheProfilesOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	for _, name := range []string{"one", "two", "three"} {
		s.template(message.SMS, name, "en", "{{otp_code}}")
	}
	before := s.stored.profiles.Load()
	owner.get(http.StatusOK, "/templates").has("one", "two", "three")
	if n := s.stored.profiles.Load() - before; n != 1 {
		t.Errorf("all profiles were read %d times for a page of three templates, want once", n)
	}
}

package desk_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/message"
)

var (
	formWith  = regexp.MustCompile(`(?s)<form method="post"[^>]*>.*?</form>`)
	control   = regexp.MustCompile(`(?s)<input ([^>]*)>|<textarea [^>]*name="([^"]*)"[^>]*>(.*?)</textarea>|<select [^>]*name="([^"]*)"[^>]*>(.*?)</select>`)
	attribute = regexp.MustCompile(`([a-z]+)="([^"]*)"`)
	selected  = regexp.MustCompile(`value="([^"]*)" selected`)
)

// filledForm is what a browser sends of a page's form that goes to path, if
// nobody changes anything in it.
func (a answer) filledForm(path string) url.Values {
	a.t.Helper()
	for _, form := range formWith.FindAllString(a.body, -1) {
		if !strings.Contains(form, ` action="/console`+path+`"`) {
			continue
		}
		sent := url.Values{}
		for _, c := range control.FindAllStringSubmatch(form, -1) {
			switch {
			case c[2] != "":
				// A parser drops the first line break; a browser sends CR LF.
				text := strings.TrimPrefix(html.UnescapeString(c[3]), "\n")
				text = strings.NewReplacer("\r\n", "\r\n", "\r", "\r\n", "\n", "\r\n").Replace(text)
				sent.Add(c[2], text)
			case c[4] != "":
				value := ""
				if m := selected.FindStringSubmatch(c[5]); m != nil {
					value = html.UnescapeString(m[1])
				}
				sent.Add(c[4], value)
			default:
				of := map[string]string{}
				for _, one := range attribute.FindAllStringSubmatch(c[1], -1) {
					of[one[1]] = html.UnescapeString(one[2])
				}
				if of["type"] != "checkbox" || strings.HasSuffix(c[1], " checked") {
					sent.Add(of["name"], of["value"])
				}
			}
		}
		return sent
	}
	a.t.Fatalf("%s has no form that goes to %s:\n%s", a.what, path, a.body)
	return nil
}

// saved opens a page and saves its form as it is.
func (b *browser) saved(path, to string) {
	b.s.t.Helper()
	form := b.get(http.StatusOK, path).filledForm(to)
	if a := b.do(http.MethodPost, to, form); a.status != http.StatusSeeOther {
		b.s.t.Errorf("POST %s with %q = %d\n%s", to, form, a.status, a.body)
	}
}

func TestAFormThatIsSavedAsItIsChangesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	texts := map[string]string{
		"blank behind ": "{{otp_code}}", " blank before": "{{otp_code}}", "\u00a0no break": "{{otp_code}}",
		"lines": "\n two lines \n{{otp_code}}\n\n", "two line breaks": "\n\n{{otp_code}}", "another system's": "a\r\nb\rc {{otp_code}}", "<b>&amp;": "</textarea>{{otp_code}}",
	}
	var links []catalog.Link
	for name, text := range texts {
		s.template(message.SMS, name, "en", text)
	}
	for _, c := range []message.Channel{message.Voice, message.SMS} { // not in the order of forms
		s.template(c, "links ", "de", "{{otp_code}}")
		links = append(links, catalog.Link{Channel: c, Template: "links ", Language: "de"})
	}
	profile := catalog.Profile{ID: "3d2f3b0e-0000-4000-8000-000000000001", Name: " prof2 ", Attempts: 7, CodeLength: 8, Alphanumeric: true, Links: links}
	priority := catalog.Priority{ID: "3d2f3b0e-0000-4000-8000-000000000002", Name: "prio\u2003", Channels: []catalog.Rank{{Channel: message.Voice, Rank: 5}, {Channel: message.SMS, Rank: 9}}}
	application := catalog.Application{
		ID: "3d2f3b0e-0000-4000-8000-000000000003", Name: " app ", CodeLength: 6, Attempts: 5, Life: 2 * time.Minute, Sender: " AC ", Caller: "4930123456",
		Created: s.wall.Now(), Texts: map[string]string{"en": "{{OTP}}"},
	}
	s.must(s.store.CreateProfile(t.Context(), acme, profile))
	s.must(s.store.CreatePriority(t.Context(), acme, priority))
	s.must(s.store.CreateApplication(t.Context(), acme, application))

	before, err := s.catalog.Templates(t.Context(), acme)
	s.must(err)
	for _, one := range before {
		at := "/templates/text/" + one.ID
		owner.saved(at, at)
	}
	after, err := s.catalog.Templates(t.Context(), acme)
	s.must(err)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("templates (-before +after):\n%s", diff)
	}
	for _, at := range []string{"/plans/profiles/" + profile.ID, "/plans/priorities/" + priority.ID, "/plans/applications/" + application.ID} {
		owner.saved(at, at)
	}
	profiles, err := s.catalog.Profiles(t.Context(), acme)
	s.must(err)
	if diff := cmp.Diff([]catalog.Profile{profile}, profiles); diff != "" {
		t.Errorf("profiles (-before +after):\n%s", diff)
	}
	priorities, err := s.catalog.Priorities(t.Context(), acme)
	s.must(err)
	if diff := cmp.Diff([]catalog.Priority{priority}, priorities); diff != "" {
		t.Errorf("priorities (-before +after):\n%s", diff)
	}
	applications, err := s.catalog.Applications(t.Context(), acme)
	s.must(err)
	for _, a := range applications {
		if a.ID != application.ID {
			continue
		}
		application.Alias = a.Alias
		if diff := cmp.Diff(application, a); diff != "" {
			t.Errorf("applications (-before +after):\n%s", diff)
		}
	}
}

func TestAFieldThatWasClearedIsRefusedWhereThingsCannotBeWithoutIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	s.template(message.SMS, "text", "en", "{{otp_code}}")
	for _, c := range []struct {
		list  string
		pairs []string // of a whole form
		empty []string // by field, and what it is called
	}{
		{
			"/templates",
			[]string{"channel", "SMS", "name", "mine", "language", "en", "message", "{{otp_code}}", "codeExpirationTime", "3"},
			[]string{"name", "The name", "message", "The text", "codeExpirationTime", "The number of minutes"},
		},
		{
			"/plans/profiles",
			[]string{"name", "mine", "attempts", "3", "otpCodeLength", "6", "link", "SMS en text"},
			[]string{"name", "The name", "attempts", "The number of attempts", "otpCodeLength", "The length of the code"},
		},
		{
			"/plans/applications",
			[]string{"name", "mine", "pinLength", "4", "attempts", "3", "expire", "300", "sender", "ACME", "caller", "49301"},
			[]string{"name", "The name", "pinLength", "The length of the code", "attempts", "The number of attempts", "expire", "The lifetime", "sender", "The sender"},
		},
	} {
		at := owner.post(http.StatusSeeOther, c.list, c.pairs...).location
		owner.get(http.StatusOK, at).lacks(`Length of the code <span class="optional">`, `Minutes <span class="optional">`)
		for i := 0; i < len(c.empty); i += 2 {
			field, want := c.empty[i], c.empty[i+1]+" must not be empty."
			cleared := append([]string{}, c.pairs...)
			for j := 0; j < len(cleared); j += 2 {
				if cleared[j] == field {
					cleared[j+1] = ""
				}
			}
			var a answer
			audited := s.audited(func() { a = owner.change(http.StatusUnprocessableEntity, at, cleared...) })
			if got := a.problem(field); got != want || audited != "" {
				t.Errorf("%s without %s: refused with %q, want %q; audited %q", at, field, got, want, audited)
			}
		}
		owner.change(http.StatusSeeOther, at, c.pairs...)
	}
}

func TestAFormThatMakesSomethingMayLeaveFieldsOut(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	owner.post(http.StatusSeeOther, "/templates", "channel", "SMS", "name", "mine", "language", "en", "message", "{{otp_code}}", "codeExpirationTime", "")
	owner.post(http.StatusSeeOther, "/plans/profiles", "name", "mine", "attempts", "", "otpCodeLength", "", "link", "SMS en mine")
	at := owner.post(http.StatusSeeOther, "/plans/applications", "name", "", "pinLength", "", "attempts", "", "expire", "", "sender", "", "caller", "").location
	owner.get(http.StatusOK, at).has("App-")
}

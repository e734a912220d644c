package desk_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/message"
)

func TestAProfileIsMadeChangedAndDeleted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	owner.get(http.StatusOK, "/plans").has("There is none yet.")
	owner.get(http.StatusOK, "/plans/profiles/new").has("There are no templates yet.")
	s.template(message.SMS, "log in", "en", "{{otp_code}}")
	s.template(message.SMS, "log in de", "de", "{{otp_code}}")
	gone := s.template(message.Voice, "call", "en", "{{otp_code}}")
	owner.get(http.StatusOK, "/plans/profiles/new").has(`value="SMS en log in"`, `value="VOICE en call"`)
	var at string
	created := s.audited(func() {
		at = owner.post(http.StatusSeeOther, "/plans/profiles", "name", "login", "attempts", "4", "otpCodeLength", "8", "alphanumeric", "yes",
			"link", "VOICE en call", "link", "SMS en log in").location
	})
	all, err := s.catalog.Profiles(t.Context(), acme)
	s.must(err)
	want := []catalog.Profile{{ID: strings.TrimPrefix(at, "/plans/profiles/"), Name: "login", Alphanumeric: true, Attempts: 4, CodeLength: 8, Links: []catalog.Link{
		{Channel: message.Voice, Template: "call", Language: "en"}, {Channel: message.SMS, Template: "log in", Language: "en"},
	}}}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Fatalf("profiles (-want +got):\n%s", diff)
	}
	if created != "profile.create "+want[0].ID {
		t.Errorf("audited: %q", created)
	}
	owner.get(http.StatusOK, "/plans").has("login", "8 letters and digits", "SMS <bdi>log in</bdi> en")
	owner.get(http.StatusOK, at).has(`value="SMS en log in" checked`, `value="8"`).lacks(`value="SMS de log in de" checked`)

	// A template that is gone stays chosen, and says so, until somebody unticks it.
	s.must(s.store.DeleteTemplate(t.Context(), acme, gone, message.Voice))
	owner.get(http.StatusOK, at).has(`value="VOICE en call" checked`, "there is no such template any more")
	changed := s.audited(func() {
		owner.change(http.StatusSeeOther, at, "name", "login", "attempts", "4", "otpCodeLength", "6", "link", "VOICE en call", "link", "SMS de log in de")
	})
	want[0].Alphanumeric, want[0].CodeLength = false, 6
	want[0].Links[1] = catalog.Link{Channel: message.SMS, Template: "log in de", Language: "de"}
	if all, err = s.catalog.Profiles(t.Context(), acme); err != nil || cmp.Diff(want, all) != "" {
		t.Errorf("changed, %v (-want +got):\n%s", err, cmp.Diff(want, all))
	}
	if changed != "profile.change "+want[0].ID {
		t.Errorf("audited: %q", changed)
	}
	if got := s.audited(func() { owner.post(http.StatusSeeOther, at+"/delete") }); got != "profile.delete "+want[0].ID {
		t.Errorf("audited: %q", got)
	}
	owner.get(http.StatusNotFound, at)
}

func TestAProfileFormComesBackWithWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	for _, name := range []string{"a", "b"} {
		s.template(message.SMS, name, "en", "{{otp_code}}")
	}
	s.must(s.store.CreateProfile(t.Context(), acme, catalog.Profile{ID: "p", Name: "taken", Attempts: 3, CodeLength: 6}))
	for _, c := range []struct{ name, attempts, length, link, field, problem string }{
		{"", "3", "6", "", "name", "The name must not be blank."},
		{"taken", "3", "6", "", "name", "The name is taken already."},
		{"a\x00b", "3", "6", "", "name", "The name must not hold line breaks, tabs or other control characters."},
		{"n", "0", "6", "", "attempts", "The number of attempts must be greater than or equal to 1."},
		{"n", "many", "6", "", "attempts", "The number of attempts must be a whole number."},
		{"n", "3", "12", "", "otpCodeLength", "The length of the code must be less than or equal to 11."},
		{"n", "3", "6", "SMS fr nope", "link", "One of the templates does not exist."},
		{"n", "3", "6", "SMS en a", "link", "Two of the templates have the same channel and language. Choose one of them."},
		{"n", "3", "6", "WHATSAPP en w", "", ""},
	} {
		a := owner.post(http.StatusUnprocessableEntity, "/plans/profiles", "name", c.name, "attempts", c.attempts, "otpCodeLength", c.length, "link", "SMS en b", "link", c.link)
		if got := a.problem(c.field); got != c.problem {
			t.Errorf("%+v: refused with %q", c, got)
		}
		a.has(`value="SMS en b" checked`, `data-testid="problems"`) // what was ticked stays
	}
	if all, err := s.catalog.Profiles(t.Context(), acme); err != nil || len(all) != 1 {
		t.Errorf("there are %d profiles, %v", len(all), err)
	}
}

func TestAPriorityIsMadeChangedAndDeleted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	owner.get(http.StatusOK, "/plans/priorities").has("There is none yet.")
	var at string
	created := s.audited(func() {
		at = owner.post(http.StatusSeeOther, "/plans/priorities", "name", "both", "first", "WHATSAPP", "second", "SMS").location
	})
	id := strings.TrimPrefix(at, "/plans/priorities/")
	if created != "priority.create "+id {
		t.Errorf("audited: %q", created)
	}
	owner.get(http.StatusOK, "/plans/priorities").has("both", "WhatsApp → SMS")
	owner.get(http.StatusOK, at).has(`value="WHATSAPP" selected`, `value="SMS" selected`)
	if got := s.audited(func() { owner.change(http.StatusSeeOther, at, "name", "one", "first", "VOICE", "second", "") }); got != "priority.change "+id {
		t.Errorf("audited: %q", got)
	}
	all, err := s.catalog.Priorities(t.Context(), acme)
	s.must(err)
	if diff := cmp.Diff([]catalog.Priority{{ID: id, Name: "one", Channels: []catalog.Rank{{Channel: message.Voice, Rank: 1}}}}, all); diff != "" {
		t.Errorf("priorities (-want +got):\n%s", diff)
	}
	for _, c := range []struct{ name, first, second, field, problem string }{
		{"", "SMS", "", "name", "The name must not be blank."},
		{"one", "SMS", "", "name", "The priority name is taken."},
		{"n", "SMS", "SMS", "second", "The second channel must be another one than the first."},
		{"n", "FAX", "", "first", "The first channel must be one of SMS, VOICE, WHATSAPP, VIBER."},
		{"n", "", "SMS", "first", "The first channel must not be blank."},
	} {
		a := owner.post(http.StatusUnprocessableEntity, "/plans/priorities", "name", c.name, "first", c.first, "second", c.second)
		if got := a.problem(c.field); got != c.problem {
			t.Errorf("%+v: refused with %q", c, got)
		}
	}
	if got := s.audited(func() { owner.post(http.StatusSeeOther, at+"/delete") }); got != "priority.delete "+id {
		t.Errorf("audited: %q", got)
	}
	owner.get(http.StatusNotFound, at)
	owner.post(http.StatusNotFound, at, "name", "x", "first", "SMS")
}

func TestAnApplicationIsMadeChangedAndDeleted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	owner.get(http.StatusOK, "/plans/applications").has("There is none yet.")
	if got := len(s.entries()); got != 0 {
		t.Errorf("looking left %d entries", got)
	}
	var at string
	created := s.audited(func() {
		at = owner.post(http.StatusSeeOther, "/plans/applications", "name", "shop", "pinLength", "6", "attempts", "5", "expire", "120",
			"sender", "ACME", "caller", "4930123456", "alphanumeric", "yes").location
	})
	id := strings.TrimPrefix(at, "/plans/applications/")
	if created != "application.create "+id {
		t.Errorf("audited: %q", created)
	}
	find := func() catalog.Application {
		t.Helper()
		all, err := s.catalog.Applications(t.Context(), acme)
		s.must(err)
		if len(all) != 2 || !all[0].Default {
			t.Fatalf("applications are %+v, want the default one and this", all)
		}
		return all[1]
	}
	want := catalog.Application{
		ID: id, Name: "shop", CodeLength: 6, Alphanumeric: true, Attempts: 5, Life: 2 * time.Minute, Sender: "ACME", Caller: "4930123456",
		Texts: map[string]string{"en": "OTP code: {{OTP}}. Valid for {{SEC}} seconds."},
	}
	same := func(when string) {
		t.Helper()
		got := find()
		want.Alias, want.Created = got.Alias, got.Created
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	same("made")
	owner.get(http.StatusOK, at).has("OTP code: 123456. Valid for 120 seconds.", "shop")
	for _, change := range []func(){
		func() {
			owner.change(http.StatusSeeOther, at, "name", "store", "pinLength", "4", "attempts", "3", "expire", "60", "sender", "ACME", "caller", "")
			want.Name, want.CodeLength, want.Attempts, want.Life, want.Alphanumeric, want.Caller = "store", 4, 3, time.Minute, false, ""
		},
		func() {
			owner.post(http.StatusSeeOther, at+"/text", "language", "de", "channel", "VOICE", "text", "Ihr Code {{OTP}}")
			want.Texts["de-voice"] = "Ihr Code {{OTP}}"
		},
		func() {
			owner.get(http.StatusOK, at).has("German, Phone call", "Ihr Code 1, 2, 3, 4")
			owner.post(http.StatusSeeOther, at+"/text/delete", "key", "de-voice")
			delete(want.Texts, "de-voice")
		},
	} {
		if got := s.audited(change); got != "application.change "+id {
			t.Errorf("audited: %q", got)
		}
		same("changed")
	}
	for _, c := range []struct{ field, value, problem string }{
		{"pinLength", "3", "The length of the code must be between 4 and 10."},
		{"attempts", "11", "The number of attempts must be between 1 and 10."},
		{"expire", "29", "The lifetime must be between 30 and 7200 seconds."},
		{"sender", "far too long a sender", "The sender must be 1 to 11 characters or 3 to 15 digits."},
		{"caller", "?", "The caller must be 1 to 16 letters, digits or +."},
		{"name", "default", "The name default is reserved."},
	} {
		if got := owner.change(http.StatusUnprocessableEntity, at, c.field, c.value).problem(c.field); got != c.problem {
			t.Errorf("%+v: refused with %q", c, got)
		}
	}
	if got := owner.post(http.StatusUnprocessableEntity, at+"/text", "language", "de", "text", "no code").problem("text"); !strings.HasPrefix(got, "The text must be 1 to 1600 characters") {
		t.Errorf("a text without a code is refused with %q", got)
	}
	if got := owner.post(http.StatusUnprocessableEntity, at+"/text", "language", "deutsch", "text", "{{OTP}}").problem("language"); got != "The language must be a two-letter ISO 639-1 code." {
		t.Errorf("a wrong language is refused with %q", got)
	}
	owner.post(http.StatusUnprocessableEntity, at+"/text/delete", "key", "en").has("The template en cannot be deleted.")
	same("after what was refused")
	all, err := s.catalog.Applications(t.Context(), acme)
	s.must(err)
	owner.get(http.StatusOK, "/plans/applications/"+all[0].ID).has("default").lacks("Delete the application")
	owner.post(http.StatusUnprocessableEntity, "/plans/applications/"+all[0].ID+"/delete").has("The default application cannot be deleted.")
	if got := s.audited(func() { owner.post(http.StatusSeeOther, at+"/delete") }); got != "application.delete "+id {
		t.Errorf("audited: %q", got)
	}
	owner.get(http.StatusNotFound, at)
}

func TestSupportReadsPlansAndSeesNoForm(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner, support := s.as(access.Owner), s.as(access.Support)
	s.template(message.SMS, "text", "en", "{{otp_code}}")
	for _, at := range []string{
		owner.post(http.StatusSeeOther, "/plans/profiles", "name", "p", "link", "SMS en text").location,
		owner.post(http.StatusSeeOther, "/plans/priorities", "name", "p", "first", "SMS").location,
		owner.post(http.StatusSeeOther, "/plans/applications", "name", "p").location,
	} {
		support.get(http.StatusOK, at).lacks("Save", "Delete", `method="post" action="/console/plans`)
	}
	for _, list := range []string{"/plans", "/plans/priorities", "/plans/applications"} {
		support.get(http.StatusOK, list).has(">p</a>").lacks("New p", "New a")
	}
}

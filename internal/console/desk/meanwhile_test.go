package desk_test

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/message"
)

// shared is a form that two owners have open at once.
type shared struct {
	name, path  string
	mine, other [2]string // a field that each of them changes, and what to
	stored      func() any
}

// edit opens the form, changes fields of it and sends it.
func (b *browser) edit(path string, fields ...[2]string) answer {
	b.s.t.Helper()
	form := b.get(http.StatusOK, path).filledForm(path)
	for _, one := range fields {
		form.Set(one[0], one[1])
	}
	return b.do(http.MethodPost, path, form)
}

// sharedForms makes one thing of each kind that a form changes.
func (s *site) sharedForms() []shared {
	s.t.Helper()
	ctx := s.t.Context()
	text := s.template(message.SMS, "one", "en", "{{otp_code}}")
	s.template(message.Voice, "two", "en", "{{otp_code}}")
	link := catalog.Link{Channel: message.SMS, Template: "one", Language: "en"}
	profile, priority, application := "3d2f3b0e-0000-4000-8000-000000000001", "3d2f3b0e-0000-4000-8000-000000000002", "3d2f3b0e-0000-4000-8000-000000000003"
	s.must(s.store.CreateProfile(ctx, acme, catalog.Profile{ID: profile, Name: "p", Attempts: 3, CodeLength: 6, Links: []catalog.Link{link}}))
	s.must(s.store.CreatePriority(ctx, acme, catalog.Priority{ID: priority, Name: "p", Channels: []catalog.Rank{{Channel: message.SMS, Rank: 1}}}))
	s.must(s.store.CreateApplication(ctx, acme, catalog.Application{
		ID: application, Name: "a", CodeLength: 6, Attempts: 5, Life: time.Minute, Sender: "ACME", Created: s.wall.Now(), Texts: map[string]string{"en": "{{OTP}}"},
	}))
	config, _ := s.Configure(acme, catalog.Callback{URL: "https://a.example", Headers: []catalog.Header{{Name: "X-Door", Value: "k3y"}}})
	return []shared{
		{
			"a template", "/templates/text/" + text,
			[2]string{"name", "mine"},
			[2]string{"message", "New {{otp_code}}"},
			func() any { got, err := s.catalog.Template(ctx, acme, text); s.must(err); return got },
		},
		{
			"a profile", "/plans/profiles/" + profile,
			[2]string{"name", "mine"},
			[2]string{"attempts", "5"},
			func() any { got, err := s.catalog.Profile(ctx, acme, profile); s.must(err); return got },
		},
		{
			"a priority", "/plans/priorities/" + priority,
			[2]string{"name", "mine"},
			[2]string{"second", "VOICE"},
			func() any { got, err := s.catalog.Priority(ctx, acme, priority); s.must(err); return got },
		},
		{
			"an application", "/plans/applications/" + application,
			[2]string{"name", "mine"},
			[2]string{"attempts", "7"},
			func() any {
				all, err := s.catalog.Applications(ctx, acme)
				s.must(err)
				return all[slices.IndexFunc(all, func(a catalog.Application) bool { return a.ID == application })]
			},
		},
		{
			"a callback", "/callbacks/" + config + "/edit",
			[2]string{"url", "https://b.example"},
			[2]string{"headers", "X-New: n3w"},
			func() any { all, err := s.catalog.Callbacks(ctx, acme); s.must(err); return all },
		},
		{
			"the settings", "/keys/settings",
			[2]string{"sender", "MINE"},
			[2]string{account.SettingTimezone, "Europe/Berlin"},
			func() any { a, err := s.store.Account(ctx, acme); s.must(err); return a.Settings },
		},
	}
}

func TestAFormThatSomebodyElseChangedMeanwhileUndoesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first, second := s.as(access.Owner), s.as(access.Owner)
	for _, c := range s.sharedForms() {
		form := first.get(http.StatusOK, c.path).filledForm(c.path)
		if a := second.edit(c.path, c.other); a.status != http.StatusSeeOther {
			t.Fatalf("%s: the other one's change is answered by %d\n%s", c.name, a.status, a.body)
		}
		want := c.stored()

		// As it was shown, and with a change of its sender's own.
		typed := maps.Clone(form)
		typed.Set(c.mine[0], c.mine[1])
		var refused answer
		for _, sent := range []url.Values{form, typed} {
			if got := s.audited(func() { refused = first.do(http.MethodPost, c.path, sent) }); got != "" {
				t.Errorf("%s: audited %q, want nothing", c.name, got)
			}
			if refused.status != http.StatusUnprocessableEntity {
				t.Fatalf("%s: %q is answered by %d, want 422", c.name, sent, refused.status)
			}
			refused.has("Somebody changed this meanwhile.", `href="/console`+c.path+`" target="_blank"`).lacks("k3y", "n3w")
			if diff := cmp.Diff(want, c.stored()); diff != "" {
				t.Errorf("%s (-what the other one saved +now):\n%s", c.name, diff)
			}
		}

		// Nothing that was typed is lost, and whoever saves again means it.
		again := refused.filledForm(c.path)
		if got := again.Get(c.mine[0]); got != c.mine[1] {
			t.Errorf("%s: %s comes back as %q, want %q", c.name, c.mine[0], got, c.mine[1])
		}
		if a := second.do(http.MethodPost, c.path, again); a.status != http.StatusForbidden {
			t.Errorf("%s: another session's form is answered by %d", c.name, a.status)
		}
		saved := func() answer { return first.do(http.MethodPost, c.path, again) }
		if a := saved(); a.status != http.StatusSeeOther || cmp.Equal(want, c.stored()) {
			t.Errorf("%s: saved again, it is %d and changed nothing\n%s", c.name, a.status, a.body)
		}
		want = c.stored()
		if a := saved(); a.status != http.StatusSeeOther || !cmp.Equal(want, c.stored()) {
			t.Errorf("%s: sent twice, it is %d\n%s", c.name, a.status, a.body)
		}
	}
}

func TestAFormThatCameBackStillKnowsWhatItShowed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner, other := s.as(access.Owner), s.as(access.Owner)
	all := s.sharedForms()

	// Refused for another reason: what was stored by then was never shown.
	for i, wrong := range [][2]string{{"message", "no code"}, {"attempts", "0"}, {"first", "FAX"}, {"attempts", "0"}, {"url", "ftp://x"}, {"timezone", "Mars"}} {
		form := owner.get(http.StatusOK, all[i].path).filledForm(all[i].path)
		right := form.Get(wrong[0])
		form.Set(wrong[0], wrong[1])
		back := owner.do(http.MethodPost, all[i].path, form)
		if a := other.edit(all[i].path, all[i].other); a.status != http.StatusSeeOther {
			t.Fatalf("%s: the other one's change is answered by %d\n%s", all[i].name, a.status, a.body)
		}
		form = back.filledForm(all[i].path)
		form.Set(wrong[0], right)
		if a := owner.do(http.MethodPost, all[i].path, form); back.status != http.StatusUnprocessableEntity || a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d, then %d; want it refused twice", all[i].name, back.status, a.status)
		}
	}

	// The same for the preview, which is a page like the form.
	text := all[0]
	form := owner.get(http.StatusOK, text.path).filledForm(text.path)
	if a := other.edit(text.path, [2]string{"codeExpirationTime", "9"}); a.status != http.StatusSeeOther {
		t.Fatalf("the other one's change is answered by %d\n%s", a.status, a.body)
	}
	form = owner.do(http.MethodPost, "/templates/preview", form).filledForm(text.path)
	if a := owner.do(http.MethodPost, text.path, form); a.status != http.StatusUnprocessableEntity {
		t.Errorf("after a preview the form is answered by %d, want 422", a.status)
	}
}

func TestWhatAFormShowedCannotBeMadeUp(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	all := s.sharedForms()
	foreign := owner.get(http.StatusOK, all[1].path).filledForm(all[1].path).Get("shown")
	for _, c := range all {
		form := owner.get(http.StatusOK, c.path).filledForm(c.path)
		if again := owner.get(http.StatusOK, c.path).filledForm(c.path); again.Get("shown") == form.Get("shown") {
			t.Errorf("%s: two pages say the same of what they show: it can be compared", c.name)
		}
		form.Set(c.mine[0], c.mine[1])
		want := c.stored()
		for _, shown := range []string{"", "%", strings.Repeat("A", 32), base64.RawURLEncoding.EncodeToString(make([]byte, 64)), foreign} {
			if shown == foreign && c.path == all[1].path {
				continue
			}
			form.Set("shown", shown)
			if a := owner.do(http.MethodPost, c.path, form); a.status != http.StatusUnprocessableEntity || !cmp.Equal(want, c.stored()) {
				t.Errorf("%s: a form that shows %q is answered by %d", c.name, shown, a.status)
			}
		}
	}

	// Whether a header has a value that somebody guesses is not told either.
	hidden := all[4]
	form := owner.get(http.StatusOK, hidden.path).filledForm(hidden.path)
	form.Del("shown")
	for _, guess := range []string{"X-Door: wrong", "X-Door: k3y"} {
		form.Set("headers", guess)
		if a := owner.do(http.MethodPost, hidden.path, form); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s is answered by %d, want 422", guess, a.status)
		}
	}
}

package desk_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/message"
)

var furtherLink = regexp.MustCompile(`rel="next" href="/console([^"]+)"`)

func TestLongListsComeInPartsOfTwoHundred(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	const whole = 201
	for i := range whole {
		id := fmt.Sprintf("%08d-0000-4000-8000-3d2f3b0e0000", i)
		channel := []message.Channel{message.Viber, message.SMS}[i%2] // the page has them by channel
		s.must(s.store.CreateTemplate(t.Context(), acme, catalog.Template{ID: id, Channel: channel, Name: id, Language: "en", Message: "{{otp_code}}", Minutes: 3}))
		s.must(s.store.CreateProfile(t.Context(), acme, catalog.Profile{ID: id, Name: id, Attempts: 3, CodeLength: 6}))
		s.must(s.store.CreatePriority(t.Context(), acme, catalog.Priority{ID: id, Name: id, Channels: []catalog.Rank{{Channel: message.SMS, Rank: 1}}}))
		s.must(s.store.CreateApplication(t.Context(), acme, catalog.Application{ID: id, Name: id, CodeLength: 4, Attempts: 3, Created: s.wall.Now()}))
		s.must(s.store.CreateKey(t.Context(), account.Key{ID: id, Account: acme, Hash: [32]byte{byte(i), byte(i >> 8)}}))
	}
	for _, list := range []string{"/templates", "/plans", "/plans/priorities", "/plans/applications", "/keys"} {
		seen := map[string]bool{}
		at := list
		for i, want := range []int{200, 1} {
			a := owner.get(http.StatusOK, at)
			rows := regexp.MustCompile(`(?s)<tr(?: [^>]*)?>\s*<td.*?</tr>`).FindAllString(a.body, -1)
			if len(rows) != want {
				t.Fatalf("part %d of %s has %d rows, want %d", i+1, list, len(rows), want)
			}
			for _, row := range rows {
				seen[regexp.MustCompile(`[0-9]{8}-[0-9a-f-]{27}`).FindString(row)] = true
			}
			a.has(fmt.Sprintf("%d to %d of %d", 200*i+1, 200*i+want, whole))
			next := furtherLink.FindStringSubmatch(a.body)
			if (next != nil) != (want == 200) {
				t.Fatalf("part %d of %s leads to %q", i+1, list, next)
			}
			if next != nil {
				at = strings.ReplaceAll(next[1], "&amp;", "&")
			}
		}
		if len(seen) != whole {
			t.Errorf("%s showed %d of %d", list, len(seen), whole)
		}
	}
	owner.get(http.StatusOK, "/templates?after=00000198-0000-4000-8000-3d2f3b0e0000").has("There is none yet.", "None on this page of the list.")
	owner.get(http.StatusOK, "/plans?after=gone").has("1 to 200 of 201")
	owner.get(http.StatusOK, "/plans?after=gone&then=gone").has("1 to 200 of 201")
}

func TestALongListGoesOnWhereItWasThoughARowWasDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	id := func(i int) string { return fmt.Sprintf("%08d-0000-4000-8000-3d2f3b0e0000", i) }
	for i := range 203 {
		s.must(s.store.CreateProfile(t.Context(), acme, catalog.Profile{ID: id(i), Name: id(i), Attempts: 3, CodeLength: 6}))
	}
	next := strings.ReplaceAll(furtherLink.FindStringSubmatch(owner.get(http.StatusOK, "/plans").body)[1], "&amp;", "&")
	for _, c := range []struct {
		deleted, first int
		shows          string
	}{
		{100, 200, "200 to 202 of 202"},
		{199, 200, "199 to 201 of 201"}, // the last row of the part before
	} {
		s.must(s.store.DeleteProfile(t.Context(), acme, id(c.deleted)))
		owner.get(http.StatusOK, next).has(c.shows, id(c.first)).lacks(id(c.first - 2))
	}
	owner.get(http.StatusOK, "/plans?after="+id(201)+"&then="+id(0)).has(id(202)).lacks(id(0)) // the row itself goes first
}

func TestPagesWithTimesNameTheirZone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	s.must(s.store.SetSettings(t.Context(), acme, map[string]string{account.SettingTimezone: "Asia/Kolkata"}))
	s.must(s.store.CreateKey(t.Context(), account.Key{ID: "k1", Account: acme}))
	for _, path := range []string{"/keys", "/operation"} {
		owner.get(http.StatusOK, path).has("Times are Asia/Kolkata.")
	}
	at, _ := owner.made("url", "https://a.example")
	owner.post(http.StatusOK, at+"/rotate").has("2026-01-02 05:30:00</time> (Asia/Kolkata)")
	owner.get(http.StatusOK, at).has("2026-01-02 05:30:00</time> (Asia/Kolkata)")
}

func TestNamesInListsStandApartFromWhatIsAroundThem(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	owner.post(http.StatusSeeOther, "/templates", "channel", "SMS", "name", "שלום!", "language", "he", "message", "{{otp_code}}")
	owner.post(http.StatusSeeOther, "/plans/profiles", "name", "שלום!", "link", "SMS he שלום!")
	owner.post(http.StatusSeeOther, "/plans/priorities", "name", "שלום!", "first", "SMS")
	owner.post(http.StatusSeeOther, "/plans/applications", "name", "שלום!")
	for _, path := range []string{"/templates", "/plans", "/plans/priorities", "/plans/applications"} {
		if a := owner.get(http.StatusOK, path); !apart.MatchString(a.body) {
			t.Errorf("the name on %s is in no bdi:\n%s", path, a.body)
		}
	}
}

var apart = regexp.MustCompile(`<bdi><a href="[^"]+">שלום!</a></bdi>`)

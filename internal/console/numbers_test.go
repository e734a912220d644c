package console_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/console/access"
)

// busy fills acme's figures: three messages sent, one verified after 20 s.
func (s *site) busy() {
	s.t.Helper()
	s.sends("acme", "o1", someNumber, "")
	s.says("acme", "o1", 1, "=cheap", takes("r1"))
	s.wall.Add(20 * time.Second)
	s.types("acme", "o1", secretCode)
	s.wall.Add(26 * time.Hour)
	s.sends("acme", "o2", "+447400123456", "")
	s.says("acme", "o2", 1, "first", rejects())
	s.says("acme", "o2", 2, "second", takes("r2"))
	s.sends("acme", "o3", someNumber, "")
	s.says("acme", "o3", 1, "=cheap", takes("r3"))
	s.sends("other", "o4", someNumber, "")
	s.says("other", "o4", 1, "foreign", takes("r4"))
}

func TestTheNumbersAreToldApartByWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.entered(access.Support)
	b.get(http.StatusOK, "/numbers").reads(t, "Nothing was sent in this time.")
	s.busy()
	b = s.entered(access.Support) // a day later
	for path, want := range map[string][]string{
		"/numbers":                      {"By country", "DE 2 0 0 1 50.0 % 22.5 s 24.8 s", "GB 1 0 1 0 0.0 % – –", "2026-01-02 2 0 1 0", "2026-01-01 1 0 0 1 100.0 %"},
		"/numbers?by=channel&per=hour":  {"SMS 2 0 1 1", "VOICE 1 0 0 0", "2026-01-02 02:00 2 0 1 0"},
		"/numbers?by=carrier&per=week":  {"=cheap 2 0 0 1", "second 1 0 0 0", "first 0 0 1 0", "2025-12-29 (week 1 of 2026) 3 0 1 1"},
		"/numbers?by=template&per=hour": {"login 2 0 1 1", "not known 1 0 0 0"},
	} {
		b.get(http.StatusOK, path).reads(t, append(want, "Sent 3 Delivered 0 Undeliverable 1 Verified 1 Conversion 33.3 %")...).
			lacks(t, "foreign").has(t, `<script type="application/json" id="figures">{"zone":"UTC",`)
	}
	for _, path := range []string{"/numbers?by=moon", "/numbers?per=minute"} {
		b.get(http.StatusNotFound, path)
	}
}

func TestTheNumbersOfManyValuesHaveTwoHundredRows(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	sent := func(carrier string) {
		id := uuid.NewString()
		s.sends("acme", id, someNumber, "")
		s.says("acme", id, 1, carrier, takes(id))
	}
	rows := func(a answer) int { return strings.Count(a.body, `<td data-label="Carrier">`) }
	for i := range 200 {
		sent(fmt.Sprintf("c%03d", i))
	}
	b := s.enrolled(access.Owner)
	if a := b.get(http.StatusOK, "/numbers?by=carrier").reads(t, "c199 1 0 0 0").lacks(t, "together"); rows(a) != 200 {
		t.Errorf("200 carriers have %d rows", rows(a))
	}
	sent("c200")
	sent("c200")
	a := b.get(http.StatusOK, "/numbers?by=carrier").reads(t, "c200 2 0 0 0", "c197 1 0 0 0", "2 others together 2 0 0 0 0.0 %", "Sent 202")
	if a.lacks(t, "c198", "c199"); rows(a) != 200 {
		t.Errorf("201 carriers have %d rows, want 200", rows(a))
	}
	if got := strings.Count(b.get(http.StatusOK, "/numbers.csv?by=carrier").body, "\n") - 1; got != 201 {
		t.Errorf("the export of 201 carriers has %d", got)
	}
}

func TestTheNumbersAreExportedOnceThePasswordWasGiven(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	s.busy()
	b := s.enrolled(access.Support)
	a := b.get(http.StatusOK, "/numbers.csv?by=carrier&per=day")
	if got := a.header.Get("Content-Disposition"); got != `attachment; filename="numbers-by-carrier-per-day.csv"` {
		t.Errorf("Content-Disposition %q", got)
	}
	rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"day", "carrier", "sent", "delivered", "undeliverable", "verified", "conversion", "seconds_to_verify_median", "seconds_to_verify_p95"},
		{"2026-01-01T00:00:00Z", "'=cheap", "1", "0", "0", "1", "1.0000", "22.5", "24.8"},
		{"2026-01-02T00:00:00Z", "'=cheap", "1", "0", "0", "0", "0.0000", "", ""},
		{"2026-01-02T00:00:00Z", "second", "1", "0", "0", "0", "0.0000", "", ""},
		{"2026-01-02T00:00:00Z", "first", "0", "0", "1", "0", "", "", ""},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("CSV (-want +got):\n%s", diff)
	}
	s.wall.Add(access.ProofLasts)
	b.get(http.StatusForbidden, "/numbers.csv").has(t, "Confirm that it is you").lacks(t, "cheap")
}

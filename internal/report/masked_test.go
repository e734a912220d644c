package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/report"
)

func TestAMaskedStoryHidesAReferenceThatHoldsTheRecipient(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		to, reference string
		hidden        bool
	}{
		{"+4917600993344", "4917600993344-17", true},
		{"+4917600993344", "0176-0099-3344", true},
		{"+4917600993344", "x.0993344", true},
		{"+4917600993344", "4917600-17", false},
		{"ada.lovelace@example.com", "Ada.Lovelace-17", true},
		{"ada.lovelace@example.com", "example.com-17", false},
	} {
		to, err := phone.ParseRecipient(c.to)
		if err != nil {
			t.Fatal(err)
		}
		s := report.Tell(record(func(r *report.Record) {
			r.Recipient = to
			d := first(r, delivery.Dispatched, "a", after(time.Minute))
			d.Ref = c.reference
			d.Tries = append(silent(), delivery.Try{Carrier: "a", At: after(time.Second), Class: delivery.Accepted, Place: 1, Of: 1})
		}))
		const told = "Its reference: "
		full, got := details(s), details(s.Masked())
		if !strings.Contains(full, told+c.reference+".") {
			t.Fatalf("the story lacks the reference %s:\n%s", c.reference, full)
		}
		want := full
		if c.hidden {
			want = strings.Replace(full, told+c.reference, told+"[hidden, as the recipient is in it]", 1)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the masked story of %s with the reference %s (-want +got):\n%s", c.to, c.reference, diff)
		}
		caller := s.Summary
		caller.Reference = c.reference
		if got := caller.Masked().Reference; (got != c.reference) != c.hidden || caller.Reference != c.reference {
			t.Errorf("the caller's reference %s of a message to %s is shown as %q", c.reference, c.to, got)
		}
		if details(s) != full {
			t.Error("masking changed the story that it was made of")
		}
	}
}

func TestAMaskedStoryHidesTheRecipientInTheCallersReference(t *testing.T) {
	t.Parallel()
	to, err := phone.ParseRecipient("+4917600993344")
	if err != nil {
		t.Fatal(err)
	}
	s := report.Tell(record(func(r *report.Record) { r.Recipient, r.Reference = to, "4917600993344" }))
	if got := s.Masked().Reference; got != "[hidden, as the recipient is in it]" {
		t.Errorf("the masked story has the reference %q", got)
	}
}

// details are what a story says.
func details(s report.Story) string {
	said := []string{s.Why}
	for _, e := range s.Timeline {
		said = append(said, e.Title+": "+e.Detail)
	}
	return strings.Join(said, "\n")
}

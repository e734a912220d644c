package report

import (
	"slices"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/phone"
)

// masked stands for a reference that holds the recipient.
const masked = "[hidden, as the recipient is in it]"

// Masked is the story for people who may not see the recipient: without the
// references, the caller's and those that carriers choose, that hold the number
// or address. Failure codes that do are never kept (verify.Hider).
func (s Story) Masked() Story {
	r := s.Record
	r.Summary = r.Masked()
	r.Deliveries = slices.Clone(r.Deliveries)
	for i := range r.Deliveries {
		d := &r.Deliveries[i]
		d.Ref = mask(d.Ref, r.Recipient)
	}
	return Tell(r)
}

// Masked is the summary for people who may not see the recipient, as in
// Story.Masked.
func (s Summary) Masked() Summary {
	s.Reference = mask(s.Reference, s.Recipient)
	return s
}

func mask(reference string, to phone.Recipient) string {
	if delivery.QuotesRecipient(reference, to) {
		return masked
	}
	return reference
}

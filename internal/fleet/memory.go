package fleet

import (
	"time"

	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/carrier/smpp"
)

// memory is what a carrier and its successors have in common, so that the receipts
// of what one of them sent mean the same to the next.
type memory struct {
	flights httpsubmit.Flights
	parts   *smpp.Parts
}

func newMemory(now func() time.Time) *memory { return &memory{parts: smpp.NewParts(now)} }

// remembered returns the memory of the carrier of this name, a new one if there
// is none and none ends. The caller holds mu, unless nobody else has the fleet.
func (f *Fleet) remembered(name string) *memory {
	for _, m := range f.members {
		if m.Name() == name {
			return m.memory
		}
	}
	if m := f.leaving[name]; m != nil {
		return m.memory
	}
	return newMemory(f.deps.Now)
}

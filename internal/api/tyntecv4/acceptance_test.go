package tyntecv4_test

import (
	"fmt"
	"slices"
	"testing"
)

// example is one acceptance example of contract v4 §15. It runs on a server of
// its own with the fixtures.
type example struct {
	number int
	what   string
	run    func(h *harness)
}

func TestAcceptanceExamplesOfTheContract(t *testing.T) {
	t.Parallel()
	all := slices.Concat(keyExamples(), sendExamples(), readExamples(), validateExamples(), fallbackExamples(),
		priorityExamples(), templateExamples(), profileExamples(), whatsAppExamples(), callbackExamples())
	for i, e := range all {
		if e.number != i+1 {
			t.Fatalf("example %d stands where %d belongs", e.number, i+1)
		}
	}
	const examples = 190
	if len(all) != examples {
		t.Fatalf("%d examples, the contract has %d", len(all), examples)
	}
	for _, e := range all {
		t.Run(fmt.Sprintf("%d %s", e.number, e.what), func(t *testing.T) {
			t.Parallel()
			e.run(start(t))
		})
	}
}

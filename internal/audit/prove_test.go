package audit_test

import (
	"bytes"
	"testing"

	"github.com/countersign/countersign/internal/audit"
)

func TestAProofNamesTheHeadAndTheFirstBadEntry(t *testing.T) {
	t.Parallel()
	store := &list{}
	log := audit.New(store, keyring(t))
	prove := func() audit.Proof {
		t.Helper()
		p, err := log.Prove(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if p := prove(); !p.Holds() || p.Entries != 0 || p.Head != nil {
		t.Errorf("an empty list proves as %+v", p)
	}
	for range 5 {
		if err := log.Append(t.Context(), audit.Entry{Action: audit.ActionKeyCreate, Actor: "console ann"}); err != nil {
			t.Fatal(err)
		}
	}
	p := prove()
	if !p.Holds() || p.Entries != 5 || !bytes.Equal(p.Head, store.entries[4].Link) {
		t.Errorf("the list proves as %+v", p)
	}
	// Without its newest entries a list holds together; its head tells.
	tail := store.entries[3:]
	store.entries = store.entries[:3]
	if short := prove(); !short.Holds() || short.Entries != 3 || bytes.Equal(short.Head, p.Head) {
		t.Errorf("without its tail the list proves as %+v", short)
	}
	store.entries = append(store.entries, tail...)
	store.entries[2].Text = "{}"
	if bad := prove(); bad.Holds() || bad.Broken != 3 || bad.Entries != 2 || !bytes.Equal(bad.Head, store.entries[1].Link) {
		t.Errorf("with a changed entry the list proves as %+v", bad)
	}
}

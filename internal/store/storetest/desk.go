package storetest

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/upkeep"
)

// AuditReader reads the audit list backwards.
type AuditReader interface {
	audit.Store
	AuditBefore(ctx context.Context, before int64, limit int) ([]audit.Sealed, error)
}

func auditBackwards(t *testing.T, b *bench) {
	if got, err := b.Store.AuditBefore(t.Context(), math.MaxInt64, 10); err != nil || len(got) != 0 {
		t.Errorf("an empty list has %d entries, %v", len(got), err)
	}
	for range 5 {
		err := b.Store.AppendAudit(t.Context(), func(seq int64, previous []byte, at time.Time) (audit.Sealed, error) {
			return audit.Sealed{Seq: seq, At: at, Key: 7, Text: "{}", Link: append(slices.Clip(previous), byte(seq))}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		b.wall.Add(time.Second)
	}
	forward, err := b.Store.AuditEntries(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []audit.Sealed
	for before := int64(math.MaxInt64); ; before = got[len(got)-1].Seq {
		page, err := b.Store.AuditBefore(t.Context(), before, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
	}
	var want []audit.Sealed
	for i := range forward {
		want = append(want, forward[len(forward)-1-i])
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) != 5 {
		t.Errorf("backwards, by two (-want +got):\n%s", diff)
	}
}

func nodesSeen(t *testing.T, b *bench) {
	see := func(n upkeep.Node) {
		t.Helper()
		if err := b.Store.SeeNode(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	wants := func(when string, want ...upkeep.Node) {
		t.Helper()
		got, err := b.Store.Nodes(t.Context())
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("nodes %s, %v (-want +got):\n%s", when, err, diff)
		}
	}
	wants("of a new database")
	old := upkeep.Node{Name: "old", Version: "1.0", Started: b.wall.Now()}
	see(old)
	old.Seen = b.wall.Now()
	b.wall.Add(time.Minute)
	young := upkeep.Node{Name: "a young one", Version: "1.1", Started: b.wall.Now()}
	see(young)
	young.Seen = b.wall.Now()
	wants("by their start", old, young)
	b.wall.Add(time.Hour)
	old.Version = "1.2"
	see(old)
	old.Seen = b.wall.Now()
	wants("seen again", old, young)
	b.wall.Add(23*time.Hour + time.Second)
	see(old)
	old.Seen = b.wall.Now()
	wants("of the last day", old)
	for range 2 {
		if err := b.Store.ForgetNode(t.Context(), "old"); err != nil {
			t.Fatal(err)
		}
	}
	wants("that are left")
}

package storetest

import (
	"context"
	"errors"
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

// auditBelowTheFirst: a proof finds entries that were put in below number 1.
func auditBelowTheFirst(t *testing.T, b *bench) {
	log := audit.New(b.Store, b.keys)
	if err := log.Append(t.Context(), audit.Entry{Action: audit.ActionErase, Actor: "cli ops"}); err != nil {
		t.Fatal(err)
	}
	first, err := b.Store.AuditEntries(t.Context(), 1, 10)
	if err != nil || len(first) != 1 {
		t.Fatalf("%d entries, %v; want one", len(first), err)
	}
	if n, err := log.Verify(t.Context()); err != nil || n != 1 {
		t.Fatalf("Verify = %d, %v; want 1", n, err)
	}
	want := []int64{1}
	for _, seq := range []int64{0, -1, math.MinInt64} {
		err := b.Store.AppendAudit(t.Context(), func(int64, []byte, time.Time) (audit.Sealed, error) {
			forged := first[0]
			forged.Seq = seq
			return forged, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		want = slices.Insert(want, 0, seq)
		if n, err := log.Verify(t.Context()); n != 0 || !errors.Is(err, audit.ErrChain) {
			t.Errorf("Verify with an entry %d = %d, %v; want ErrChain before the first", seq, n, err)
		}
	}
	got, err := b.Store.AuditEntries(t.Context(), math.MinInt64, 10)
	var seqs []int64
	for _, e := range got {
		seqs = append(seqs, e.Seq)
	}
	if err != nil || !slices.Equal(seqs, want) {
		t.Errorf("entries %v, %v; want %v", seqs, err, want)
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

package carriertest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/delivery"
)

func taken(t *testing.T, b *bench) {
	if name := b.Carrier.Name(); name == "" || len(name) > 64 {
		t.Errorf("Name() = %q; want 1 to 64 characters", name)
	}
	b.accepted(t)
	if got := b.References(); len(got) != 1 {
		t.Errorf("the upstream read %d submits; want 1", len(got))
	}
}

func permanent(t *testing.T, b *bench) {
	b.Script(Refuse)
	b.submit(t, text(t), delivery.Permanent)
}

func misfit(t *testing.T, b *bench) {
	b.Script(Misfit)
	b.submit(t, text(t), delivery.Config)
}

func aheadOfTheStore(t *testing.T, b *bench) {
	m := text(t)
	m.Ahead = time.Hour
	m.Expires = m.Expires.Add(-m.Ahead)
	b.submit(t, m, delivery.Accepted)
}

func broken(t *testing.T, b *bench) {
	b.Script(Broken)
	b.submit(t, text(t), delivery.Retry)
}

func throttled(t *testing.T, b *bench) {
	b.Script(Throttle)
	m := text(t)
	for m.Try = 1; m.Try <= maxTries; m.Try++ {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		r := b.Carrier.Submit(ctx, m)
		cancel()
		switch {
		case r.Class == delivery.Accepted:
			return
		case r.Class != delivery.Retry || r.Failure.Code == "":
			t.Fatalf("Submit = %+v; want Retry that says why", r)
		case r.After > maxPause:
			t.Fatalf("Submit asks for a pause of %v; the upstream did not", r.After)
		}
		pause := time.NewTimer(r.After)
		<-pause.C
	}
	t.Errorf("not accepted in %d tries; want one refusal only", maxTries)
}

// inFlight submits a message that the upstream reads and does not answer, and
// returns once it was read. The result comes later.
func (b *bench) inFlight(ctx context.Context, t *testing.T) <-chan delivery.Result {
	t.Helper()
	b.Script(Silence)
	m, done := text(t), make(chan delivery.Result, 1)
	go func() { done <- b.Carrier.Submit(ctx, m) }()
	deadline := time.After(patience)
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for len(b.References()) == 0 {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatal("the upstream read no submit")
		}
	}
	return done
}

func unanswered(t *testing.T, b *bench) {
	ctx, giveUp := context.WithCancelCause(t.Context())
	defer giveUp(nil)
	done := b.inFlight(ctx, t)
	giveUp(context.DeadlineExceeded)
	if r := <-done; r.Class != delivery.Uncertain {
		t.Errorf("Submit = %+v; want Uncertain", r)
	}
	if got := b.References(); len(got) != 1 {
		t.Errorf("the upstream read %d submits; want 1", len(got))
	}
	b.accepted(t) // the carrier goes on
}

func duplicate(t *testing.T, b *bench) {
	m := text(t)
	first := b.submit(t, m, delivery.Accepted)
	m.Try = 2
	second := b.submit(t, m, delivery.Accepted)
	if b.Carrier.Dedupes() && first.Ref != second.Ref {
		t.Errorf("references %q and %q; want one, as the carrier says that it recognises a repetition", first.Ref, second.Ref)
	}
	other := b.submit(t, text(t), delivery.Accepted)
	refs := b.References()
	if len(refs) != 3 || refs[0] == "" || refs[0] != refs[1] || refs[1] == refs[2] {
		t.Errorf("dedupe references %q; want the first two alike and the third not", refs)
	}
	if other.Ref == first.Ref {
		t.Errorf("another message has the reference %q too", other.Ref)
	}
}

func ended(t *testing.T, b *bench) {
	b.Script(Silence)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := b.Carrier.Submit(ctx, text(t))
	if r.Class != delivery.Retry && r.Class != delivery.Uncertain {
		t.Errorf("Submit = %+v; want Retry or Uncertain", r)
	}
	if r.Class == delivery.Retry && slices.ContainsFunc(b.References(), func(ref string) bool { return ref != "" }) {
		t.Errorf("Submit = %+v, and the upstream read it; want Uncertain", r)
	}
}

func stopped(t *testing.T, b *bench) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done := b.inFlight(ctx, t)
	b.Stop()
	select {
	case r := <-done:
		if r.Class != delivery.Uncertain {
			t.Errorf("Submit = %+v; want Uncertain", r)
		}
	case <-time.After(patience):
		t.Error("Submit did not return though the carrier was stopped")
	}
}

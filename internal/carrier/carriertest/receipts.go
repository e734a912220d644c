package carriertest

import (
	"testing"

	"github.com/countersign/countersign/internal/delivery"
)

func success(t *testing.T, b *bench) {
	ref := b.accepted(t)
	b.receipt(t, ref, Arrived, Taken)
	b.heard(t, ref, delivery.ReceiptDelivered)
}

func failed(t *testing.T, b *bench) {
	ref := b.accepted(t)
	b.receipt(t, ref, Failed, Taken)
	b.heard(t, ref, delivery.ReceiptUndeliverable)
	if why := b.ledger.of(ref)[0].Failure; why.Area != delivery.AreaCarrier || why.Code == "" || why.Text == "" {
		t.Errorf("failure = %+v; want the carrier's area, a code and a text", why)
	}
}

func underway(t *testing.T, b *bench) {
	ref := b.accepted(t)
	b.receipt(t, ref, Underway, Taken)
	b.heard(t, "")
	b.receipt(t, ref, Arrived, Taken)
	b.receipt(t, ref, Underway, Taken) // late
	b.heard(t, "", delivery.ReceiptDelivered)
}

func twice(t *testing.T, b *bench) {
	ref := b.accepted(t)
	b.receipt(t, ref, Arrived, Taken)
	b.receipt(t, ref, Arrived, Taken)
	for _, r := range b.ledger.of("") { // the store drops the second; a carrier may too
		if r.Ref != ref || r.State != delivery.ReceiptDelivered {
			t.Errorf("receipt = %+v; want only that of %q", r, ref)
		}
	}
	if len(b.ledger.of(ref)) == 0 {
		t.Error("no receipt reached the dispatcher")
	}
}

func reordered(t *testing.T, b *bench) {
	first, second := b.accepted(t), b.accepted(t)
	b.receipt(t, second, Arrived, Taken)
	b.receipt(t, first, Failed, Taken)
	b.heard(t, first, delivery.ReceiptUndeliverable)
	b.heard(t, second, delivery.ReceiptDelivered)
}

func stranger(t *testing.T, b *bench) {
	ref := b.accepted(t)
	b.receipt(t, "4711", Arrived, Taken)
	b.heard(t, ref)
}

func unrecorded(t *testing.T, b *bench) {
	ref := b.accepted(t)
	b.ledger.breakDown(true)
	b.receipt(t, ref, Arrived, Again)
	b.ledger.warned(t, "asked for again")
	b.ledger.breakDown(false)
	b.receipt(t, ref, Arrived, Taken)
	b.heard(t, ref, delivery.ReceiptDelivered)
}

func restarted(t *testing.T, b *bench) {
	ref := b.accepted(t)
	b.Rig = b.Restart(t, b.ledger.deps())
	b.receipt(t, ref, Arrived, Taken)
	b.heard(t, ref, delivery.ReceiptDelivered)
}

func forged(t *testing.T, b *bench) {
	if b.Forge == nil && b.lacks(t, "Forge") {
		return
	}
	ref := b.accepted(t)
	if got := b.Forge(t, ref); got != Refused {
		t.Errorf("the stranger heard %v; want refused", got)
	}
	b.heard(t, "")
}

func intruded(t *testing.T, b *bench) {
	if b.Intrude == nil && b.lacks(t, "Intrude") {
		return
	}
	ref := b.accepted(t)
	if got := b.Intrude(t, ref); got != Refused {
		t.Errorf("the stranger heard %v; want refused", got)
	}
	b.heard(t, "")
}

func rotated(t *testing.T, b *bench) {
	if b.Rotate == nil && b.lacks(t, "Rotate") {
		return
	}
	ref := b.accepted(t)
	renewed, outdated := b.Rotate(t, ref)
	if renewed != Taken || outdated != Refused {
		t.Errorf("the new secret's receipt was %v, the old one's %v; want taken, refused", renewed, outdated)
	}
	b.heard(t, ref, delivery.ReceiptDelivered)
}

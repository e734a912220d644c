package storetest

import (
	"testing"
	"time"

	"github.com/countersign/countersign/internal/delivery"
)

// refsOfAnyOctets holds carriers to no alphabet: what they call a message may not
// keep what became of it, or of others, from being recorded.
func refsOfAnyOctets(t *testing.T, b *bench) {
	ids := []string{"a\x00b", "\xff\xfe", "a\xc3", "\x01\x02", "a\nb", "\u202e", "é", "(hex)610062", "(hex)", "(uncertain)r"}
	for _, id := range ids {
		sent := b.send(order{})
		b.record(b.one(), accepted(id))
		b.wantKinds(sent.Ref, "SMS DISPATCHED")
		if known, _ := b.receipt(id, delivered); !known {
			t.Errorf("a receipt of %q is unknown", id)
		}
		b.wantKinds(sent.Ref, "SMS DISPATCHED", "SMS DELIVERED")

		lost := b.send(order{})
		at := b.wall.Now().Add(time.Second)
		unsure := delivery.Result{Class: delivery.Uncertain, Ref: id + "?", Failure: delivery.Unreachable}
		if _, err := b.Store.RecordSubmits(t.Context(), []delivery.SubmitOutcome{{Key: b.one().Key, Carrier: "double", Result: unsure, RetryAt: at}}); err != nil {
			t.Fatalf("%q: RecordSubmits: %v", id, err)
		}
		if known, _ := b.receipt(id+"?", delivered); !known {
			t.Errorf("a receipt of %q, whose answer was lost, is unknown", id)
		}
		b.wantKinds(lost.Ref, "SMS DISPATCHED", "SMS DELIVERED")
	}
	for _, id := range []string{"ab", "a\x00", "r", "\xff", "\ufffd\ufffd", "\x00"} {
		if known, _ := b.receipt(id, delivered); known {
			t.Errorf("a receipt of %q is known, which is nobody's", id)
		}
	}
}

func tellsTheNextTry(t *testing.T, b *bench) {
	b.send(order{})
	job := b.one()
	for _, c := range []struct{ taken, want string }{
		{"61.", "(partly)61."},
		{"61.62.", "(partly)61.62."},
		{"", ""},
	} {
		at := b.wall.Now().Add(time.Second)
		retry := delivery.Result{Class: delivery.Retry, Taken: c.taken, Failure: delivery.Unreachable}
		if _, err := b.Store.RecordSubmits(t.Context(), []delivery.SubmitOutcome{{Key: job.Key, Carrier: "double", Result: retry, RetryAt: at}}); err != nil {
			t.Fatal(err)
		}
		b.wall.Add(time.Second)
		if job = b.one(); job.Ref != c.want || job.Carrier != "double" {
			t.Errorf("after %q the next try gets %q of %s, want %q", c.taken, job.Ref, job.Carrier, c.want)
		}
	}
	b.record(job, accepted("r1"))
	if known, _ := b.receipt("r1", delivered); !known {
		t.Error("a receipt is unknown")
	}
}

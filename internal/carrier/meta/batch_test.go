package meta_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/countersign/countersign/internal/carrier/meta"
	"github.com/countersign/countersign/internal/delivery"
)

// batchOf is a webhook with n statuses of messages of that name and a number, or
// as many as there is space for if n is 0.
func batchOf(name string, n int) (body string, statuses int) {
	var list strings.Builder
	for n == 0 || statuses < n {
		next := fmt.Sprintf(`,{"id":"%s%d","status":"read"}`, name, statuses)
		if list.Len()+len(next) > 256<<10-200 {
			break
		}
		list.WriteString(next)
		statuses++
	}
	return hook("messages", `{"metadata":{"phone_number_id":"`+phoneID+`"},"statuses":[`+strings.TrimPrefix(list.String(), ",")+`]}`), statuses
}

func TestAWebhookMayHaveAsManyStatusesAsItHasSpaceFor(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex // guards what follows
	seen := map[string]int{}
	now, most := 0, 0
	all := make(chan struct{}) // closed once all places are taken
	d, url := ear(t, func(_ *meta.Config, deps *meta.Deps) {
		deps.Receive = func(ctx context.Context, r delivery.Receipt) (bool, error) {
			mu.Lock()
			seen[r.Ref]++
			now++
			if most = max(most, now); len(seen) == meta.MaxReceipts {
				close(all)
			}
			mu.Unlock()
			defer func() {
				mu.Lock()
				now--
				mu.Unlock()
			}()
			select {
			case <-all:
				return true, nil
			case <-ctx.Done():
				return false, context.Cause(ctx)
			}
		}
	})
	body, n := batchOf("w", 0)
	if n <= meta.MaxReceipts {
		t.Fatalf("%d statuses; want more than places", n)
	}
	if got := post(t, url, signed(appSecret, body)); got != http.StatusOK {
		t.Errorf("status %d; want 200", got)
	}
	if len(seen) != n || most > meta.MaxReceipts || d.noticed(meta.ReceiptRefused) != 0 {
		t.Errorf("%d of %d recorded, up to %d at a time, %d refused; want all, up to %d and none", len(seen), n, most, d.noticed(meta.ReceiptRefused), meta.MaxReceipts)
	}
	for ref, times := range seen {
		if times != 1 {
			t.Errorf("%s was recorded %d times; want once", ref, times)
		}
	}
}

func TestForeignStatusesThatWaitKeepOursFromNothing(t *testing.T) {
	t.Parallel()
	var waiting atomic.Int32
	all, release := make(chan struct{}), make(chan struct{})
	_, url := ear(t, func(_ *meta.Config, deps *meta.Deps) {
		deps.Receive = func(ctx context.Context, r delivery.Receipt) (bool, error) {
			if !strings.HasPrefix(r.Ref, "foreign") {
				return true, nil
			}
			if waiting.Add(1) == delivery.MaxLate {
				close(all)
			}
			select { // as long as its submit may still be recorded
			case <-release:
				return false, nil
			case <-ctx.Done():
				return false, context.Cause(ctx)
			}
		}
	})
	body, _ := batchOf("foreign", delivery.MaxLate)
	foreign := make(chan int)
	go func() { foreign <- post(t, url, signed(appSecret, body)) }()
	select {
	case <-all:
	case got := <-foreign:
		t.Fatalf("the foreign ones: status %d while %d wait; want all to", got, waiting.Load())
	}
	if got := post(t, url, signed(appSecret, statusOf("wamid.1", "delivered"))); got != http.StatusOK {
		t.Errorf("ours: status %d; want 200 while the others wait", got)
	}
	close(release)
	if got := <-foreign; got != http.StatusOK {
		t.Errorf("the foreign ones: status %d; want 200", got)
	}
}

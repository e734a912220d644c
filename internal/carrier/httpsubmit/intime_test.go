package httpsubmit_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/delivery"
)

// asleep is a context whose end has come without anybody having been told: that
// of a process that was stopped and wakes up.
type asleep struct{ context.Context } //nolint:containedctx // it is one

func (asleep) Deadline() (time.Time, bool) { return time.Unix(1, 0), true }
func (asleep) Done() <-chan struct{}       { return nil }

func TestAProcessThatWakesUpAfterTheEndWritesNothing(t *testing.T) {
	t.Parallel()
	var told atomic.Int32
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "late") {
			told.Add(1)
		}
	})
	c := client(t, httpsubmit.Options{})
	if _, r := c.Do(post(t, t.Context(), s.URL)); r != nil { // leaves a connection to write to
		t.Fatalf("Do = %+v", r)
	}
	a, r := c.Do(post(t, asleep{t.Context()}, s.URL+"/late"))
	if r == nil || r.Class != delivery.Uncertain {
		t.Errorf("Do = %+v, %+v; want it uncertain, as for all that ends while it is written", a, r)
	}
	if _, r := c.Do(post(t, t.Context(), s.URL)); r != nil {
		t.Errorf("the next: %+v", r)
	}
	if n := told.Load(); n != 0 {
		t.Errorf("the upstream was told %d times", n)
	}
}

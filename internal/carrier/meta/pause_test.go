package meta_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/delivery"
)

func TestThePauseOfAPairIsTheLongerOfOursAndTheOneAskedFor(t *testing.T) {
	t.Parallel()
	for asked, want := range map[string]time.Duration{"60": time.Minute, "2": 6 * time.Second} {
		g := newGraph(t)
		c := open(t, config(g), newDesk().deps())
		r := refusal(http.StatusBadRequest, 131056, 0)
		r.header = http.Header{"Retry-After": {asked}}
		g.answer(r)
		if got := c.Submit(t.Context(), text(t)); got.Class != delivery.Retry || got.After != want {
			t.Errorf("Retry-After %s: Submit = %+v; want Retry after %v", asked, got, want)
		}
	}
}

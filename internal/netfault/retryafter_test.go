package netfault_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/netfault"
)

func TestRetryAfterIsReadInBothFormsUpToADay(t *testing.T) {
	t.Parallel()
	type said struct {
		wait time.Duration
		ok   bool
	}
	now := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	for text, want := range map[string]said{
		"":                              {},
		"soon":                          {},
		"-1":                            {},
		"1.5":                           {},
		"0":                             {0, true},
		" 7 ":                           {7 * time.Second, true},
		"80000":                         {80_000 * time.Second, true},
		"86401":                         {24 * time.Hour, true},
		"99999999999999999999999":       {24 * time.Hour, true},
		"Sun, 22 Nov 2026 02:00:30 GMT": {30 * time.Second, true},
		"Sun, 22 Nov 2026 01:00:00 GMT": {0, true},
		"Sun, 22 Nov 2099 01:00:00 GMT": {24 * time.Hour, true},
	} {
		wait, ok := netfault.RetryAfter(http.Header{"Retry-After": {text}}, now)
		if got := (said{wait, ok}); got != want {
			t.Errorf("RetryAfter(%q) = %v; want %v", text, got, want)
		}
	}
}

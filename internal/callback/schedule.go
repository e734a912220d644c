package callback

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/countersign/countersign/internal/netfault"
)

// maxAttempts is how often an event is posted before it becomes a dead letter
// (callback events §8).
const maxAttempts = 8

// waitAfter is the wait after the n-th attempt (from 1) before jitter; false
// after the last.
func waitAfter(n int) (time.Duration, bool) {
	waits := [maxAttempts - 1]time.Duration{
		5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute,
		30 * time.Minute, 2 * time.Hour, 6 * time.Hour,
	}
	if n < 1 || n > len(waits) {
		return 0, false
	}
	return waits[n-1], true
}

// jitter spreads a wait evenly over ±20 %.
func jitter(wait time.Duration, random io.Reader) (time.Duration, error) {
	var b [4]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return 0, fmt.Errorf("draw jitter: %w", err)
	}
	const spread = 0.2
	part := float64(binary.BigEndian.Uint32(b[:])) / (1 << 32) // [0, 1)
	return time.Duration(float64(wait) * (1 - spread + 2*spread*part)), nil
}

// retryAfter reads how long a 429 or 503 asks to wait; zero if it does not say,
// at most a day: eight attempts then take eight days and not for ever.
func retryAfter(status int, h http.Header, now time.Time) time.Duration {
	if status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable {
		return 0
	}
	wait, _ := netfault.RetryAfter(h, now)
	return wait
}

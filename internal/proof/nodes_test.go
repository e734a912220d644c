package proof_test

import (
	"context"
	mathrand "math/rand/v2"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/pgtest"
)

// killNodes kills nodes amid the load of clients again and again and shows that
// all that clients were told fits one database that never forgot (D-04, D-05).
func killNodes(t *testing.T, kills, calls int, pause time.Duration) {
	t.Helper()
	url := pgtest.Ready(t)
	f := newFleet(t, url, 3, nodeSettings()...)
	c := newChronicle(f)
	c.pause = pause
	c.configure()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); c.run(ctx, 12) }()
	enough := func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.history) >= calls
	}
	killed, slowest := 0, time.Duration(0)
	for begun := time.Now(); killed < kills || !enough(); {
		if time.Since(begun) > patience+time.Duration(kills)*10*time.Second+time.Duration(calls)*20*time.Millisecond {
			t.Fatalf("%d kills and %d calls take too long\n%s", kills, calls, f.logs())
		}
		time.Sleep(time.Duration(200+mathrand.IntN(1000)) * time.Millisecond) // until some moment amid the load
		i := mathrand.IntN(3)
		f.kill(i)
		killed++
		slowest = max(slowest, f.start(i).ready)
	}
	cancel()
	<-ended
	t.Logf("%d kills of 3 nodes, slowest start to ready %v", killed, slowest)
	c.judge(t, "kills")
	sound(t, open(t, url))
}

func TestHistoriesOfThreeNodesFitThoughNodesAreKilled(t *testing.T) {
	t.Parallel()
	killNodes(t, 8, 2000, 20*time.Millisecond)
}

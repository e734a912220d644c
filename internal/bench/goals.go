package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Recorded figures of the open peer (otpgateway with Redis, appendfsync
// always), measured on a machine of this kind: it is not run beside us, so
// its figures stand in and are marked so.
const (
	peerCheck    = 2900.0 // checks/s
	peerSlowSend = 303.0  // creates/s with a provider that takes 200 ms
)

// held is a carrier delay that outlasts a measurement: dispatch is as good as
// paused.
const held = 10 * time.Minute

func (b *bench) withTarget(ctx context.Context, o options, do func(*target) error) error {
	dir, err := b.newDir()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	t, err := startTarget(ctx, b.binary, dir, o)
	if err != nil {
		return err
	}
	defer t.stop()
	return do(t)
}

func (b *bench) withBare(ctx context.Context, do func(addr string) error) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	p, err := start(ctx, nil, self, "bare")
	if err != nil {
		return err
	}
	defer p.stop()
	return do(p.addr)
}

// progress tells what is going on, on standard error.
func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// throughput measures P1, P4 and P6: each round every ceiling beside every
// figure.
func (b *bench) throughput(ctx context.Context) error {
	var sendHTTP, sendStore, checkHTTP []float64
	var last onePeak
	var half halfPeak
	for round := range b.rounds {
		p, err := b.onePeak(ctx, &half)
		if err != nil {
			return err
		}
		sendHTTP = append(sendHTTP, p.send/p.bare)
		sendStore = append(sendStore, p.send/p.store)
		checkHTTP = append(checkHTTP, p.check/p.bare)
		progress("round %d: bare net/http %.0f/s, bare store %.0f/s, sends %.0f/s, checks %.0f/s; p99 at half: send %s, check %s, bare %s",
			round+1, p.bare, p.store, p.send, p.check, half.send[round], half.check[round], half.bare[round])
		last = p
	}
	b.ratio("P1", "accepted sends/s, dispatch held", last.send, "bare store's send", last.store, median(sendStore), 0.3, 0.4)
	b.ratio("P1", "accepted sends/s, dispatch held", last.send, "bare net/http", last.bare, median(sendHTTP), 0.45, 0.6)
	b.ratio("P4", "checks/s, half wrong, half right", last.check, "bare net/http", last.bare, median(checkHTTP), 0.4, 0.55)
	b.ratio("P4", "checks/s, half wrong, half right", last.check, "otpgateway check (recorded)", peerCheck, last.check/peerCheck, 2.5, 3.5)
	b.atHalfPeak(&half)
	return nil
}

// onePeak is a round of throughput: what each does in a second.
type onePeak struct {
	rates

	bare, store float64
}

func (b *bench) onePeak(ctx context.Context, half *halfPeak) (p onePeak, err error) {
	dir, err := b.newDir()
	if err != nil {
		return p, err
	}
	p.store, err = bareStore(ctx, dir, 4*time.Second)
	_ = os.RemoveAll(dir)
	if err != nil {
		return p, err
	}
	err = b.withBare(ctx, func(addr string) error {
		bare, err := load(ctx, addr, b.sends, 0, bareCall)
		if err != nil {
			return err
		}
		p.bare = bare.rate()
		return b.withTarget(ctx, options{submitDelay: held}, func(t *target) error {
			if p.rates, err = b.peak(ctx, &deployment{nodes: []*target{t}}); err != nil {
				return err
			}
			return half.measure(ctx, t, addr, p.rates)
		})
	})
	return p, err
}

// ratio adds the median ratio of several rounds, with the figures of the last.
func (b *bench) ratio(goal, what string, rate float64, name string, ceiling, ratio, must, aim float64) {
	b.atLeast(goal, what, rate, ceiling, name, must, aim)
	r := &b.rows[len(b.rows)-1]
	r.ratio, r.met, r.reaching = ratio, ratio >= must, ratio >= aim
}

func (b *bench) worst(goal, what string, d time.Duration, name string, other time.Duration, ratio, must, aim float64) {
	b.atMost(goal, what, d, other, name, must, aim)
	r := &b.rows[len(b.rows)-1]
	r.ratio, r.met, r.reaching = ratio, ratio <= must, ratio <= aim
}

// dispatch measures P8 (a slow carrier must not slow the accept) and P9 (from
// accept to the carrier).
func (b *bench) dispatch(ctx context.Context) error {
	var slowRate, slowP50, fastP50 []float64
	var p50, p99 []time.Duration
	for round := range b.rounds {
		var fast, slow outcome
		err := b.withTarget(ctx, options{}, func(t *target) (err error) {
			if fast, err = load(ctx, t.addr, b.sends, 0, t.send("login", 0, nil)); err != nil {
				return err
			}
			time.Sleep(2 * time.Second) // let dispatch catch up, so that P9 starts level
			before, err := t.metric(ctx, handedMetric+"_bucket")
			if err != nil {
				return err
			}
			half := fast.rate() / 2
			if _, err = load(ctx, t.addr, int(half*5), half, t.send("login", 1_000_000, nil)); err != nil {
				return err
			}
			time.Sleep(time.Second)
			after, err := t.metric(ctx, handedMetric+"_bucket")
			if err != nil {
				return err
			}
			p50 = append(p50, bucketQuantile(before, after, 0.5))
			p99 = append(p99, bucketQuantile(before, after, 0.99))
			return nil
		})
		if err != nil {
			return err
		}
		err = b.withTarget(ctx, options{submitDelay: 200 * time.Millisecond}, func(t *target) (err error) {
			slow, err = load(ctx, t.addr, b.sends, 0, t.send("login", 0, nil))
			return err
		})
		if err != nil {
			return err
		}
		slowRate = append(slowRate, slow.rate())
		slowP50 = append(slowP50, float64(slow.latency.quantile(0.5)))
		fastP50 = append(fastP50, float64(fast.latency.quantile(0.5)))
		progress("round %d: accepts %.0f/s with a fast carrier, %.0f/s with one of 200 ms; accept to carrier p50 %s, p99 %s",
			round+1, fast.rate(), slow.rate(), p50[round], p99[round])
	}
	b.atLeast("P8", "accepts/s, a carrier of 200 ms", median(slowRate), peerSlowSend, "otpgateway in that case (recorded)", 20, 30)
	b.atMost("P8", "accept p50, a carrier of 200 ms", time.Duration(median(slowP50)), time.Duration(median(fastP50)), "with a fast carrier", 1.5, 1.5)
	b.within("P9", "accept to carrier p50 at half load", median(p50), 5*time.Millisecond, 2*time.Millisecond)
	b.within("P9", "accept to carrier p99 at half load", median(p99), 50*time.Millisecond, 20*time.Millisecond)
	return nil
}

// handedMetric is the histogram of the time from accept to carrier.
const handedMetric = "countersign_handoff_seconds"

// bucketQuantile interpolates a quantile of what a cumulative histogram
// gathered between two readings.
func bucketQuantile(before, after series, q float64) time.Duration {
	type bucket struct{ le, n float64 }
	sums := map[float64]float64{}
	for labels, n := range after {
		_, le, ok := strings.Cut(labels, `le="`)
		if !ok {
			continue
		}
		le, _, _ = strings.Cut(le, `"`)
		bound := math.Inf(1)
		if le != "+Inf" {
			var err error
			if bound, err = strconv.ParseFloat(le, 64); err != nil {
				continue
			}
		}
		sums[bound] += n - before[labels]
	}
	var buckets []bucket
	for le, n := range sums {
		buckets = append(buckets, bucket{le, n})
	}
	sort.Slice(buckets, func(i, j int) bool { return buckets[i].le < buckets[j].le })
	if len(buckets) == 0 {
		return 0
	}
	want := q * buckets[len(buckets)-1].n
	low := bucket{}
	for _, b := range buckets {
		if b.n >= want {
			if math.IsInf(b.le, 1) || b.n == low.n {
				return time.Duration(low.le * float64(time.Second))
			}
			at := low.le + (b.le-low.le)*(want-low.n)/(b.n-low.n)
			return time.Duration(at * float64(time.Second))
		}
		low = b
	}
	return 0
}

// idle measures P12.
func (b *bench) idle(ctx context.Context) error {
	return b.withTarget(ctx, options{}, func(t *target) error {
		time.Sleep(3 * time.Second)
		rss, err := t.resident()
		if err != nil {
			return err
		}
		b.small("P12", "resident memory, idle", rss, 40<<20, 25<<20)
		return nil
	})
}

// footprint measures P10 and P11 with many live OTPs.
func (b *bench) footprint(ctx context.Context) error {
	return b.withTarget(ctx, options{}, func(t *target) error {
		time.Sleep(3 * time.Second)
		before, err := t.resident()
		if err != nil {
			return err
		}
		filled, err := load(ctx, t.addr, b.live, 0, t.send("login", 0, nil))
		if err != nil {
			return err
		}
		progress("filled %d OTPs at %.0f/s", b.live, filled.rate())
		if err := b.settle(ctx, t); err != nil {
			return err
		}
		rss, err := t.resident()
		if err != nil {
			return err
		}
		disk, err := diskUse(t.dir)
		if err != nil {
			return err
		}
		million := 1_000_000 / float64(b.live)
		b.small("P10", fmt.Sprintf("resident above idle, %d live OTPs", b.live), int64(float64(rss-before)*million), 350<<20, 250<<20)
		b.small("P11", fmt.Sprintf("disk, %d live OTPs", b.live), int64(float64(disk)*million), 600<<20, 460<<20)
		return nil
	})
}

// settle waits until everything that was accepted has been delivered.
func (b *bench) settle(ctx context.Context, t *target) error {
	for deadline := time.Now().Add(10 * time.Minute); time.Now().Before(deadline); {
		depth, err := t.metric(ctx, "countersign_delivery_queue_depth")
		if err != nil {
			return err
		}
		total := 0.0
		for _, n := range depth {
			total += n
		}
		if total == 0 {
			time.Sleep(5 * time.Second) // checkpoints and the collector finish
			return nil
		}
		time.Sleep(time.Second)
	}
	return errors.New("the queue did not empty")
}

// growth measures the second half of P11: three rounds of fill and expire
// leave the files no larger than the first.
func (b *bench) growth(ctx context.Context) error {
	o := options{env: []string{"COUNTERSIGN_RETENTION=1m"}}
	return b.withTarget(ctx, o, func(t *target) error {
		var sizes []float64
		n := b.live / 10
		for round := range 3 {
			// To the same people each time: what limits remember of a recipient
			// stays for two days and is no part of what expires.
			if _, err := load(ctx, t.addr, n, 0, t.send("short", 0, nil)); err != nil {
				return err
			}
			if err := b.settle(ctx, t); err != nil {
				return err
			}
			progress("round %d: waiting for the OTPs to expire and be purged", round+1)
			time.Sleep(2*time.Minute + 30*time.Second)
			disk, err := diskUse(t.dir)
			if err != nil {
				return err
			}
			sizes = append(sizes, float64(disk))
			progress("round %d: %s on disk", round+1, mib(disk))
		}
		ratio := sizes[2] / sizes[0]
		b.rows = append(b.rows, row{
			goal: "P11", what: fmt.Sprintf("disk after 3 rounds of %d filled and purged", n), figure: mib(int64(sizes[2])),
			against: "after the first " + mib(int64(sizes[0])), ratio: ratio, must: "1.1 ×", aim: "1 ×", met: ratio <= 1.1, reaching: ratio <= 1,
		})
		return nil
	})
}

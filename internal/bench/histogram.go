package main

import (
	"math/bits"
	"sync"
	"time"
)

// histogram counts durations in buckets of at most 1/64 relative width. The
// zero histogram is empty and ready. It is safe for concurrent use.
type histogram struct {
	mu     sync.Mutex // guards what follows
	counts [64 * 64]int
	total  int
	sum    time.Duration
}

const subBits = 6 // 64 buckets for each power of two

func bucketOf(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 0))
	if us < 1<<subBits {
		return int(us)
	}
	shift := bits.Len64(us) - subBits - 1
	return (shift+1)<<subBits + int(us>>shift) - 1<<subBits
}

func bucketTop(b int) time.Duration {
	if b < 1<<subBits {
		return time.Duration(b+1) * time.Microsecond
	}
	shift := b>>subBits - 1
	return time.Duration((b&(1<<subBits-1)+1<<subBits+1)<<shift) * time.Microsecond
}

func (h *histogram) add(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts[bucketOf(d)]++
	h.total++
	h.sum += d
}

// quantile returns the least duration that at least q of all are within.
func (h *histogram) quantile(q float64) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	want := int(q * float64(h.total))
	for b, n := range h.counts {
		want -= n
		if want < 0 {
			return bucketTop(b)
		}
	}
	return 0
}

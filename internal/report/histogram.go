package report

import (
	"slices"
	"time"
)

// bounds are the upper ends of the buckets that times to verify are counted
// in; one more bucket is for what takes longer. What is stored depends on
// them: they never change.
var bounds = [...]time.Duration{
	1 * time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second, 5 * time.Second, 6 * time.Second,
	7 * time.Second, 8 * time.Second, 10 * time.Second, 12 * time.Second, 15 * time.Second, 18 * time.Second,
	20 * time.Second, 25 * time.Second, 30 * time.Second, 35 * time.Second, 40 * time.Second, 45 * time.Second,
	50 * time.Second, time.Minute, 75 * time.Second, 90 * time.Second, 105 * time.Second, 2 * time.Minute,
	150 * time.Second, 3 * time.Minute, 4 * time.Minute, 5 * time.Minute, 450 * time.Second, 10 * time.Minute,
	15 * time.Minute, 30 * time.Minute, time.Hour,
}

// Buckets is how many buckets a Histogram has.
const Buckets = len(bounds) + 1

// Bounds returns the upper ends of all buckets but the last. A time that is
// equal to one belongs to the next bucket. The caller owns the slice.
func Bounds() []time.Duration { return slices.Clone(bounds[:]) }

// BucketOf returns the bucket that a time to verify is counted in, from 0.
func BucketOf(took time.Duration) int {
	at, exact := slices.BinarySearch(bounds[:], took)
	if exact {
		at++
	}
	return at
}

// Histogram counts times to verify by bucket.
type Histogram [Buckets]int64

// Quantile returns the time within which the share q (0 to 1) of all came,
// taken evenly within a bucket; false if there are none. What took more than
// an hour counts as an hour.
func (h *Histogram) Quantile(q float64) (time.Duration, bool) {
	var all int64
	for _, n := range h {
		all += n
	}
	if all == 0 {
		return 0, false
	}
	rank := q * float64(all)
	var before float64
	low := time.Duration(0)
	for i, n := range h {
		if i == len(bounds) {
			break
		}
		if n > 0 && before+float64(n) >= rank {
			share := (rank - before) / float64(n)
			return low + time.Duration(share*float64(bounds[i]-low)), true
		}
		before += float64(n)
		low = bounds[i]
	}
	return bounds[len(bounds)-1], true
}

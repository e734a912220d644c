package postgres

import "time"

// microsOf is column.Micros of many.
func microsOf(times []time.Time) []int64 {
	all := make([]int64, 0, len(times))
	for _, t := range times {
		all = append(all, t.UnixMicro())
	}
	return all
}

// fromAll is the inverse of microsOf.
func fromAll(all []int64) []time.Time {
	times := make([]time.Time, 0, len(all))
	for _, us := range all {
		times = append(times, time.UnixMicro(us).UTC())
	}
	return times
}

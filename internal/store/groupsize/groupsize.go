// Package groupsize bounds how many callers' work one commit carries by how
// long groups take, so that nobody waits long behind a group where work is slow
// (D-08).
package groupsize

import "time"

// Size is how many callers' work the next group may carry. It is not safe for
// concurrent use.
type Size struct {
	least, most int
	want        time.Duration
	now         int
}

// New returns a size that begins at most, and keeps from least to most so that
// groups take about want.
func New(least, most int, want time.Duration) Size {
	return Size{least: least, most: most, want: want, now: most}
}

// Max is the number of callers.
func (s *Size) Max() int { return s.now }

// Took tells what a group of so many callers took: it becomes smaller after one
// that took longer than is wanted, unless that was small and slow for another
// reason, and larger again after full ones that were quick.
func (s *Size) Took(callers int, took time.Duration) {
	switch {
	case took > s.want && callers > s.least:
		s.now = max(s.least, min(s.now, int(float64(callers)*float64(s.want)/float64(took))))
	case took < s.want/2 && callers >= s.now:
		s.now = min(2*s.now, s.most)
	}
}

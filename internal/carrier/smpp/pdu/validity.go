package pdu

import (
	"fmt"
	"time"
)

// maxRelative is the longest relative time that is written: days only count up
// to a month.
const maxRelative = 30 * 24 * time.Hour

// RelativeTime returns d, rounded down to seconds and at most 30 days, as a
// relative time of 16 characters: "000000000500000R" for five minutes (SMPP 3.4
// §7.1.1.2).
func RelativeTime(d time.Duration) string {
	d = min(max(d, 0), maxRelative)
	s := int(d / time.Second)
	return fmt.Sprintf("0000%02d%02d%02d%02d000R", s/86400, s/3600%24, s/60%60, s%60)
}

// AbsoluteTime returns t as an absolute time in UTC of 16 characters:
// "261122003404000+" (SMPP 3.4 §7.1.1.1).
func AbsoluteTime(t time.Time) string { return t.UTC().Format("060102150405") + "000+" }

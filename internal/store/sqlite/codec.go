package sqlite

import (
	"encoding/binary"
	"time"
)

// encodeTimes packs times into 8 bytes each, in order.
func encodeTimes(times []time.Time) []byte {
	b := make([]byte, 0, 8*len(times))
	for _, t := range times {
		b = binary.BigEndian.AppendUint64(b, uint64(t.UnixMicro()))
	}
	return b
}

// optionalTimes is encodeTimes with NULL for none.
func optionalTimes(times []time.Time) any {
	if len(times) == 0 {
		return nil
	}
	return encodeTimes(times)
}

func decodeTimes(b []byte) []time.Time {
	times := make([]time.Time, 0, len(b)/8)
	for ; len(b) >= 8; b = b[8:] {
		times = append(times, time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC()) //nolint:gosec // the same bits
	}
	return times
}

package sqlite

import (
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// Marks before ids that are kept as text.
const (
	textID   = 't'
	paddedID = 'p' // with one byte behind it, so that it is not as long as a UUID
)

const uuidSize = 16

// encodeID packs an id: a UUID in its usual lower-case form into 16 bytes, any
// other as its text with a mark before it, so that no two ids meet.
func encodeID(id string) []byte {
	if len(id) == 36 {
		if u, err := uuid.Parse(id); err == nil && u.String() == id {
			return u[:]
		}
	}
	if len(id) == uuidSize-1 {
		return append(append([]byte{paddedID}, id...), 0)
	}
	return append([]byte{textID}, id...)
}

// decodeID is the inverse of encodeID.
func decodeID(b []byte) string {
	switch {
	case len(b) == uuidSize:
		return uuid.UUID(b).String()
	case len(b) > 1 && b[0] == paddedID:
		return string(b[1 : len(b)-1])
	case len(b) > 0:
		return string(b[1:])
	}
	return ""
}

// encodeOptionalID is encodeID with NULL for "".
func encodeOptionalID(id string) any {
	if id == "" {
		return nil
	}
	return encodeID(id)
}

func decodeOptionalID(b []byte) string {
	if b == nil {
		return ""
	}
	return decodeID(b)
}

// micros is how a time is stored; 0 stands for no time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// optionalMicros is micros with NULL for no time.
func optionalMicros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// fromMicros is the inverse of micros.
func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// optionalText is s, or NULL for "".
func optionalText(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// encodeTimes packs times into 8 bytes each, in order.
func encodeTimes(times []time.Time) []byte {
	b := make([]byte, 0, 8*len(times))
	for _, t := range times {
		b = binary.BigEndian.AppendUint64(b, uint64(t.UnixMicro()))
	}
	return b
}

func decodeTimes(b []byte) []time.Time {
	times := make([]time.Time, 0, len(b)/8)
	for ; len(b) >= 8; b = b[8:] {
		times = append(times, time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC()) //nolint:gosec // the same bits
	}
	return times
}

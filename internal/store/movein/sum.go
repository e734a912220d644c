package movein

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// sum is a hash of rows that does not depend on their order: the two databases
// do not sort alike.
type sum struct {
	rows  int64
	lanes [4]uint64 // of the rows' hashes, added up
}

// What stands before a value in a row's hash.
const (
	isNull byte = iota
	isNumber
	isText
	isBytes
	isList
)

// add adds a row of nil, bool, int64, string, []byte and []int64.
func (s *sum) add(row []any) error {
	var b []byte
	for _, v := range row {
		switch v := v.(type) {
		case nil:
			b = append(b, isNull)
		case bool:
			n := uint64(0)
			if v {
				n = 1
			}
			b = binary.BigEndian.AppendUint64(append(b, isNumber), n)
		case int64:
			b = binary.BigEndian.AppendUint64(append(b, isNumber), uint64(v)) //nolint:gosec // the same bits
		case string:
			b = append(lengthened(append(b, isText), len(v)), v...)
		case []byte:
			b = append(lengthened(append(b, isBytes), len(v)), v...)
		case []int64:
			b = lengthened(append(b, isList), len(v))
			for _, n := range v {
				b = binary.BigEndian.AppendUint64(b, uint64(n)) //nolint:gosec // the same bits
			}
		default:
			return fmt.Errorf("%w: a value of type %T", ErrSchema, v)
		}
	}
	s.rows++
	h := sha256.Sum256(b)
	for i := range s.lanes {
		s.lanes[i] += binary.BigEndian.Uint64(h[8*i:])
	}
	return nil
}

func lengthened(b []byte, n int) []byte { return binary.BigEndian.AppendUint64(b, uint64(n)) } //nolint:gosec // not negative

func (s *sum) hash() (h [sha256.Size]byte) {
	for i, l := range s.lanes {
		binary.BigEndian.PutUint64(h[8*i:], l)
	}
	return h
}

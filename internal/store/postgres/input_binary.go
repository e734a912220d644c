package postgres

import (
	"encoding/binary"
	"math"
)

// Numbers of PostgreSQL's own types (pg_type.dat).
const (
	typeBool  = 16
	typeBytea = 17
	typeInt8  = 20
	typeInt2  = 21
	typeInt4  = 23
	typeText  = 25
)

// noValue is the length of a NULL.
const noValue = math.MaxUint32

// Lengths before what they count, as array_recv and record_recv read them.
const (
	arrayHead = 5 * 4 // dimensions, whether there are NULLs, type, values, lower bound
	rowHead   = 2 * 4 // bytes, fields
)

// binaryInput writes the array in PostgreSQL's binary format.
type binaryInput struct {
	of     uint32 // the values' type
	array  []byte
	rows   uint32
	begun  int    // where the last row's head is
	fields uint32 // of the last row
}

func (i *binaryInput) row() {
	if i.rows == 0 {
		i.array = make([]byte, arrayHead)
	}
	i.endRow()
	i.rows++
	i.begun, i.fields = len(i.array), 0
	i.array = append(i.array, make([]byte, rowHead)...)
}

// endRow fills in the last row's head.
func (i *binaryInput) endRow() {
	if i.rows > 0 {
		head := i.array[i.begun:]
		binary.BigEndian.PutUint32(head, uint32(len(head)-4)) //nolint:gosec // a group is far below 4 GiB
		binary.BigEndian.PutUint32(head[4:], i.fields)
	}
}

func (i *binaryInput) argument() any {
	if i.rows == 0 { // an array of no dimension
		return binary.BigEndian.AppendUint32(make([]byte, 2*4), i.of)
	}
	i.endRow()
	for at, n := range []uint32{1, 0, i.of, i.rows, 1} {
		binary.BigEndian.PutUint32(i.array[4*at:], n)
	}
	return i.array
}

// field begins a field of a type with its length in bytes.
func (i *binaryInput) field(of, length uint32) {
	i.fields++
	i.array = binary.BigEndian.AppendUint32(i.array, of)
	i.array = binary.BigEndian.AppendUint32(i.array, length)
}

func (i *binaryInput) int2(n int) {
	i.field(typeInt2, 2)
	i.array = binary.BigEndian.AppendUint16(i.array, uint16(n)) //nolint:gosec // two's complement
}

func (i *binaryInput) int4(n int) {
	i.field(typeInt4, 4)
	i.array = binary.BigEndian.AppendUint32(i.array, uint32(n)) //nolint:gosec // two's complement
}

func (i *binaryInput) int8(n int64) {
	i.field(typeInt8, 8)
	i.array = binary.BigEndian.AppendUint64(i.array, uint64(n)) //nolint:gosec // two's complement
}

func (i *binaryInput) bool(b bool) {
	i.field(typeBool, 1)
	value := byte(0)
	if b {
		value = 1
	}
	i.array = append(i.array, value)
}

func (i *binaryInput) bytes(b []byte) {
	if b == nil {
		i.field(typeBytea, noValue)
		return
	}
	i.field(typeBytea, uint32(len(b))) //nolint:gosec // as above
	i.array = append(i.array, b...)
}

func (i *binaryInput) string(s string) {
	i.field(typeText, uint32(len(s))) //nolint:gosec // as above
	i.array = append(i.array, s...)
}

func (i *binaryInput) optional(s string) {
	if s == "" {
		i.field(typeText, noValue)
		return
	}
	i.string(s)
}

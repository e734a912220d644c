package report

import (
	"encoding/binary"
	"errors"
)

// hoursADay is how many hours one Day has.
const hoursADay = 24

// Day are the figures of the hours of one day in UTC.
type Day [hoursADay]*Counts

// hour returns the counts of an hour, made if there are none yet.
func (d *Day) hour(h int) *Counts {
	if d[h] == nil {
		d[h] = &Counts{}
	}
	return d[h]
}

// Add adds what o counts.
func (d *Day) Add(o *Day) {
	for h, c := range o {
		if c != nil {
			d.hour(h).Add(c)
		}
	}
}

// dayForm is the first byte of every encoded Day.
const dayForm = 1

// Encode packs the day: for each hour that counts something its number, the
// four counts, how many buckets count something, and these with their numbers;
// all but hours and buckets as varints.
func (d *Day) Encode() []byte {
	b := []byte{dayForm}
	for h, c := range d {
		if c == nil || *c == (Counts{}) {
			continue
		}
		b = append(b, byte(h))
		for _, n := range []int64{c.Sent, c.Delivered, c.Undeliverable, c.Verified} {
			b = binary.AppendUvarint(b, uint64(n)) //nolint:gosec // counts rise
		}
		used := 0
		for _, n := range c.Times {
			if n != 0 {
				used++
			}
		}
		b = append(b, byte(used))
		for i, n := range c.Times {
			if n != 0 {
				b = binary.AppendUvarint(append(b, byte(i)), uint64(n)) //nolint:gosec // as above
			}
		}
	}
	return b
}

// ErrStored is returned for stored bytes that this package did not write.
var ErrStored = errors.New("stored figures or notes cannot be read")

// DecodeDay is the inverse of Encode. No bytes are an empty day.
func DecodeDay(b []byte) (*Day, error) {
	d := &Day{}
	if err := eachHour(b, func(h int, c *Counts) { *d.hour(h) = *c }); err != nil {
		return nil, err
	}
	return d, nil
}

// eachHour calls f for each hour of an encoded day, with counts that the next
// call gets anew: a page reads thousands of days.
func eachHour(b []byte, f func(hour int, c *Counts)) error {
	if len(b) == 0 {
		return nil
	}
	if b[0] != dayForm {
		return ErrStored
	}
	var c Counts
	for r := (reader{b: b[1:]}); len(r.b) > 0; {
		c = Counts{}
		h := int(r.byte())
		for _, n := range [...]*int64{&c.Sent, &c.Delivered, &c.Undeliverable, &c.Verified} {
			*n = r.count()
		}
		for range r.byte() {
			i, n := int(r.byte()), r.count()
			if i >= Buckets {
				return ErrStored
			}
			c.Times[i] = n
		}
		if r.bad || h >= hoursADay {
			return ErrStored
		}
		f(h, &c)
	}
	return nil
}

// reader takes stored bytes apart. Once they end too early, bad is set and
// everything reads as zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

// count reads a varint of at most 62 bits.
func (r *reader) count() int64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > 1<<62 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[size:]
	return int64(n)
}

// text reads a text behind its length in one byte.
func (r *reader) text() string { return string(r.bytes(int(r.byte()))) }

func (r *reader) bytes(n int) []byte {
	if len(r.b) < n {
		r.bad, r.b = true, nil
		return nil
	}
	part := r.b[:n]
	r.b = r.b[n:]
	return part
}

// maxText is the longest text that is kept in a note.
const maxText = 255

// appendText is the inverse of text; longer ones are cut.
func appendText(b []byte, s string) []byte {
	s = s[:min(len(s), maxText)]
	return append(append(b, byte(len(s))), s...) //nolint:gosec // at most maxText
}

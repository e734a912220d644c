package secret

import "bytes"

// minDistinct is how many different bytes a key has at least; half of all random
// keys have 30 or more.
const minDistinct = 8

// sample reports whether a root key is one that people write rather than draw
// (S-01): bytes that repeat, bytes that all differ by the same step, or few
// different ones. Of 32 random bytes they repeat with a probability of 2^-192,
// count with 2^-240 and have fewer than minDistinct values with 1e-36. A text is
// none: 32 hexadecimal digits that were drawn are a key of 128 bits.
func sample(raw []byte) bool {
	// What begins anew after fewer bytes has fewer different ones.
	repeats := bytes.Equal(raw[minDistinct:], raw[:len(raw)-minDistinct])
	return repeats || counting(raw) || distinct(raw) < minDistinct
}

// counting reports whether every step from byte to byte is the same, as in
// 0, 1, 2, ….
func counting(raw []byte) bool {
	step := raw[1] - raw[0]
	for i := 2; i < len(raw); i++ {
		if raw[i]-raw[i-1] != step {
			return false
		}
	}
	return true
}

// distinct counts the different bytes.
func distinct(raw []byte) (n int) {
	var seen [256]bool
	for _, b := range raw {
		if !seen[b] {
			seen[b] = true
			n++
		}
	}
	return n
}

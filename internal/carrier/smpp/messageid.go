package smpp

import (
	"math/big"
	"strings"
)

// idForm brings the message ids of answers and of receipts into one form.
type idForm string

// answered returns the reference for the id of an answer: the form that
// receipts have.
func (f idForm) answered(id string) string {
	switch string(f) {
	case hexToDec:
		return convert(id, 16, 10)
	case decToHex:
		return convert(id, 10, 16)
	}
	return id
}

// received returns the reference for the id of a receipt.
func (f idForm) received(id string) string {
	switch string(f) {
	case hexToDec:
		return convert(id, 10, 10)
	case decToHex:
		return convert(id, 16, 16)
	}
	return id
}

// convert writes a number anew, in lower case and without zeros in front. What
// is no number stays as it is.
func convert(id string, from, to int) string {
	digits := id
	if from == 16 {
		digits = strings.TrimPrefix(strings.ToLower(id), "0x")
	}
	if strings.ContainsAny(digits, "+-_") {
		return id
	}
	n, ok := new(big.Int).SetString(digits, from)
	if !ok {
		return id
	}
	return n.Text(to)
}

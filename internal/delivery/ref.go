package delivery

import (
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Ref that begins with a bracket is not the carrier's message id alone.
const (
	// unsure begins the Ref of a Queued delivery that its carrier may have taken
	// already; the carrier's message id follows, as far as it is known. Receipts
	// that name that find it so (Receipt.Refs).
	unsure = "(uncertain)"
	// partly begins the Ref of a Queued delivery of which its carrier has taken a
	// part; what the carrier is to be told of that follows (Result.Taken).
	partly = "(partly)"
	// inHex begins what is kept of a message id that is no plain text, or begins
	// with a bracket; the id's octets follow in hexadecimal.
	inHex = "(hex)"
)

// plainRef is how a carrier's message id is kept and looked for, in outcomes and
// receipts alike: as it is, or in hexadecimal where not every database could hold
// it. Carriers choose their ids, so that one with a NUL must not keep what became
// of a delivery from being recorded. Different ids stay different.
func plainRef(id string) string {
	if utf8.ValidString(id) && !strings.ContainsFunc(id, unicode.IsControl) && !strings.HasPrefix(id, "(") {
		return id
	}
	return inHex + hex.EncodeToString([]byte(id))
}

// KeptRef is how a Ref is kept that an earlier version recorded as its carrier
// gave it. One that is plain already stays as it is.
func KeptRef(ref string) string {
	if strings.HasPrefix(ref, partly) {
		return ref
	}
	id, queued := strings.CutPrefix(ref, unsure)
	if !strings.HasPrefix(id, inHex) {
		id = plainRef(id)
	}
	if queued {
		return unsure + id
	}
	return id
}

// taken returns what the carrier is to be told that it has taken of the delivery
// before.
func (d Delivery) taken(carrier string) string {
	if d.State != Queued || d.Carrier != carrier || !strings.HasPrefix(d.Ref, partly) {
		return ""
	}
	return d.Ref[len(partly):]
}

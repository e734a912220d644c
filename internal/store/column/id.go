// Package column is how values are kept in columns, in both stores.
package column

import "github.com/google/uuid"

// Marks before ids that are kept as text.
const (
	textID   = 't'
	paddedID = 'p' // with one byte behind it, so that it is not as long as a UUID
)

const uuidSize = 16

// EncodeID packs an id: a UUID in its usual lower-case form into 16 bytes, any
// other as its text with a mark before it, so that no two ids meet.
func EncodeID(id string) []byte {
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

// DecodeID is the inverse of EncodeID and OptionalID.
func DecodeID(b []byte) string {
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

// OptionalID is EncodeID with nil, which is NULL, for "".
func OptionalID(id string) []byte {
	if id == "" {
		return nil
	}
	return EncodeID(id)
}

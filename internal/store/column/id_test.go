package column_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/internal/store/column"
)

func TestIDsComeBackAsTheyWereAndNoTwoMeet(t *testing.T) {
	t.Parallel()
	ids := rapid.OneOf(
		rapid.StringMatching(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`),
		rapid.StringMatching(`[0-9a-fA-F-]{36}`), // nearly one
		rapid.StringN(15, 15, 15),                // with its mark as long as one
		rapid.StringN(1, 64, -1),
	)
	rapid.Check(t, func(t *rapid.T) {
		a, b := ids.Draw(t, "a"), ids.Draw(t, "b")
		if got := column.DecodeID(column.EncodeID(a)); got != a {
			t.Fatalf("%q comes back as %q", a, got)
		}
		if a != b && string(column.EncodeID(a)) == string(column.EncodeID(b)) {
			t.Fatalf("%q and %q are kept as one", a, b)
		}
	})
}

func TestAUUIDIsKeptIn16Bytes(t *testing.T) {
	t.Parallel()
	const id = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
	if got := len(column.EncodeID(id)); got != 16 {
		t.Errorf("a UUID takes %d bytes", got)
	}
	if got := len(column.EncodeID(strings.ToUpper(id))); got != 37 {
		t.Errorf("a UUID in capitals takes %d bytes: it would come back in small letters", got)
	}
	if column.OptionalID("") != nil || column.DecodeID(nil) != "" {
		t.Error("no id is not NULL")
	}
}

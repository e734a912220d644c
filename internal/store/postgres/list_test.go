package postgres_test

import (
	"slices"
	"testing"

	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/verify"
)

// Sends in parallel may get their numbers in another order than their times.
func TestAListIsNewestFirstWhateverTheNumbers(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	s := made(t, url)
	first, second, third := sent(t, s), sent(t, s), sent(t, s)
	if _, err := raw(t, url).Exec(t.Context(), "UPDATE otps SET created_at = created_at + 60000000 WHERE id = $1", column.EncodeID(first)); err != nil {
		t.Fatal(err)
	}
	list, err := s.OTPs(t.Context(), verify.ListQuery{Account: "acme", Origin: "test", Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range list {
		got = append(got, r.ID)
	}
	if want := []string{first, third, second}; !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
}

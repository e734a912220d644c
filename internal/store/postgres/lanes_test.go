package postgres_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/store/postgres"
)

// Two would wait for each other's rows, or write the same row.
func TestWorkThatSharesAnyKeyIsNotInOneGroup(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pieces [][2]string // key, and key besides
		want   []int
	}{
		"nothing shared":            {[][2]string{{"a", ""}, {"b", ""}, {"c", "d"}, {"e", "f"}}, []int{0, 1, 2, 3}},
		"one key":                   {[][2]string{{"a", ""}, {"a", ""}, {"b", ""}}, []int{0, 2}},
		"one key besides":           {[][2]string{{"a", "id"}, {"b", "id"}, {"c", "other"}}, []int{0, 2}},
		"key, and then besides":     {[][2]string{{"id", ""}, {"a", "id"}, {"a", "other"}}, []int{0, 2}},
		"besides, and then the key": {[][2]string{{"a", "id"}, {"id", ""}, {"b", ""}}, []int{0, 2}},
	} {
		if diff := cmp.Diff(c.want, postgres.Gathered(c.pieces...)); diff != "" {
			t.Errorf("%s: what a group takes differs:\n%s", name, diff)
		}
	}
}

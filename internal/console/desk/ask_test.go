package desk_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/console/desk"
	"github.com/countersign/countersign/internal/verify"
)

// reworded is an API whose answers say the same in other words.
type reworded struct {
	desk.API

	old, new string
}

func (a reworded) Call(ctx context.Context, account, method, path, body string) (int, []byte) {
	status, answer := a.API.Call(ctx, account, method, path, body)
	return status, bytes.ReplaceAll(answer, []byte(a.old), []byte(a.new))
}

func TestWhetherAChangeMayHaveBeenMadeIsNotReadFromWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		err      error
		old, new string
		want     string
	}{
		{"it may have been", verify.ErrOutcomeUnknown, "not known", "in doubt", "The outcome is not known"},
		{"it was not", verify.ErrUnavailable, "storage is not", "storage is not known to be", "The server cannot answer at this moment"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, func(cfg *desk.Config) {
				cfg.V4, cfg.V1 = reworded{cfg.V4, c.old, c.new}, reworded{cfg.V1, c.old, c.new}
			})
			owner := s.as(access.Owner)
			failure := fmt.Errorf("insert: %w", c.err)
			s.stored.fails.Store(&failure)
			owner.post(http.StatusServiceUnavailable, "/templates", "channel", "SMS", "name", "a", "language", "en", "message", "{{otp_code}}").has(c.want)
			owner.post(http.StatusServiceUnavailable, "/plans/applications", "name", "a").has(c.want)
		})
	}
}

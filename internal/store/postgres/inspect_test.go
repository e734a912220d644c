package postgres_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/postgres"
)

func TestOnlyAServerThatSyncsBeforeItAcknowledgesIsAccepted(t *testing.T) {
	t.Parallel()
	url := pgtest.Ready(t)
	for value, durable := range map[string]bool{"on": true, "remote_apply": true, "remote_write": false, "local": false, "off": false} {
		s, err := postgres.Open(t.Context(), config(url+"&synchronous_commit="+value))
		if err == nil {
			_ = s.Close()
		}
		if durable && err != nil {
			t.Errorf("synchronous_commit %s: %v; want it accepted", value, err)
		}
		if !durable && (!errors.Is(err, postgres.ErrNotDurable) || !strings.Contains(err.Error(), "synchronous_commit is "+value)) {
			t.Errorf("synchronous_commit %s: %v; want ErrNotDurable that tells the value (D-01, V-07)", value, err)
		}
	}
}

func TestAServerThatCannotBeReachedIsToldOfInOneLine(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://user:hunter2@127.0.0.1:1/x?sslmode=prefer",
		"postgres://user:hunter2@127.0.0.1:1,127.0.0.1:2/x?sslmode=allow",
	} {
		_, err := postgres.Open(t.Context(), config(url))
		if !errors.Is(err, postgres.ErrUnreachable) || strings.ContainsAny(err.Error(), "\n\t") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Open(%q) = %q; want ErrUnreachable in one line", url, err)
		}
		if err != nil && strings.Count(err.Error(), "127.0.0.1:1 (") != 1 {
			t.Errorf("Open(%q) = %q; want what is the same with and without TLS told once", url, err)
		}
	}
}

package main

import (
	"context"
	"log/slog"

	"github.com/coreos/go-systemd/v22/daemon"
)

// tellSupervisor tells the service manager that started the process, if one
// listens (sd_notify(3)), what became of the server: a unit of Type=notify counts
// as started when requests are answered, not when the process is there. One that
// does not hear it is no reason to end; what it does then is its own.
func tellSupervisor(ctx context.Context, log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.WarnContext(ctx, "the service manager could not be told", slog.String("state", state), slog.Any("err", err))
	}
}

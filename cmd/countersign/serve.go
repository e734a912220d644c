package main

import (
	"context"
	"fmt"
	stdlog "log"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/server"
)

// version and commit are set when a release is linked.
var (
	version = "dev"
	commit  = ""
)

type versionCmd struct{}

func (versionCmd) Run(e *environment) error {
	of := commit
	if info, ok := debug.ReadBuildInfo(); ok && of == "" {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				of = s.Value
			}
		}
	}
	if of == "" {
		of = "unknown"
	}
	_, err := fmt.Fprintf(e.out, "countersign %s\ncommit %s\n%s\n", version, of, runtime.Version())
	return err
}

type serveCmd struct{}

// giveBack returns to the system what starting took and serving does not need,
// which else waited until much more is in use. What lies in pools outlives one
// collection.
func giveBack() {
	runtime.GC()
	debug.FreeOSMemory()
}

// gcPercent lets the heap grow to nine times what is in use before it is
// collected: a server's live heap is a few megabytes, and collecting it at
// every doubling costs a tenth of the processor under load, and callers the
// milliseconds that each takes. GOGC overrides it.
const gcPercent = 800

func (serveCmd) Run(e *environment) error {
	// Where nobody reads the log any more the server goes on: a line that cannot be
	// written would end it, without a drain.
	signal.Ignore(syscall.SIGPIPE)
	c, _, err := e.load()
	if err != nil {
		return err
	}
	log := e.queued(c)
	stdlog.SetOutput(libraryLog{log})
	if !slices.ContainsFunc(e.environ, func(v string) bool { return strings.HasPrefix(v, "GOGC=") && v != "GOGC=" }) {
		debug.SetGCPercent(gcPercent)
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	s := &server.Server{
		Started: func(net.Addr, net.Addr) {
			tellSupervisor(e.ctx, log, daemon.SdNotifyReady)
			go giveBack()
		},
		Draining: func() { tellSupervisor(context.WithoutCancel(e.ctx), log, daemon.SdNotifyStopping) },
		Config:   c, Log: log, Version: version, Out: e.out, Hangups: hangups,
		Reread: func() (config.Config, error) {
			c, _, err := e.load()
			return c, err
		},
		Fatal: func(err error) {
			log.ErrorContext(e.ctx, "the disk failed to sync; ending", slog.Any("err", err))
			e.close()
			os.Exit(exitFailed)
		},
	}
	return s.Run(e.ctx)
}

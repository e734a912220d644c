package server_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/fleet"
	"github.com/countersign/countersign/internal/server"
)

func TestAWishToReloadKeepsUntilTheCarriersRun(t *testing.T) {
	t.Parallel()
	c := fileSettings(t, t.TempDir())
	synctest.Test(t, func(t *testing.T) {
		log := &buffer{}
		logger := slog.New(slog.NewTextHandler(log, nil))
		f, err := fleet.New(fleet.Settings{Sandbox: c.Sandbox}, fleet.Deps{Log: logger, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		hangups := make(chan os.Signal, 1)
		hangups <- syscall.SIGHUP
		var read atomic.Int64
		s := &server.Server{Config: c, Log: logger, Hangups: hangups, Reread: func() (config.Config, error) { read.Add(1); return c, nil }}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan error, 2)
		go func() { ended <- s.Reloads(ctx, f) }()
		synctest.Wait()
		if n := read.Load(); n != 0 {
			t.Errorf("the settings were read %d times before the carriers ran\n%s", n, log)
		}
		go func() { ended <- f.Run(ctx) }()
		synctest.Wait()
		if n := read.Load(); n != 1 || !strings.Contains(log.String(), "carriers and routes reloaded") {
			t.Errorf("the settings were read %d times; want one reload\n%s", n, log)
		}
		cancel()
		for range cap(ended) {
			if err := <-ended; err != nil {
				t.Errorf("ended with %v", err)
			}
		}
	})
}

func TestARefusedReloadNamesTheSettingsThatNeedARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "countersign.toml")
	const webhook = "[[carrier]]\nname = \"w\"\ntype = \"webhook\"\nurl = \"http://127.0.0.1:1/\"\nsecret = \"env:SECRET\"\nallow_private = true\n"
	read := func(toml string) config.Config {
		if err := os.WriteFile(path, []byte(toml), 0o600); err != nil {
			t.Fatal(err)
		}
		return fileSettings(t, dir, "COUNTERSIGN_CONFIG="+path, "SECRET=whsec_"+strings.Repeat("a", 32))
	}
	c := read(webhook)
	// What the running server refuses is good after a restart.
	after := read("sandbox = \"on\"\n" + webhook + "[[carrier]]\nname = \"sandbox\"\ntype = \"sandbox\"\n")
	synctest.Test(t, func(t *testing.T) {
		log := &buffer{}
		logger := slog.New(slog.NewTextHandler(log, nil))
		f, err := fleet.New(fleet.Settings{Sandbox: c.Sandbox}, fleet.Deps{
			Log: logger, Now: time.Now, Tokens: func(string) []string { return []string{"token"} },
		})
		if err != nil {
			t.Fatal(err)
		}
		hangups := make(chan os.Signal, 1)
		hangups <- syscall.SIGHUP
		s := &server.Server{Config: c, Log: logger, Hangups: hangups, Reread: func() (config.Config, error) { return after, nil }}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan error, 2)
		go func() { ended <- f.Run(ctx) }()
		go func() { ended <- s.Reloads(ctx, f) }()
		synctest.Wait()
		for _, want := range []string{"settings not reloaded; the old ones stay", "settings=sandbox\n"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log lacks %q\n%s", want, log)
			}
		}
		cancel()
		for range cap(ended) {
			if err := <-ended; err != nil {
				t.Errorf("ended with %v", err)
			}
		}
	})
}

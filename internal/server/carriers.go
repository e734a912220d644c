package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/fleet"
	"github.com/countersign/countersign/internal/secret"
)

// errNotServing is what receipts meet in a process that does not serve.
var errNotServing = errors.New("this process takes no receipts")

// fleetSettings are what c says of carriers. When the sandbox serves is decided
// at the start: the setting is not reloaded.
func (d *Deployment) fleetSettings(c config.Config) fleet.Settings {
	return fleet.Settings{Carriers: c.Carriers, Routes: c.Routes, Sandbox: d.Config.Sandbox}
}

// fleetDeps are what the carriers of every process work with.
func (d *Deployment) fleetDeps(box *Box, receive Receive, version string) fleet.Deps {
	return fleet.Deps{
		Receive: receive, Log: d.Log, Now: time.Now, //nolint:forbidigo // deadlines of connections
		Tokens: d.Keys.ReceiptTokens, PublicURL: d.Config.PublicURL, Version: version, Sandbox: box.asCarrier(),
		Notes:  d.Store, // nil where CheckCarriers has none
		Sender: d.Config.Senders.Of,
	}
}

// Carriers returns the deployment's carriers and routes for a look at them;
// nothing is run. What is wrong with them is a *config.FileError.
func (d *Deployment) Carriers() (*fleet.Fleet, error) {
	return fleet.New(d.fleetSettings(d.Config), d.fleetDeps(d.box(nothingReceived), nothingReceived, "")) //nolint:wrapcheck // it names file and line
}

// CheckCarriers says what is wrong with the carriers and routes of c, as Carriers
// does, without a deployment: so that one that cannot be served is neither made
// nor migrated.
func CheckCarriers(c config.Config, log *slog.Logger) error {
	root, err := secret.NewRoot(rand.Reader)
	if err != nil {
		return fmt.Errorf("check carriers: %w", err)
	}
	keys, err := secret.NewKeyring(root) // of tokens that nobody is told
	if err != nil {
		return fmt.Errorf("check carriers: %w", err)
	}
	box := &Box{}
	if c.Sandbox != config.SandboxOff {
		box.carrier = sandbox.New(sandbox.Config{Log: log})
	}
	d := &Deployment{Config: c, Keys: keys, Log: log}
	_, err = fleet.New(d.fleetSettings(c), d.fleetDeps(box, nothingReceived, ""))
	return err //nolint:wrapcheck // it names file and line
}

// nothingReceived takes no receipts.
func nothingReceived(context.Context, delivery.Receipt) (bool, error) { return false, errNotServing }

// reloads reloads carriers and routes whenever it is asked to, until ctx ends.
func (s *Server) reloads(ctx context.Context, d *Deployment, f *fleet.Fleet) error {
	if s.Reread == nil {
		return nil
	}
	select { // a wish that comes before keeps until then
	case <-ctx.Done():
		return nil
	case <-f.Begun():
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.Hangups:
			s.reload(ctx, d, f)
		}
	}
}

// reload takes over what the settings say of carriers and routes. If anything in
// them is wrong nothing changes.
func (s *Server) reload(ctx context.Context, d *Deployment, f *fleet.Fleet) {
	c, err := s.Reread()
	read := err == nil
	var change fleet.Change
	if read {
		change, err = f.Reload(ctx, d.fleetSettings(c))
	}
	// What keeps carriers and routes out may be a setting that has not changed yet.
	if names := s.Config.Changed(&c); read && len(names) > 0 {
		s.Log.WarnContext(ctx, "changed settings need a restart", slog.String("settings", strings.Join(names, ", ")))
	}
	if err != nil {
		for problem := range strings.SplitSeq(err.Error(), "\n") {
			s.Log.ErrorContext(ctx, "settings not reloaded; the old ones stay", slog.String("err", problem))
		}
		return
	}
	s.Log.InfoContext(ctx, "carriers and routes reloaded",
		slog.String("kept", strings.Join(change.Kept, ", ")), slog.String("replaced", strings.Join(change.Replaced, ", ")),
		slog.String("added", strings.Join(change.Added, ", ")), slog.String("removed", strings.Join(change.Removed, ", ")))
}

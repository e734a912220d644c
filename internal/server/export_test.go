package server

import (
	"context"
	"time"

	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/fleet"
)

// NewHTTPServer is newHTTPServer.
var NewHTTPServer = newHTTPServer

// RefusePostgres is what Open makes of an error of the PostgreSQL store.
func RefusePostgres(err error) error { return refusePostgres("the database", err) }

// CloseWithin is closeWithin.
var CloseWithin = closeWithin

// LeaveAfter lets a server leave behind what has not ended so long after its
// stop.
func (s *Server) LeaveAfter(bound time.Duration) { s.bound = bound }

// Reloads is reloads of a deployment that keeps nothing.
func (s *Server) Reloads(ctx context.Context, f *fleet.Fleet) error {
	return s.reloads(ctx, &Deployment{Config: s.Config}, f)
}

// Looser is looser.
var Looser = looser

// SecureCookies is secureCookies of a deployment of c.
func SecureCookies(c config.Config) bool { return (&Deployment{Config: c}).secureCookies() }

// Origin is origin of a deployment of c.
func Origin(c config.Config) string { return (&Deployment{Config: c}).origin().String() }

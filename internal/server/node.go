package server

import (
	"context"
	"crypto/rand"
)

// soleNode names the server that has its database to itself. It takes up at
// once what an earlier one left.
const soleNode = "sole"

// node names this process in leases and says whether no other serves from the
// database. Nodes of PostgreSQL cannot know that of each other.
func (s *Server) node(ctx context.Context, p *parts) (name string, sole bool, err error) {
	if s.Config.Postgres() {
		return rand.Text(), false, nil
	}
	p.lock, sole, err = lock(s.Config.DatabasePath + ".lock")
	if err != nil || sole {
		return soleNode, sole, err
	}
	s.Log.WarnContext(ctx, "another server uses this database; working beside it")
	return rand.Text(), false, nil
}

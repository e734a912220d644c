package server

import (
	"context"
	"crypto/rand"
	"os"
)

// soleNode names the server that has its database to itself. It takes up at
// once what an earlier one left.
const soleNode = "sole"

// node is this process among those that serve from one database.
type node struct {
	name string   // in leases
	lock *os.File // that no other serves from the database; nil if one may
}

// sole reports whether no other serves from the database.
func (n node) sole() bool { return n.lock != nil }

// close lets another server be the sole one.
func (n node) close() {
	if n.lock != nil {
		_ = n.lock.Close()
	}
}

// node says which node of d this process is. Nodes of PostgreSQL cannot know of
// each other.
func (s *Server) node(ctx context.Context, d *Deployment) (node, error) {
	if d.Config.Postgres() {
		return node{name: rand.Text()}, nil
	}
	held, sole, err := lock(d.Config.DatabasePath + ".lock")
	if err != nil || sole {
		return node{soleNode, held}, err
	}
	s.Log.WarnContext(ctx, "another server uses this database; working beside it")
	return node{name: rand.Text()}, nil
}

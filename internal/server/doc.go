// Package server puts the parts together: it opens the database with its keys,
// builds the services on it and the facades on these, and runs them until its
// context ends. Commands use the same opening and the same services, so that
// they work beside a running server as it would.
package server

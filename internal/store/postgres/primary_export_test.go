package postgres

import "github.com/jackc/pgx/v5"

// Succession has another server promoted in the place of the one at the end of conn,
// and calls succeeded when nodes do.
func Succession(conn *pgx.Conn, succeeded func()) {
	p := newPrimaries()
	p.onSuccession(succeeded)
	p.note(timeline{"cluster", 1}, "")
	p.open[conn] = timeline{"cluster", 1}
	p.note(timeline{"cluster", 2}, "")
}

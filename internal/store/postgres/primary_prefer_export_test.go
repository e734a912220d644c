package postgres

import "github.com/jackc/pgx/v5/pgconn"

// Preferred are the servers of a URL in the order in which a node tries them that
// found the primary at this address, HOST:PORT.
func Preferred(url, primary string) ([]string, error) {
	c, err := pgconn.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	p := newPrimaries()
	p.note(timeline{"cluster", 1}, primary)
	p.prefer(c)
	all := []string{address(c.Host, c.Port)}
	for _, f := range c.Fallbacks {
		all = append(all, address(f.Host, f.Port))
	}
	return all, nil
}

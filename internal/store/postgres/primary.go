package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Bounds of looking for the primary among several servers.
const (
	lookEvery = time.Second     // how soon a node notices that another server was promoted
	lookTime  = 3 * time.Second // one look at one server
)

// errDeposed refuses a server that was the primary once and takes writes as if
// it still were.
var errDeposed = errors.New("another server was promoted in this one's place")

// timelineSQL tells which cluster a server belongs to and on which timeline it
// writes, 0 for a standby. Every promotion begins a timeline with a higher
// number.
const timelineSQL = `SELECT system_identifier, CASE WHEN pg_is_in_recovery() THEN 0
	ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint END FROM pg_control_system()`

// timeline is where a server writes. The zero timeline is that of a standby, or
// of a server that does not tell.
type timeline struct {
	cluster string
	number  int64
}

// timelineKey is where a connection keeps its server's timeline.
const timelineKey = "countersign.timeline"

// primaries knows the newest timeline that any server has shown this node, and
// keeps the node off servers that write on an older one: after a failover the
// old primary may come back, or stand still with connections open, and know
// nothing of its successor (D-06). It is safe for concurrent use.
type primaries struct {
	mu     sync.Mutex // guards what follows
	newest map[string]int64
	at     string                 // HOST:PORT of the server that showed it, "" if not known
	open   map[*pgx.Conn]timeline // of pools
	// succeeded is called where another timeline than was known begins, when nobody
	// is asked on the old one any more: what an asynchronous standby had not got by
	// then never was. It calls nothing here.
	succeeded func()
}

func newPrimaries() *primaries {
	return &primaries{newest: map[string]int64{}, open: map[*pgx.Conn]timeline{}, succeeded: func() {}}
}

// onSuccession has f called where another timeline than was known begins, after the
// last question on the old one and before the first on it.
func (p *primaries) onSuccession(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.succeeded = f
}

// guard makes a pool's connections go to the newest primary only, and to no
// server that is too old.
func (p *primaries) guard(c *pgxpool.Config) {
	validate := c.ConnConfig.ValidateConnect
	c.ConnConfig.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if err := newEnough(conn.ParameterStatus("server_version")); err != nil {
			return err // before it is asked what it may not know
		}
		if err := validate(ctx, conn); err != nil {
			return err
		}
		line, err := timelineOf(ctx, conn)
		if err != nil {
			return err
		}
		conn.CustomData()[timelineKey] = line
		return p.admit(line)
	}
	c.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		p.prefer(&c.Config)
		return nil
	}
	c.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		line, _ := conn.PgConn().CustomData()[timelineKey].(timeline)
		p.mu.Lock()
		p.open[conn] = line
		p.mu.Unlock()
		return p.admit(line) // another one may have been promoted meanwhile
	}
	c.BeforeClose = func(conn *pgx.Conn) {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, conn)
	}
}

// timelineOf asks a server. One that is no PostgreSQL may not know the answer; an
// error is of a connection that ended over it.
func timelineOf(ctx context.Context, conn *pgconn.PgConn) (timeline, error) {
	results, err := conn.Exec(ctx, timelineSQL).ReadAll()
	if err != nil && conn.IsClosed() {
		return timeline{}, fmt.Errorf("ask for the timeline: %w", err)
	}
	if err != nil || len(results) == 0 || len(results[0].Rows) == 0 || len(results[0].Rows[0]) != 2 {
		return timeline{}, nil //nolint:nilerr // it does not tell
	}
	row := results[0].Rows[0]
	number, err := strconv.ParseInt(string(row[1]), 10, 64)
	if err != nil {
		return timeline{}, nil //nolint:nilerr // as above
	}
	return timeline{string(row[0]), number}, nil
}

// admit refuses an older timeline than the newest.
func (p *primaries) admit(line timeline) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if line.number > 0 && line.number < p.newest[line.cluster] {
		return errDeposed
	}
	p.noteLocked(line, "")
	return nil
}

// note takes notice of a server's timeline.
func (p *primaries) note(line timeline, at string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.noteLocked(line, at)
}

// noteLocked cuts every connection to a server that a newer one replaces: what
// waits there would wait for ever, as its standby is gone.
func (p *primaries) noteLocked(line timeline, at string) {
	if line.number == 0 || line.number < p.newest[line.cluster] {
		return
	}
	if at != "" {
		p.at = at
	}
	if line.number == p.newest[line.cluster] {
		return
	}
	succession := len(p.newest) > 0
	p.newest[line.cluster] = line.number
	for conn, old := range p.open {
		if old.cluster == line.cluster && old.number < line.number {
			_ = conn.PgConn().Conn().Close() // whoever waits on it is told that it broke
		}
	}
	if succession {
		p.succeeded()
	}
}

// prefer puts the known primary before the other servers of the URL: one of
// these may stand still.
func (p *primaries) prefer(c *pgconn.Config) {
	p.mu.Lock()
	at := p.at
	p.mu.Unlock()
	for _, f := range c.Fallbacks {
		if at == "" || address(c.Host, c.Port) == at {
			return
		}
		if address(f.Host, f.Port) == at {
			first := pgconn.FallbackConfig{Host: c.Host, Port: c.Port, TLSConfig: c.TLSConfig}
			c.Host, c.Port, c.TLSConfig = f.Host, f.Port, f.TLSConfig
			*f = first
		}
	}
}

func address(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.FormatUint(uint64(port), 10))
}

// servers are the configurations of each server that a URL names.
func servers(c *pgconn.Config) []*pgconn.Config {
	all := append([]*pgconn.FallbackConfig{{Host: c.Host, Port: c.Port, TLSConfig: c.TLSConfig}}, c.Fallbacks...)
	var out []*pgconn.Config
	by := map[string]*pgconn.Config{}
	for _, f := range all {
		at := address(f.Host, f.Port)
		if s := by[at]; s != nil { // the same with another kind of TLS
			s.Fallbacks = append(s.Fallbacks, f)
			continue
		}
		s := c.Copy()
		s.Host, s.Port, s.TLSConfig, s.Fallbacks, s.ValidateConnect = f.Host, f.Port, f.TLSConfig, nil, nil
		if name := s.RuntimeParams["application_name"]; !strings.HasSuffix(name, " watch") {
			s.RuntimeParams["application_name"] = name + " watch"
		}
		by[at] = s
		out = append(out, s)
	}
	return out
}

// look asks every server of a URL once, so that a node that starts finds the
// newest primary though an older one stands before it.
func (p *primaries) look(ctx context.Context, c *pgconn.Config, log *slog.Logger) {
	all := servers(c)
	if len(all) < 2 {
		return
	}
	var asked sync.WaitGroup
	for _, s := range all {
		asked.Go(func() {
			ctx, cancel := context.WithTimeoutCause(ctx, lookTime, errSlow)
			defer cancel()
			conn, err := p.glance(ctx, s, nil)
			if err != nil {
				unseen(ctx, log, s, err) // Open says what is wrong if no other answers
				return
			}
			_ = conn.Close(ctx)
		})
	}
	asked.Wait()
}

// watch follows every server of a URL until ctx ends, if there are several.
func (p *primaries) watch(ctx context.Context, c *pgconn.Config, log *slog.Logger) {
	all := servers(c)
	if len(all) < 2 {
		return
	}
	var watching sync.WaitGroup
	for _, s := range all {
		watching.Go(func() {
			tick := time.NewTicker(lookEvery)
			defer tick.Stop()
			var conn *pgconn.PgConn
			for {
				var err error
				if conn, err = p.glance(ctx, s, conn); err != nil && ctx.Err() == nil {
					unseen(ctx, log, s, err)
				}
				select {
				case <-ctx.Done():
					if conn != nil {
						end, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), lookTime, errSlow)
						_ = conn.Close(end)
						cancel()
					}
					return
				case <-tick.C:
				}
			}
		})
	}
	watching.Wait()
}

// unseen tells whoever looks for it why a server of the URL is not followed. It
// is no more than that: a server that is away is what failovers are for.
func unseen(ctx context.Context, log *slog.Logger, s *pgconn.Config, err error) {
	log.DebugContext(ctx, "a database server of the URL gives no answer",
		slog.String("server", address(s.Host, s.Port)), slog.Any("err", safe(err)))
}

// glance asks one server over conn, connecting first if that is nil, and
// returns the connection to go on with.
func (p *primaries) glance(ctx context.Context, s *pgconn.Config, conn *pgconn.PgConn) (*pgconn.PgConn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lookTime, errSlow)
	defer cancel()
	if conn == nil {
		made, err := pgconn.ConnectConfig(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("look at a server: %w", err)
		}
		conn = made
	}
	line, err := timelineOf(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("look at a server: %w", err) // the next look connects again
	}
	p.note(line, address(s.Host, s.Port))
	return conn, nil
}

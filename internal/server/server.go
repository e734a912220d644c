package server

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/metrics"
	"github.com/countersign/countersign/internal/upkeep"
	"github.com/countersign/countersign/internal/verify"
)

// The parts of a drain; together they stay under 15 s (D-09).
const (
	drainNotice = time.Second // Server.Notice by default
	// drainRequests is how long requests under way may take then.
	drainRequests = 8 * time.Second
	// drainBound is when whatever has not ended is left behind.
	drainBound = 14 * time.Second
)

var errDrainRequests = errors.New("requests took too long to end")

// Server is a server to run. Config and Log are needed.
type Server struct {
	Config  config.Config
	Log     *slog.Logger
	Version string    // "" for an unknown one
	Out     io.Writer // gets the lines about the first start; nil for none
	// Started is called once with the addresses that are listened on, admin nil
	// if there is none; nil for nothing.
	Started func(api, admin net.Addr)
	// Draining is called once when the drain begins; nil for nothing.
	Draining func()
	// Fatal is called when the disk failed to sync: what was written since is in
	// doubt and the process must end (D-07). Nil for a panic.
	Fatal func(error)
	// Notice is how long an unready server goes on accepting before it drains,
	// so that whatever spreads requests sees that it is unready; 1 s if 0.
	Notice time.Duration
	// Hangups delivers wishes that carriers and routes be reloaded, and Reread
	// reads the settings for that; nil for never.
	Hangups <-chan os.Signal
	Reread  func() (config.Config, error)

	bound time.Duration // in place of drainBound, for tests; 0 for that
}

// Run opens the deployment and serves until ctx ends; then it drains and
// returns nil, all its goroutines ended but those that wait for a database that
// does not answer: the process is to end then. What the operator must change is a
// *RefusalError.
func (s *Server) Run(ctx context.Context) (err error) {
	// What can be seen to be wrong without the database is seen before it is made
	// or migrated.
	certificate, err := tlsConfig(ctx, s.Config, s.Log)
	if err != nil {
		return sourced(err, s.Config, "tls_cert", "tls_key")
	}
	if err := CheckCarriers(s.Config, s.Log); err != nil {
		return err
	}
	s.warnOfFiles(ctx) // of secrets too, which carriers have read by now
	if err := checkWritable(s.Config); err != nil {
		return err
	}
	m := metrics.New(s.Version)
	d, err := Open(ctx, s.Config, s.Log, Options{Observer: m.Commits(), Fatal: s.Fatal})
	if err != nil {
		return s.unlessStopped(ctx, err)
	}
	var n node
	shut := func() error {
		err := d.Close()
		n.close() // after the database: whoever takes the lock has it alone
		return err
	}
	if n, err = s.node(ctx, d); err != nil {
		return errors.Join(err, shut())
	}
	p, l, err := s.start(ctx, d, m, n)
	if err != nil {
		return errors.Join(s.unlessStopped(ctx, err), closeWithin(ctx, shut, closeBound, s.Log))
	}
	p.tls = certificate
	ended := make(chan error, 2)
	go func() {
		defer close(ended)
		ended <- s.serve(ctx, d, p, l)
		ended <- shut()
	}()
	return awaitEnds(ctx, ended, cmp.Or(s.bound, drainBound), s.Log)
}

// start makes what serves, takes the ports and tells people of it.
func (s *Server) start(ctx context.Context, d *Deployment, m *metrics.Metrics, n node) (*parts, listeners, error) {
	p, err := s.build(d, m, n)
	if err != nil {
		return nil, listeners{}, err
	}
	l, err := s.listen(ctx)
	if err != nil {
		return nil, l, err
	}
	if err := s.begin(ctx, d, p, l); err != nil {
		l.close()
		return nil, l, err
	}
	return p, l, nil
}

// unlessStopped is err, which kept the server from starting, but nil where it
// comes of the end of ctx: whoever ends a server that starts has nothing to mend.
func (s *Server) unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	// What was under way in the database then may have happened.
	for _, of := range []error{context.Canceled, context.Cause(ctx), verify.ErrOutcomeUnknown} {
		if errors.Is(err, of) {
			s.Log.InfoContext(ctx, "stopped")
			return nil
		}
	}
	return err
}

// listeners are what the server listens on.
type listeners struct {
	api, admin net.Listener // admin may be nil
}

func (l listeners) close() {
	_ = l.api.Close()
	if l.admin != nil {
		_ = l.admin.Close()
	}
}

func (s *Server) listen(ctx context.Context) (l listeners, err error) {
	if l.api, err = listenOn(ctx, s.Config.Listen, s.Config.Listen); err != nil {
		return l, s.noListener("listen", err)
	}
	if s.Config.AdminListen == "" {
		return l, nil
	}
	if l.admin, err = listenOn(ctx, s.Config.AdminListen, s.Config.AdminListen); err != nil {
		_ = l.api.Close()
		return l, s.noListener("admin_listen", err)
	}
	return l, nil
}

// listenOn listens on address, which is what configured stands for.
func listenOn(ctx context.Context, configured, address string) (net.Listener, error) {
	lc := net.ListenConfig{Control: onlyHere(configured)}
	return lc.Listen(ctx, "tcp", address) //nolint:wrapcheck // the caller says of which setting
}

// noListener says why the address of a setting cannot be listened on. One that
// another process uses may be free a moment later; the operator has to change any
// other.
func (s *Server) noListener(setting string, err error) error {
	from := "setting " + setting + ", from " + s.Config.Source(setting)
	dns, isDNS := errors.AsType[*net.DNSError](err)
	switch {
	case isDNS && !dns.IsTemporary && !dns.IsTimeout, errors.Is(err, syscall.EADDRNOTAVAIL):
		return &RefusalError{from, "HOST:PORT, the host an address or a name of this machine", err}
	case errors.Is(err, errReachable):
		return &RefusalError{from, "127.0.0.1 or [::1] in place of the name, or a hosts file that says so of it", err}
	case errors.Is(err, syscall.EACCES):
		return &RefusalError{from, "a port that this user may listen on", err}
	}
	return fmt.Errorf("%s: %w", from, err)
}

// shownAddress is where the API listens: the host as the operator wrote it and
// the port that was taken. It is part of URLs, which write the % of a zone as %25
// (RFC 6874).
func shownAddress(configured string, taken net.Addr) string {
	host, _, err := net.SplitHostPort(configured)
	_, port, errTaken := net.SplitHostPort(taken.String())
	if err != nil || errTaken != nil || host == "" {
		return taken.String()
	}
	return net.JoinHostPort(strings.Replace(host, "%", "%25", 1), port)
}

// begin makes the first account where there is none and says what people need
// to know. The ports are taken before the key is made: a key that is made and
// not shown would be lost.
func (s *Server) begin(ctx context.Context, d *Deployment, p *parts, l listeners) error {
	key, has, err := d.Bootstrap(ctx)
	if err != nil {
		return err
	}
	scheme := "http"
	if s.Config.TLS() {
		scheme = "https"
	}
	lines := fmt.Sprintf("listening on %s://%s\n", scheme, shownAddress(s.Config.Listen, l.api.Addr()))
	if has {
		lines += "account " + firstAccount + "\n"
	}
	if text := key.Reveal(); text != "" {
		lines += "API key " + text + "\n"
	}
	if s.Out != nil {
		link, err := d.firstLink(ctx, p.doors, shownAddress(s.Config.Listen, l.api.Addr()))
		if err != nil { // as on a full disk: no reason to refuse what does not need it
			s.Log.WarnContext(ctx, "there is no link to the console; countersign console invite makes one", slog.Any("err", err))
		}
		if link != "" {
			lines += "console " + link + "\n"
		}
	}
	if s.Out != nil {
		if _, err := io.WriteString(s.Out, lines); err != nil { // no reason to refuse either: nobody may read it
			s.Log.WarnContext(ctx, "the lines of the start could not be printed", slog.Any("err", err))
			if key.Reveal() != "" {
				s.Log.WarnContext(ctx, "the API key that was made is lost; countersign key create --account "+firstAccount+" makes another")
			}
		}
	}
	warnWithoutAuthorities(ctx, s.Log, x509.SystemCertPool)
	if d.plainPublic() {
		s.Log.WarnContext(ctx, "nobody can sign in to the console over plain HTTP, which public_url says: browsers keep its cookie over TLS only")
	}
	attrs := []slog.Attr{
		slog.String("mode", string(s.Config.Mode)), slog.String("version", s.Version),
		slog.String("listen", l.api.Addr().String()), slog.String("sandbox", string(s.Config.Sandbox)),
	}
	var adminAddr net.Addr
	if l.admin != nil {
		adminAddr = l.admin.Addr()
		attrs = append(attrs, slog.String("admin_listen", adminAddr.String()))
		if !config.Loopback(s.Config.AdminListen) {
			s.Log.WarnContext(ctx, "metrics can be read by whoever reaches the admin address; profiling is off")
		}
	}
	s.Log.LogAttrs(ctx, slog.LevelInfo, "serving", attrs...)
	if since, err := d.Store.Quarantined(ctx); err == nil && !since.IsZero() {
		s.Log.WarnContext(ctx, "the database is quarantined: nothing is sent and no code accepted until countersign quarantine release", slog.Time("since", since))
	}
	if s.Config.CallbackAllowPrivate {
		s.Log.WarnContext(ctx, "callbacks may go to loopback and private addresses") // W-03
	}
	if s.Started != nil {
		s.Started(l.api.Addr(), adminAddr)
	}
	return nil
}

// serve runs everything until ctx ends or a part fails, and drains.
func (s *Server) serve(ctx context.Context, d *Deployment, p *parts, l listeners) error {
	apart := context.WithoutCancel(ctx)
	work, stopWork := context.WithCancel(apart)
	defer stopWork()
	g, failed := errgroup.WithContext(apart)

	for _, run := range p.runs {
		g.Go(func() error { return run(work) })
	}
	g.Go(func() error { d.Audit().Checkpoints(work, s.Log); return nil })
	g.Go(func() error { upkeep.Sweep(work, d.Store, upkeep.Keep(d.Config.Retention), s.Log); return nil })
	api := newHTTPServer(p.handler, s.Log)
	api.TLSConfig = p.tls
	g.Go(func() error {
		if p.tls != nil {
			return served(api.ServeTLS(l.api, "", ""))
		}
		return served(api.Serve(l.api))
	})
	var adminServer *http.Server
	if l.admin != nil {
		adminServer = newHTTPServer(admin(p.metrics, s.Config.AdminListen), s.Log)
		g.Go(func() error { return served(adminServer.Serve(l.admin)) })
	}
	g.Go(func() error {
		select {
		case <-ctx.Done():
		case <-failed.Done():
		}
		p.health.Drain()
		s.Log.InfoContext(apart, "draining")
		if s.Draining != nil {
			s.Draining()
		}
		stopWork() // what is sent from now on is durable and goes out after the next start
		notice := time.NewTimer(cmp.Or(s.Notice, drainNotice))
		defer notice.Stop()
		select {
		case <-notice.C:
		case <-failed.Done():
		}
		shut, cancel := context.WithTimeoutCause(apart, drainRequests, errDrainRequests)
		defer cancel()
		if err := api.Shutdown(shut); err != nil {
			s.Log.WarnContext(apart, "requests were cut off", slog.Any("err", context.Cause(shut)))
			_ = api.Close()
		}
		if adminServer != nil {
			_ = adminServer.Close()
		}
		return nil
	})
	err := g.Wait()
	if err == nil {
		s.Log.InfoContext(apart, "stopped")
	}
	return err //nolint:wrapcheck // each part says what it was doing
}

// served takes the end of a shut down server as none.
func served(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve: %w", err)
}

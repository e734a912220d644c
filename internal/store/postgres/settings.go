package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/countersign/countersign/internal/resolve"
)

// Bounds of connections. Those marked * have a parameter of the URL.
const (
	connectTime  = 5 * time.Second  // * connect_timeout: of one host of the URL
	poolSize     = 16               // * pool_max_conns: reads and short transactions
	acquireTime  = 2 * time.Second  // waiting for a free connection, before the caller is told of overload
	readTime     = 10 * time.Second // one read
	lockTime     = 10 * time.Second // * lock_timeout: waiting for one row
	idleInTx     = 30 * time.Second // * idle_in_transaction_session_timeout: a node that was stopped lets its locks go
	keepIdle     = 10 * time.Second // a silent connection is probed after this long …
	keepInterval = 3 * time.Second  // … this often …
	keepCount    = 3                // … and given up after so many probes
)

// settings are those of the store's pools.
type settings struct {
	main, groups *pgxpool.Config
	primaries    *primaries
}

// parse reads the URL and adds what the store needs where the URL does not
// say otherwise.
func parse(url string) (settings, error) {
	if strayAt(url) {
		return settings{}, fmt.Errorf("%w: an @ in the password has to be written as %%40, a / as %%2F", ErrURL)
	}
	s := settings{primaries: newPrimaries()}
	for _, c := range []struct {
		config **pgxpool.Config
		size   int32
	}{{&s.main, poolSize}, {&s.groups, 2 * groupsAtOnce}} {
		p, err := pgxpool.ParseConfig(url)
		if err != nil {
			return settings{}, fmt.Errorf("%w: %s", ErrURL, reason(err))
		}
		if c.config == &s.groups || !strings.Contains(url, "pool_max_conns") {
			p.MaxConns = c.size
		}
		params := p.ConnConfig.RuntimeParams
		for name, value := range map[string]string{
			"application_name":                    "countersign",
			"lock_timeout":                        milliseconds(lockTime),
			"idle_in_transaction_session_timeout": milliseconds(idleInTx),
			"default_transaction_isolation":       "read committed",
			"jit":                                 "off", // statements are short
		} {
			if _, given := params[name]; !given {
				params[name] = value
			}
		}
		params["client_encoding"] = "UTF8" // as texts are here, whatever the database's default
		if c.config == &s.groups {
			for _, s := range keyPlans {
				params[s.name] = s.value
			}
		}
		if p.ConnConfig.ConnectTimeout == 0 {
			p.ConnConfig.ConnectTimeout = connectTime
		}
		// A standby is never asked, for state least of all (V-09).
		if asksStandby(p.ConnConfig.ValidateConnect) {
			return settings{}, fmt.Errorf("%w: target_session_attrs: a standby takes no writes, want read-write or primary", ErrURL)
		}
		// What primary has a server asked instead, a pooler may pass on to the primary
		// though it sends reads to a standby.
		p.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
		s.primaries.guard(p)
		p.ConnConfig.DialFunc, p.ConnConfig.LookupFunc = dial, resolve.New().LookupHost
		p.ConnConfig.OnNotice = noteUnreplicated
		*c.config = p
	}
	return s, nil
}

// asksStandby reports whether validate is what the driver makes of a
// target_session_attrs that takes a standby: it keeps no other trace of the value,
// which may come from the URL, the environment or a service file.
func asksStandby(validate pgconn.ValidateConnectFunc) bool {
	for _, standby := range [...]pgconn.ValidateConnectFunc{
		pgconn.ValidateConnectTargetSessionAttrsReadOnly, pgconn.ValidateConnectTargetSessionAttrsStandby, pgconn.ValidateConnectTargetSessionAttrsPreferStandby,
	} {
		if reflect.ValueOf(validate).Pointer() == reflect.ValueOf(standby).Pointer() {
			return true
		}
	}
	return false
}

// dial connects so that a host that vanished is noticed.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: keepIdle, Interval: keepInterval, Count: keepCount,
	}, Control: limitUnacknowledged}
	return d.DialContext(ctx, network, address) //nolint:wrapcheck // pgx says what it was doing
}

// strayAt reports whether an @ stands where the password must have ended: libpq
// takes the first @ before a slash for its end, and what follows for host,
// database and parameters, which errors name.
func strayAt(url string) bool {
	_, rest, _ := strings.Cut(url, "://")
	if i := strings.IndexAny(rest, "@/"); i >= 0 && rest[i] == '@' {
		return strings.Contains(rest[i+1:], "@")
	}
	path, _, _ := strings.Cut(rest, "?") // a parameter may hold one
	return strings.Contains(path, "@")
}

// reason is what a driver's error says without what it quotes: the URL has a
// password.
func reason(err error) string {
	e, ok := errors.AsType[*pgconn.ParseConfigError](err)
	if !ok {
		return "it cannot be read"
	}
	text, name := "it cannot be read", parameter(e)
	if inner := errors.Unwrap(e); inner != nil {
		text = inner.Error()
	} else if name != "" {
		text = "this value is not possible"
	}
	text, _, _ = strings.Cut(text, " value: ")
	if i := strings.Index(text, `"`); i >= 0 {
		text = text[:i] + "…" + text[strings.LastIndex(text, `"`)+1:]
	}
	if name != "" {
		text = name + ": " + text
	}
	return text
}

// refusals are a driver's words before and after the name of a parameter.
var refusals = regexp.MustCompile(`^(?:cannot parse |invalid |unknown )([a-z_]+)|^([a-z_]+) too small$`)

// parameter is the one that a driver refuses the value of, "" if it does not
// say. The driver's own words come after the URL, and values after them.
func parameter(e *pgconn.ParseConfigError) string {
	text := e.Error()
	if i := strings.LastIndex(text, "`: "); i >= 0 {
		text = text[i+len("`: "):]
	}
	if m := refusals.FindStringSubmatch(text); m != nil {
		return m[1] + m[2]
	}
	return ""
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

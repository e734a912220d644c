package config

import (
	"crypto/rand"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/secret"
)

// The readers take a setting's text into a Config and report whether it is
// what the setting expects.

// optional takes "" as not set.
func optional(read func(*Config, string) bool) func(*Config, string) bool {
	return func(c *Config, v string) bool { return v == "" || read(c, v) }
}

func text(field func(*Config) *string) func(*Config, string) bool {
	return func(c *Config, v string) bool {
		*field(c) = v
		return true
	}
}

// path takes a path to a place that is made where it is not there: one that is
// written wrongly would begin a new deployment, with a root key of its own.
func path(field func(*Config) *string) func(*Config, string) bool {
	return func(c *Config, v string) bool {
		*field(c) = v
		return v != "" && !stray(v)
	}
}

// expectNothingAround is said of values that are stray.
const expectNothingAround = ", without quotes or blanks around it and without control characters such as a line break"

// stray reports whether a value holds what came along with it by mistake: the CR
// of a file with DOS lines, blanks, or the quotes that docker --env-file keeps.
func stray(v string) bool {
	if v != strings.TrimSpace(v) || strings.ContainsFunc(v, unicode.IsControl) {
		return true
	}
	last := len(v) - 1
	return last > 0 && v[0] == v[last] && (v[0] == '"' || v[0] == '\'')
}

func address(field func(*Config) *string) func(*Config, string) bool {
	return func(c *Config, v string) bool {
		host, port, err := net.SplitHostPort(v)
		if err != nil || numeric(host) {
			return false
		}
		_, err = strconv.ParseUint(port, 10, 16)
		*field(c) = v
		return err == nil
	}
}

// numeric reports whether a host is written as an IPv4 address and is none.
// Nobody's name ends in a number (RFC 3696 §2), so it need not be looked for.
func numeric(host string) bool {
	_, err := netip.ParseAddr(host)
	return err != nil && host != "" && strings.Trim(host, "0123456789.") == ""
}

func toggle(field func(*Config) *bool) func(*Config, string) bool {
	return func(c *Config, v string) bool {
		*field(c) = v == "true"
		return v == "true" || v == "false"
	}
}

func number(least, most int, field func(*Config) *int) func(*Config, string) bool {
	return func(c *Config, v string) bool {
		n, err := strconv.Atoi(v)
		*field(c) = n
		return err == nil && least <= n && n <= most
	}
}

func duration(least, most time.Duration, field func(*Config) *time.Duration) func(*Config, string) bool {
	return func(c *Config, v string) bool {
		d, err := time.ParseDuration(v)
		*field(c) = d
		return err == nil && least <= d && d <= most
	}
}

const minWait, maxWait = time.Second, 600 * time.Second

func wait(channel message.Channel) func(*Config, string) bool {
	return func(c *Config, v string) bool {
		var d time.Duration
		ok := duration(minWait, maxWait, func(*Config) *time.Duration { return &d })(c, v)
		c.Waits[channel] = d
		return ok
	}
}

func deliveryTimeout(c *Config, v string) bool {
	return duration(minWait, maxWait, func(c *Config) *time.Duration { return &c.deliveryTimeout })(c, v)
}

func networks(set func(*Config, []netip.Prefix)) func(*Config, string) bool {
	return func(c *Config, v string) bool {
		var out []netip.Prefix
		for part := range strings.SplitSeq(v, ",") {
			part = strings.TrimSpace(part)
			if part == "" {
				continue
			}
			if !strings.Contains(part, "/") {
				addr, err := netip.ParseAddr(part)
				if err != nil {
					return false
				}
				out = append(out, netip.PrefixFrom(addr, addr.BitLen()))
				continue
			}
			p, err := netip.ParsePrefix(part)
			if err != nil {
				return false
			}
			out = append(out, p.Masked())
		}
		set(c, out)
		return true
	}
}

func setTrustedProxies(c *Config, p []netip.Prefix) { c.TrustedProxies = p }
func setCallbackAllow(c *Config, p []netip.Prefix)  { c.CallbackAllow = p }

func database(c *Config, v string) bool {
	if IsPostgres(v) {
		c.DatabaseURL = Hide(v) // read by the store, which says what is wrong with it
		return true
	}
	path, ok := SQLitePath(v)
	c.DatabasePath = path
	return ok
}

// IsPostgres reports whether v is the URL of a PostgreSQL database.
func IsPostgres(v string) bool {
	return strings.HasPrefix(v, "postgres://") || strings.HasPrefix(v, "postgresql://")
}

// sqliteScheme begins the URL of an SQLite database.
const sqliteScheme = "sqlite:"

// SQLitePath returns PATH of sqlite:PATH, or false.
func SQLitePath(v string) (path string, ok bool) {
	path, ok = strings.CutPrefix(v, sqliteScheme)
	return path, ok && path != "" && !strings.ContainsAny(path, "?#") && !stray(path)
}

func migrate(c *Config, v string) bool {
	given := v == "true"
	c.migrate = &given
	return given || v == "false"
}

func rootKey(c *Config, v string) bool {
	root, err := secret.ParseRoot(v)
	c.SecretKey = root
	return err == nil
}

func rootKeys(c *Config, v string) bool {
	for part := range strings.SplitSeq(v, ",") {
		root, err := secret.ParseRoot(part)
		if err != nil {
			return false
		}
		c.SecretKeys = append(c.SecretKeys, root)
	}
	return true
}

func bootstrapKey(c *Config, v string) bool {
	c.BootstrapKey = Hide(v)
	_, err := account.ChosenKey(rand.Reader, v, account.Key{})
	return err == nil
}

func bootstrapLogin(c *Config, v string) bool {
	c.BootstrapLogin = v
	return account.ValidLogin(v)
}

// hostForm is a host's name as URLs may have it. An international one is written
// in its xn-- form: otherwise it would go out percent-encoded, and providers
// neither call such a host nor sign for it.
var hostForm = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

func publicURL(c *Config, v string) bool {
	u, err := url.Parse(v)
	if err != nil || stray(v) || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.User != nil {
		return false
	}
	if n, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && (err != nil || n == 0) {
		return false
	}
	if _, err := netip.ParseAddr(u.Hostname()); err != nil && !hostForm.MatchString(u.Hostname()) {
		return false
	}
	c.PublicURL = u
	return true
}

func smsSender(c *Config, v string) bool {
	c.Senders.SMS = v
	return v != "" && account.Common().Validate(account.SettingSender, v) == nil
}

func voiceCaller(c *Config, v string) bool {
	c.Senders.Voice = v
	return account.Common().Validate(account.SettingCaller, v) == nil
}

func viberSender(c *Config, v string) bool {
	c.Senders.Viber = v
	return account.Common().Validate(account.SettingSenderViber, v) == nil
}

func whatsAppSender(c *Config, v string) bool {
	c.Senders.WhatsApp = v
	return account.Common().Validate(account.SettingSenderWA, v) == nil
}

var prefixForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

func errorPrefix(c *Config, v string) bool {
	c.EventErrorPrefix = v
	return prefixForm.MatchString(v)
}

func sandbox(c *Config, v string) bool {
	c.Sandbox = Sandbox(v)
	return c.Sandbox == SandboxAuto || c.Sandbox == SandboxOn || c.Sandbox == SandboxOff
}

func mode(c *Config, v string) bool {
	c.Mode = Mode(v)
	return c.Mode == Compat
}

func logLevel(c *Config, v string) bool {
	level, ok := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}[v]
	c.LogLevel = level
	return ok
}

func logFormat(c *Config, v string) bool {
	c.LogFormat = LogFormat(v)
	return c.LogFormat == LogText || c.LogFormat == LogJSON || c.LogFormat == LogAuto
}

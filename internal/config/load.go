package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/v2"

	"github.com/countersign/countersign/internal/message"
)

// Sources are what settings come from.
type Sources struct {
	File    string   // path of a TOML file; "" for none
	Environ []string // as os.Environ gives it
	Flags   Flags
	Keyless bool // PostgreSQL needs no secret_key: whoever loads has another source of it
}

// SettingError is a setting that cannot be used.
type SettingError struct {
	Setting  string // the TOML key
	Source   string // where it came from, such as "environment variable COUNTERSIGN_LISTEN"
	Value    string // as it was given; "" for keys and passwords
	Expected string
}

func (p *SettingError) Error() string {
	got := ""
	if p.Value != "" {
		got = fmt.Sprintf(": got %q", p.Value)
	}
	return fmt.Sprintf("setting %s, from %s%s; expected %s", p.Setting, p.Source, got, p.Expected)
}

// ErrFile means that the configuration file cannot be read as TOML.
var ErrFile = errors.New("configuration file")

// Load reads and checks the settings. Its errors are *SettingError and
// *FileError, several of them joined, and ErrFile. What only a carrier's type can
// check is left to it.
func Load(from Sources) (Config, error) {
	all, doc, problems, err := layers(from)
	if err != nil {
		return Config{}, err
	}
	c := Config{Waits: map[message.Channel]time.Duration{}, given: map[string]Hidden{}, sources: map[string]string{}}
	if c.doc = doc; doc != nil {
		c.Carriers, err = doc.carriers(from.Environ)
		problems = append(problems, err)
		c.Routes, err = doc.routes(from.Environ)
		problems = append(problems, err, doc.private())
	}
	for _, s := range Settings() {
		value, source := s.Default, "default"
		for _, l := range all {
			if given, ok := l.value(s); ok {
				value, source = given, l.source(s)
			}
		}
		c.given[s.Name], c.sources[s.Name] = Hide(value), source
		if s.read(&c, value) {
			continue
		}
		p := &SettingError{Setting: s.Name, Source: source, Value: value, Expected: s.Expected}
		if stray(strings.TrimPrefix(value, sqliteScheme)) {
			p.Expected += expectNothingAround
		}
		if s.hides(value) {
			p.Value = ""
		}
		problems = append(problems, p)
	}
	if err := errors.Join(problems...); err != nil {
		return c, err
	}
	return c, errors.Join(c.settle(from.Keyless)...)
}

// layer is what one source says.
type layer struct {
	values *koanf.Koanf
	source func(Setting) string
	// unset says that an empty value is none, as in the environment, where
	// compose files set what nobody chose. Only admin_listen means something by
	// it.
	unset bool
}

// value returns what the source says of a setting; false if it says nothing.
func (l layer) value(s Setting) (string, bool) {
	if !l.values.Exists(s.Name) {
		return "", false
	}
	text := flat(l.values.Get(s.Name))
	return text, text != "" || !l.unset || s.Name == "admin_listen"
}

// layers returns the sources, the weakest first, the file, which is nil for
// none, and a problem for each key of the file that is no setting or has a value
// of a type that no setting has.
func layers(from Sources) (out []layer, doc *document, problems []error, err error) {
	if from.File != "" {
		if doc, err = readDocument(from.File); err != nil {
			return nil, nil, nil, err
		}
		k := koanf.New(".")
		usable, wrong := doc.settings()
		problems = append(problems, wrong...)
		if err := k.Load(confmap.Provider(usable, ""), nil); err != nil {
			return nil, nil, nil, fmt.Errorf("%w %s: %w", ErrFile, from.File, err)
		}
		out = append(out, layer{values: k, source: func(s Setting) string { return "file " + doc.at(s.Name) }})
	}

	environ := koanf.New(".")
	names := map[string]string{}
	for _, s := range Settings() {
		if s.Env() != "" {
			names[s.Env()] = s.Name
		}
	}
	err = environ.Load(env.Provider("", env.Opt{
		Prefix:        prefix,
		TransformFunc: func(k, v string) (string, any) { return names[k], v },
		EnvironFunc:   func() []string { return from.Environ },
	}), nil)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("read environment: %w", err)
	}
	out = append(out, layer{values: environ, source: func(s Setting) string { return "environment variable " + s.Env() }, unset: true})

	flags := koanf.New(".")
	if err := flags.Load(confmap.Provider(from.Flags.given(), ""), nil); err != nil {
		return nil, nil, nil, fmt.Errorf("read flags: %w", err)
	}
	return append(out, layer{values: flags, source: func(s Setting) string { return "flag --" + s.Flag() }}), doc, problems, nil
}

// flat is a value as its environment variable would spell it.
func flat(v any) string {
	if list, ok := v.([]any); ok {
		parts := make([]string, len(list))
		for i, e := range list {
			parts[i] = flat(e)
		}
		return strings.Join(parts, ",")
	}
	return fmt.Sprint(v)
}

// settle fills in what follows from other settings and checks what two
// settings must agree on. PostgreSQL needs a root key unless keyless.
func (c *Config) settle(keyless bool) []error {
	var problems []error
	if c.DatabasePath == "" {
		c.DatabasePath = filepath.Join(c.DataDir, "countersign.db")
	}
	c.Migrate = !c.Postgres()
	if c.migrate != nil {
		c.Migrate = *c.migrate
	}
	if c.Postgres() && c.SecretKey.IsZero() && !keyless {
		problems = append(problems, &SettingError{
			Setting: "secret_key", Source: "all sources together", Expected: expectRoot + ", the same on every node: a PostgreSQL database has no key file",
		})
	}
	if c.deliveryTimeout > 0 {
		for channel := range c.Waits {
			c.Waits[channel] = c.deliveryTimeout
		}
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		problems = append(problems, &SettingError{Setting: "tls_cert and tls_key", Source: "all sources together", Expected: "both or neither"})
	}
	if c.V4.Minutes > min(c.V4.MaxMinutes, c.V4.MaxMinutesWA) {
		problems = append(problems, &SettingError{Setting: "v4.default_minutes", Source: "all sources together", Expected: "no more than v4.max_minutes and v4.max_minutes_whatsapp"})
	}
	if c.V4.Attempts > c.V4.MaxAttempts {
		problems = append(problems, &SettingError{Setting: "v4.default_attempts", Source: "all sources together", Expected: "no more than v4.max_attempts"})
	}
	if _, port, _ := net.SplitHostPort(c.Listen); c.Listen == c.AdminListen && port != "0" {
		problems = append(problems, &SettingError{
			Setting: "admin_listen", Source: c.Source("admin_listen"), Value: c.AdminListen, Expected: "another address than that of listen",
		})
	}
	if !c.TLS() && !c.AllowPlainHTTP && !Loopback(c.Listen) {
		problems = append(problems, &SettingError{
			Setting: "listen", Source: "all sources together", Value: c.Listen,
			Expected: "a loopback address, tls_cert and tls_key, or allow_plain_http = true behind something that speaks TLS",
		})
	}
	return problems
}

// Loopback reports whether an address HOST:PORT can be reached from this
// machine only.
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

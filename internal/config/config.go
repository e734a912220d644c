package config

import (
	"log/slog"
	"net/netip"
	"net/url"
	"time"

	"github.com/countersign/countersign/internal/api/tyntecv4"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/route"
	"github.com/countersign/countersign/internal/secret"
)

// Config is every setting, read and checked.
type Config struct {
	Listen      string // HOST:PORT of the APIs; port 0 for any free one
	AdminListen string // HOST:PORT of metrics and profiling; "" for none

	DataDir      string
	DatabasePath string // the SQLite file; unused if DatabaseURL is set
	DatabaseURL  Hidden // postgres://…; zero for SQLite
	Migrate      bool   // bring an older schema up at start

	SecretKey      secret.Root   // zero: the key file in DataDir
	SecretKeys     []secret.Root // earlier root keys, still read
	BootstrapKey   Hidden        // the first account's key; zero: a random one
	BootstrapLogin string        // paired with BootstrapKey; "" for none

	TLSCert, TLSKey string // PEM files; both or neither
	AllowPlainHTTP  bool
	PublicURL       *url.URL // nil for none
	TrustedProxies  []netip.Prefix
	AllowQueryKey   bool

	SendsPerRecipient int // accepted sends in 10 minutes; 0 turns the limits on sends off
	Senders           tyntecv4.Senders
	EventErrorPrefix  string
	Retention         time.Duration
	Waits             map[message.Channel]time.Duration // for a receipt; every channel has one

	Sandbox               Sandbox
	SandboxWhatsAppReview time.Duration
	SandboxSubmitDelay    time.Duration
	SandboxLimits         bool
	Mode                  Mode

	CallbackAllow        []netip.Prefix
	CallbackAllowPrivate bool
	CallbackRequireHTTPS bool

	LogLevel  slog.Level
	LogFormat LogFormat

	V4 tyntecv4.Limits

	Carriers []Carrier    // [[carrier]] of the file, in its order
	Routes   []route.Rule // [[route]] of the file, in its order

	doc             *document         // the file; nil for none
	given           map[string]Hidden // every setting as it was spelled, by its name
	sources         map[string]string // where every setting came from, by its name
	deliveryTimeout time.Duration     // replaces every one of Waits; 0 for none
	migrate         *bool             // what was asked for; nil for what the database's kind asks for
}

// Mode says which rules yield to an old API's contract.
type Mode string

// Compat keeps what the facades' contracts promise. It is the only mode of
// this version.
const Compat Mode = "compat"

// Sandbox says when sandbox carriers serve (K-05).
type Sandbox string

// When sandbox carriers serve: while no real carrier is configured; also
// beside real ones; never.
const (
	SandboxAuto Sandbox = "auto"
	SandboxOn   Sandbox = "on"
	SandboxOff  Sandbox = "off"
)

// LogFormat is the form of log lines.
type LogFormat string

// The forms of log lines. LogAuto is LogText on a terminal and else LogJSON.
const (
	LogAuto LogFormat = "auto"
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// Postgres reports whether the database is a PostgreSQL server's.
func (c *Config) Postgres() bool { return !c.DatabaseURL.IsZero() }

// Source says where a setting came from, such as "flag --listen" or "default"; ""
// for a setting that there is not.
func (c *Config) Source(setting string) string { return c.sources[setting] }

// Changed returns the names of the settings that o says otherwise, carriers and
// routes left out.
func (c *Config) Changed(o *Config) []string {
	var out []string
	for _, s := range Settings() {
		if c.given[s.Name] != o.given[s.Name] {
			out = append(out, s.Name)
		}
	}
	return out
}

// TLS reports whether the APIs speak TLS.
func (c *Config) TLS() bool { return c.TLSCert != "" }

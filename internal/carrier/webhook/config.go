package webhook

import (
	"reflect"
	"slices"
	"time"

	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/message"
)

// Config says where messages go. The keys in brackets are the names that errors
// of Validate use. Name, URL and Secret are needed; the zero value of every
// other field works.
type Config struct {
	// Name is the carrier's name [name], 1 to 64 characters.
	Name string
	// URL takes the messages [url]: https, or http to a private address.
	URL string
	// Secret signs messages and receipts: whsec_ and base64 [secret].
	Secret setting.Secret
	// PreviousSecret signs messages too, and receipts may be signed with it,
	// while receivers change to a new Secret [previous_secret].
	PreviousSecret setting.Secret
	// Channels are those that the receiver serves; all by default [channels].
	Channels []message.Channel
	// IncludeCode puts the code into a field of its own, beside the text
	// [include_code].
	IncludeCode bool
	// Metadata goes along with every message, such as the ids that India's DLT
	// or a 10DLC campaign need [metadata].
	Metadata map[string]string

	// Headers are added to every request [headers].
	Headers map[string]setting.Secret
	// Credentials are sent with every request [username, password, bearer].
	httpsubmit.Credentials

	// CAFile holds the only authorities that are trusted, in PEM; "" trusts the
	// system's [tls_ca_file].
	CAFile string
	// CertFile and KeyFile hold our own certificate, in PEM
	// [tls_cert_file, tls_key_file].
	CertFile, KeyFile string
	// AllowPrivate lets requests reach loopback and private addresses
	// [allow_private].
	AllowPrivate bool
	// AllowPlaintext lets codes travel in clear to an address that is not
	// private [allow_plaintext].
	AllowPlaintext bool
	// Timeout is for a request in all: 10 s by default, 15 s at most [timeout].
	Timeout time.Duration
}

// Equal reports whether nothing of the two differs once defaults are filled in,
// so that a reload may keep the carrier. It does not look into the files that
// the TLS keys name.
func (c Config) Equal(o Config) bool { return reflect.DeepEqual(c.withDefaults(), o.withDefaults()) }

// Bounds.
const (
	defaultTimeout = 10 * time.Second
	maxTimeout     = 15 * time.Second // below what the dispatcher gives a submit
	maxName        = 64
	maxHeaders     = 20
	maxHeader      = 1 << 10 // bytes of a value
	maxMetadata    = 32
	maxMetadatum   = 1 << 10 // bytes of a value
)

// withDefaults fills in what is left out.
func (c Config) withDefaults() Config {
	if len(c.Channels) == 0 {
		c.Channels = message.Channels()
	}
	c.Channels = slices.Clone(c.Channels)
	slices.Sort(c.Channels)
	c.Channels = slices.Compact(c.Channels)
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if len(c.Headers) == 0 {
		c.Headers = nil
	}
	if len(c.Metadata) == 0 {
		c.Metadata = nil
	}
	return c
}

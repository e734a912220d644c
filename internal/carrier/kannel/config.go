package kannel

import (
	"reflect"
	"time"

	"github.com/countersign/countersign/internal/carrier/setting"
)

// Config says how to reach a gateway. The keys in brackets are the names that
// errors of Validate use. Name, URL, Username and Password are needed; the zero
// value of every other field works.
type Config struct {
	// Name is the carrier's name [name], 1 to 64 characters.
	Name string
	// URL is that of sendsms, such as "http://127.0.0.1:13013/cgi-bin/sendsms"
	// [url].
	URL string
	// Username and Password are those of a sendsms-user [username, password].
	Username string
	Password setting.Secret
	// Method is "post", which is the default and puts everything into X-Kannel
	// headers and the body; or "form", which puts everything into a form in the
	// body, or "get", which puts it into the URL, for gateways that know no other
	// [method].
	Method string

	// Sender is who messages without a sender of their own are from; "" leaves
	// it to the gateway [sender].
	Sender string
	// SMSC names the gateway's link to use; "" leaves it to the gateway [smsc].
	SMSC string
	// Account is noted in the gateway's log [account].
	Account string
	// Priority is 0 to 3; 0 leaves it to the gateway [priority].
	Priority int
	// Flash shows messages at once and keeps them nowhere [flash].
	Flash bool
	// StripPlus writes recipients without "+". Kannel would take them for
	// national numbers on an SMPP link [strip_plus].
	StripPlus bool
	// Long is who cuts long messages: "udh", which is the default, sends each
	// part by itself; "gateway" leaves it to the gateway [long].
	Long string
	// Metadata is passed on to the gateway's SMPP link as optional parameters,
	// by the names that its configuration gives them [metadata].
	Metadata map[string]string

	// CAFile holds the only authorities that are trusted, in PEM; "" trusts the
	// system's [tls_ca_file].
	CAFile string
	// CertFile and KeyFile hold our own certificate, in PEM
	// [tls_cert_file, tls_key_file].
	CertFile, KeyFile string
	// AllowPlaintext lets password and codes travel in clear to an address that
	// is not private [allow_plaintext].
	AllowPlaintext bool
	// Timeout is for a request in all: 10 s by default, 15 s at most [timeout].
	Timeout time.Duration
}

// Values of Config's fields that are words.
const (
	post = "post"
	form = "form"
	get  = "get"

	udh     = "udh"
	gateway = "gateway"
)

// Bounds.
const (
	defaultTimeout = 10 * time.Second
	maxTimeout     = 15 * time.Second // below what the dispatcher gives a submit
	maxText        = 64
	maxPriority    = 3
	maxMetadata    = 1 << 10 // bytes in all, as it is sent
)

// Equal reports whether nothing of the two differs once defaults are filled in,
// so that a reload may keep the carrier. It does not look into the files that
// the TLS keys name.
func (c Config) Equal(o Config) bool { return reflect.DeepEqual(c.withDefaults(), o.withDefaults()) }

// withDefaults fills in what is left out.
func (c Config) withDefaults() Config {
	if c.Method == "" {
		c.Method = post
	}
	if c.Long == "" {
		c.Long = udh
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if len(c.Metadata) == 0 {
		c.Metadata = nil
	}
	return c
}

package smpp

import (
	"reflect"
	"time"
	"unique"
)

// Config says how to reach a message centre and what it expects. The keys in
// brackets are the names that errors of Validate use. Name, Host, SystemID and
// Password are needed; the zero value of every other field works.
type Config struct {
	// Name is the carrier's name [name], 1 to 64 characters.
	Name string
	// Host is a host name or address without port [host].
	Host string
	// Port is 2775 by default [port].
	Port int
	// Mode is "transceiver", which is the default, or "pair": a transmitter and
	// a receiver, for message centres that know no transceiver [mode].
	Mode string
	// Binds is how many binds, or pairs, are kept up: 1 by default, 16 at most [binds].
	Binds int

	// SystemID is who we are, at most 15 characters [system_id].
	SystemID string
	// Password is at most 8 characters [password]. It is never printed.
	Password Password
	// SystemType is often empty; at most 12 characters [system_type].
	SystemType string
	// AddressRange is which numbers a receiver serves; mostly empty [address_range].
	AddressRange string

	// TLS speaks TLS 1.2 or later from the first octet [tls].
	TLS bool
	// ServerName is the name in the peer's certificate; Host by default [tls_server_name].
	ServerName string
	// CAFile holds the only authorities that are trusted, in PEM; "" trusts the
	// system's [tls_ca_file].
	CAFile string
	// CertFile and KeyFile hold our own certificate, in PEM, where the peer asks
	// for one [tls_cert_file, tls_key_file].
	CertFile, KeyFile string
	// AllowPlaintext lets password and codes travel in clear to an address that
	// is not private [allow_plaintext].
	AllowPlaintext bool

	// Window is how many submits of a bind may be unanswered: 10 by default,
	// 1,000 at most [window].
	Window int
	// Rate is how many parts a bind sends in a second at most; 0: no limit [rate].
	Rate float64

	// ServiceType is mostly empty; at most 5 characters [service_type].
	ServiceType string
	// Sender is who messages without a sender of their own are from; "" leaves
	// it to the message centre [sender].
	Sender string
	// ShortCode is type of number and numbering plan of a short code as sender:
	// "3/0" by default; some want "0/1" or "6/0" [short_code_ton_npi].
	ShortCode string
	// Dest is the same for recipients: "1/1" by default [dest_ton_npi].
	Dest string
	// KeepPlus writes recipients with "+" [keep_plus].
	KeepPlus bool
	// Alphabet is how text that GSM 03.38 can express is written:
	// "gsm" (data_coding 0, one septet an octet; the default), "latin1-default"
	// (data_coding 0, ISO 8859-1) or "latin1" (data_coding 3). Other text is
	// UCS-2 [alphabet].
	Alphabet string
	// Flash shows messages at once and keeps them nowhere [flash].
	Flash bool
	// Long is how messages of several parts travel: "udh" (8-bit reference; the
	// default), "udh16", "sar" or "payload" [long].
	Long string
	// Validity is how the code's remaining life travels: "relative", which is
	// the default, "absolute" or "none" [validity].
	Validity string
	// Receipts is what is asked for: "final", which is the default,
	// "intermediate" for those and final ones, or "none" [receipts].
	Receipts string
	// ReceiptID is how message ids in receipts differ from those in answers:
	// "as-is", which is the default, "hex-to-dec" (answers are hexadecimal,
	// receipts decimal) or "dec-to-hex" [receipt_id].
	ReceiptID string
	// Statuses replaces the class of command_status values: "0x401" to "RETRY",
	// "PERMANENT" or "CONFIG" [statuses].
	Statuses map[string]string
	// TLVs are optional parameters for every submit_sm, "0x1400" to the octets
	// of the value, such as the ids of India's DLT [tlvs].
	TLVs map[string]string
}

// Equal reports whether nothing of the two differs once defaults are filled in,
// so that a reload may keep the carrier and its binds. It does not look into the
// files that the TLS keys name.
func (c Config) Equal(o Config) bool { return reflect.DeepEqual(c.withDefaults(), o.withDefaults()) }

// Password is printed hidden.
type Password struct{ text unique.Handle[string] }

// NewPassword wraps text.
func NewPassword(text string) Password { return Password{unique.Make(text)} }

func (p Password) reveal() string {
	if p == (Password{}) {
		return ""
	}
	return p.text.Value()
}

// String hides the password.
func (p Password) String() string { return "[password]" }

// GoString hides the password.
func (p Password) GoString() string { return p.String() }

// MarshalText hides the password.
func (p Password) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Defaults and bounds.
const (
	defaultPort   = 2775
	maxBinds      = 16
	defaultWindow = 10
	maxWindow     = 1000
)

// Values of Config's fields that are words.
const (
	transceiver = "transceiver"
	pair        = "pair"

	gsm           = "gsm"
	latin1Default = "latin1-default"
	latin1        = "latin1"

	udh     = "udh"
	udh16   = "udh16"
	sar     = "sar"
	payload = "payload"

	relative = "relative"
	absolute = "absolute"
	none     = "none"

	final        = "final"
	intermediate = "intermediate"

	asIs     = "as-is"
	hexToDec = "hex-to-dec"
	decToHex = "dec-to-hex"
)

// leastValidity is what a message is given at least, as message centres that
// count in minutes would round less down to nothing.
const leastValidity = time.Minute

// withDefaults fills in what is left out.
func (c Config) withDefaults() Config {
	for _, d := range []struct {
		field *string
		value string
	}{
		{&c.Mode, transceiver},
		{&c.ShortCode, "3/0"},
		{&c.Dest, "1/1"},
		{&c.Alphabet, gsm},
		{&c.Long, udh},
		{&c.Validity, relative},
		{&c.Receipts, final},
		{&c.ReceiptID, asIs},
		{&c.ServerName, c.Host},
	} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if c.Port == 0 {
		c.Port = defaultPort
	}
	if c.Binds == 0 {
		c.Binds = 1
	}
	if c.Window == 0 {
		c.Window = defaultWindow
	}
	return c
}

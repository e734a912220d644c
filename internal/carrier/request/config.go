package request

import (
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/message"
)

// Config describes a gateway. The keys in brackets are the names that errors of
// Validate use. Name and URL are needed, and that the recipient and the text or
// the code are sent; the zero value of every other field works.
type Config struct {
	// Name is the carrier's name [name], 1 to 64 characters.
	Name string
	// Channels are those that the gateway serves; SMS by default [channels].
	Channels []message.Channel

	// Method is POST, which is the default, PUT or GET [method].
	Method string
	// URL is a template: https, or http to a private address. Placeholders stand
	// in its path and query only [url].
	URL string
	// Headers are templates by name [headers].
	Headers map[string]string
	// ContentType is what Body is: "json", which is the default, "form" or "text"
	// [content_type].
	ContentType string
	// Body is a template; "" sends none [body].
	Body string
	// Secrets are what placeholders such as secret.NAME stand for [secrets].
	Secrets map[string]setting.Secret
	// Encodings are the gateway's words for the encodings GSM7 and UCS2
	// [encodings].
	Encodings map[string]string
	// Sender is who messages without a sender of their own are from [sender].
	Sender string
	// IncludeCode lets templates hold the code alone, beside the text
	// [include_code].
	IncludeCode bool
	// CodeInURL lets the URL hold the text or the code, which then stand in access
	// logs [allow_code_in_url].
	CodeInURL bool
	// Deduplicates says that the gateway acts once on one id, so that a message
	// whose answer was lost may be sent again [deduplicates].
	Deduplicates bool

	// Credentials are sent with every request [username, password, bearer].
	httpsubmit.Credentials

	// SuccessStatus are the statuses with which a message was taken; 200, 201 and
	// 202 by default [success_status].
	SuccessStatus []int
	// Answer is what answers are: "json", which is the default, or "text", whose
	// words are then a list [answer].
	Answer string
	// SuccessPointer finds what must be one of SuccessValues in an answer; "" for
	// the status alone (RFC 6901) [success_pointer, success_values].
	SuccessPointer string
	SuccessValues  []string
	// RefPointer finds the gateway's own id of the message; "" for none
	// [ref_pointer].
	RefPointer string
	// ErrorPointer finds the gateway's error; by default it is SuccessPointer
	// [error_pointer].
	ErrorPointer string
	// The values at ErrorPointer that decide, whatever the status
	// [retry_values, permanent_values, config_values].
	RetryValues, PermanentValues, ConfigValues []string

	// ReceiptID names the field of receipts that holds our id, ReceiptRef that
	// with the gateway's own: one of the two, or none if there are no receipts
	// [receipt_id, receipt_ref].
	ReceiptID, ReceiptRef string
	// ReceiptStatus names the field with the news, ReceiptReason that with an
	// error code [receipt_status, receipt_reason].
	ReceiptStatus, ReceiptReason string
	// The values of ReceiptStatus: those that tell nothing final, and those that
	// tell the ends
	// [receipt_dispatched, receipt_delivered, receipt_undeliverable, receipt_timed_out].
	Dispatched, Delivered, Undeliverable, TimedOut []string

	// CheckURL is got to prove credentials; "" proves that the host answers
	// [check_url].
	CheckURL string

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

// Values of Config's fields that are words.
const (
	formatJSON = "json"
	formatForm = "form"
	formatText = "text"
)

// Bounds.
const (
	defaultTimeout = 10 * time.Second
	maxTimeout     = 15 * time.Second // below what the dispatcher gives a submit
	maxName        = 64
	maxHeaders     = 20
	maxHeader      = 1 << 10 // bytes of a value's template
	maxURL         = 2 << 10
	maxBody        = 32 << 10
	maxSender      = 64
)

// Equal reports whether nothing of the two differs once defaults are filled in,
// so that a reload may keep the carrier. It does not look into the files that
// the TLS keys name.
func (c Config) Equal(o Config) bool { return reflect.DeepEqual(c.withDefaults(), o.withDefaults()) }

// withDefaults fills in what is left out.
func (c Config) withDefaults() Config {
	if len(c.Channels) == 0 {
		c.Channels = []message.Channel{message.SMS}
	}
	c.Channels = slices.Clone(c.Channels)
	slices.Sort(c.Channels)
	c.Channels = slices.Compact(c.Channels)
	for _, word := range []struct {
		field *string
		value string
	}{{&c.Method, http.MethodPost}, {&c.ContentType, formatJSON}, {&c.Answer, formatJSON}, {&c.ErrorPointer, c.SuccessPointer}} {
		if *word.field == "" {
			*word.field = word.value
		}
	}
	if len(c.SuccessStatus) == 0 {
		c.SuccessStatus = []int{http.StatusOK, http.StatusCreated, http.StatusAccepted}
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	for _, list := range []*[]string{
		&c.SuccessValues, &c.RetryValues, &c.PermanentValues, &c.ConfigValues,
		&c.Dispatched, &c.Delivered, &c.Undeliverable, &c.TimedOut,
	} {
		if len(*list) == 0 {
			*list = nil
		}
	}
	if len(c.Headers) == 0 {
		c.Headers = nil
	}
	if len(c.Secrets) == 0 {
		c.Secrets = nil
	}
	if len(c.Encodings) == 0 {
		c.Encodings = nil
	}
	return c
}

package twilio

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Twilio's choice
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

const (
	signatureHeader = "X-Twilio-Signature"
	// queryDigest is what Twilio adds to the URL for a body of JSON: the body's
	// SHA-256 in hexadecimal.
	queryDigest = "bodySHA256"
)

// digested reports whether a request has JSON for its body, and its digest in
// the URL.
func digested(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/json" && r.URL.Query().Has(queryDigest)
}

// digests reports whether a URL has the digest of a body.
func digests(u *url.URL, body []byte) bool {
	given, err := hex.DecodeString(u.Query().Get(queryDigest))
	want := sha256.Sum256(body)
	return err == nil && subtle.ConstantTimeCompare(given, want[:]) == 1
}

// signed reports whether a request carries Twilio's signature over its public
// URL and form, made with one of the tokens. With JSON the signature is over
// the URL alone, which has to have the body's digest.
func (c *Carrier) signed(r *http.Request, form url.Values, body []byte) bool {
	given := r.Header.Values(signatureHeader)
	if len(given) != 1 {
		return false
	}
	tail := formText(form)
	if digested(r) {
		if !digests(r.URL, body) {
			return false
		}
		tail = ""
	}
	found := 0
	for _, token := range c.cfg.tokens() {
		for _, u := range c.publicURLs(r.URL) {
			mac := hmac.New(sha1.New, []byte(token))
			mac.Write([]byte(u + tail))
			want := base64.StdEncoding.EncodeToString(mac.Sum(nil))
			found |= subtle.ConstantTimeCompare([]byte(given[0]), []byte(want))
		}
	}
	return found == 1
}

// formText is what a form adds to the signed text: each name and value, by name
// in byte order, the values of one name in order and each once.
func formText(form url.Values) string {
	var b strings.Builder
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		values := slices.Clone(form[name])
		slices.Sort(values)
		for _, value := range slices.Compact(values) {
			b.WriteString(name)
			b.WriteString(value)
		}
	}
	return b.String()
}

// publicURLs are the forms in which Twilio may have signed the URL of a request
// to us: with and without the port that goes without saying, and with and
// without the fragment. Scheme, host and path are configuration, but for the
// token that the path ends in, as older ones are taken too.
func (c *Carrier) publicURLs(asked *url.URL) []string {
	own := c.deps.ReceiptURL
	own = own[:strings.LastIndexByte(own, '/')+1] + path.Base(asked.EscapedPath())
	if asked.RawQuery != "" {
		own += "?" + asked.RawQuery
	}
	host, other := c.receipts.Host, c.receipts.Host
	switch port := map[string]string{"https": ":443", "http": ":80"}[c.receipts.Scheme]; {
	case c.receipts.Port() == "":
		other += port
	default:
		other = strings.TrimSuffix(host, port)
	}
	var all []string
	for _, u := range []string{own, strings.Replace(own, "//"+host, "//"+other, 1)} {
		all = append(all, u, u+c.cfg.fragment())
	}
	return all
}

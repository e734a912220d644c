package callback

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Headers of Standard Webhooks. Receivers read names in any letter case; these
// are sent as the standard writes them.
const (
	headerID        = "webhook-id"
	headerTimestamp = "webhook-timestamp"
	headerSignature = "webhook-signature"
)

// ReservedHeader reports whether a custom header may not have this name, in
// any letter case (callback events §9).
func ReservedHeader(name string) bool {
	name = strings.ToLower(name)
	switch name {
	case "host", "content-type", "content-length", "content-encoding", "transfer-encoding",
		"connection", "keep-alive", "upgrade", "te", "trailer", "expect":
		return true
	}
	return strings.HasPrefix(name, "proxy-") || strings.HasPrefix(name, "webhook-")
}

// customHeader is an entry of a configuration's headers as the catalog stores
// them.
type customHeader struct {
	Name  string `json:"Name"`
	Value string `json:"Value"`
}

func parseHeaders(plain []byte) ([]customHeader, error) {
	if len(plain) == 0 {
		return nil, nil
	}
	var out []customHeader
	if err := json.Unmarshal(plain, &out); err != nil {
		return nil, fmt.Errorf("read custom headers: %w", err)
	}
	return out, nil
}

// addHeaders puts custom headers into h in the letter case given, which
// http.Header.Set would change. One that has the name of a header already
// there, in any letter case, takes its place; reserved ones were refused when
// they were stored and are passed over.
func addHeaders(h http.Header, custom []customHeader) {
	for _, c := range custom {
		if ReservedHeader(c.Name) {
			continue
		}
		canonical := http.CanonicalHeaderKey(c.Name)
		if _, ours := h[canonical]; ours {
			// Kept without a value: net/http then adds no default of its own.
			h[canonical] = nil
		}
		h[c.Name] = []string{c.Value}
	}
}

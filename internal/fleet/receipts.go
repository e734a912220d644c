package fleet

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
)

// ReceiptPattern is where a server serves Receipts.
const ReceiptPattern = "/carriers/{carrier}/receipts/{token}"

// maxReceipt bounds the body of a receipt (T-04).
const maxReceipt = 256 << 10

// Why a receipt was refused, for labels of metrics.
const (
	refusedToken     = "token"     // no such carrier, or not its token
	refusedForged    = "forged"    // without the carrier's signature
	refusedMalformed = "malformed" // not what the carrier sends
	refusedFailed    = "failed"    // not recorded: the carrier sends it again
)

// receiptURL is where a carrier reaches its receipts; "" if it cannot.
func (f *Fleet) receiptURL(name string) string {
	if f.deps.PublicURL == nil {
		return ""
	}
	return f.deps.PublicURL.JoinPath("carriers", name, "receipts", f.deps.Tokens(name)[0]).String()
}

// Receipts takes the carriers' receipts under ReceiptPattern. The token is
// compared before anything else is looked at; whoever does not have it learns
// nothing, not even which carriers there are.
func (f *Fleet) Receipts() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m := f.opened(r.PathValue("carrier"), r.PathValue("token"))
		if m == nil {
			f.deps.Observer.ReceiptRefused("", refusedToken) // a stranger's name is no label
			http.NotFound(w, r)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxReceipt)
		answer := &status{ResponseWriter: w, code: http.StatusOK}
		m.receipts.ServeHTTP(answer, r)
		if why := reason(answer.code); why != "" {
			f.deps.Observer.ReceiptRefused(m.Name(), why)
		}
	})
}

// opened returns the member whose receipts the token opens; nil for none. One
// that leaves takes them until it has ended, unless its successor does.
func (f *Fleet) opened(name, token string) *member {
	m := f.receiver(name)
	tokens := []string{""}
	if m != nil {
		tokens = m.tokens
	}
	given, fits := sha256.Sum256([]byte(token)), 0
	for _, t := range tokens {
		want := sha256.Sum256([]byte(t))
		fits |= subtle.ConstantTimeCompare(given[:], want[:])
	}
	if fits != 1 {
		return nil
	}
	return m
}

// receiver returns the member that takes the receipts of a carrier; nil for none.
func (f *Fleet) receiver(name string) *member {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.members, func(m *member) bool { return m.Name() == name && m.receipts != nil })
	if i >= 0 {
		return f.members[i]
	}
	if m := f.leaving[name]; m != nil && m.receipts != nil {
		return m
	}
	return nil
}

func reason(code int) string {
	switch {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return refusedForged
	case code >= http.StatusInternalServerError:
		return refusedFailed
	case code >= http.StatusBadRequest:
		return refusedMalformed
	}
	return ""
}

// status remembers the status of an answer.
type status struct {
	http.ResponseWriter

	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// Unwrap returns the writer below, for http.ResponseController.
func (s *status) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// Package sandbox serves what the sandbox carriers received, to callers with an
// API key of the account: GET /sandbox/messages, and GET /sandbox/messages/wait,
// which answers as soon as there is something new. While there is no sandbox,
// everything here answers 404 (K-05).
package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/admission"
	"github.com/countersign/countersign/internal/api/wire"
	inbox "github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/verify"
)

// Path is where everything here lives; a server routes it and all below it to
// the Handler.
const Path = "/sandbox/"

// Times as the API writes them: UTC with milliseconds.
const timeForm = "2006-01-02T15:04:05.000Z"

// retryAfter is told, in seconds, when the database does not answer.
const retryAfter = "5"

// Authenticator tells whose API key a text is; account.Authenticator does.
type Authenticator interface {
	Authenticate(ctx context.Context, key string) (account.Identity, error)
}

// Messages reads the inbox; the carrier's Inbox does.
type Messages interface {
	Read(ctx context.Context, q inbox.Query) (inbox.Batch, error)
	// Watch tells of what is put into the account's inbox in this process, and
	// closes the channel when the process ends.
	Watch(account string) (woken <-chan string, stop func())
}

// Config is what a Handler is made of.
type Config struct {
	Keys Authenticator
	// Messages is the inbox; nil while there is no sandbox.
	Messages Messages
	Log      *slog.Logger
}

// Handler answers for Path. It is safe for concurrent use.
type Handler struct {
	cfg   Config
	seats *admission.Seats
}

// New returns a handler over c.
func New(c Config) *Handler { return &Handler{c, &admission.Seats{}} }

// ServeHTTP answers a request. The checks come in the order of the other APIs:
// key, path, method, parameters.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store") // messages hold codes
	if err := h.serve(w, r); err != nil {
		h.fail(w, r, err)
	}
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) error {
	if h.cfg.Messages == nil {
		return refusal{http.StatusNotFound, "There is no sandbox on this server"}
	}
	who, err := h.cfg.Keys.Authenticate(r.Context(), keyOf(r))
	if err != nil {
		return err //nolint:wrapcheck // account's sentinels decide the answer
	}
	waits := r.URL.Path == Path+"messages/wait"
	if r.URL.Path != Path+"messages" && !waits {
		return refusal{http.StatusNotFound, "No such path"}
	}
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		return refusal{http.StatusMethodNotAllowed, "The method is not allowed here"}
	}
	q, err := decodeQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	q.Account = who.Account.Name
	var list []inbox.Message
	if waits {
		list, err = h.wait(w, r, q)
	} else {
		var batch inbox.Batch
		batch, err = h.cfg.Messages.Read(r.Context(), q)
		list = batch.Messages
	}
	if err != nil {
		return err //nolint:wrapcheck // it says what it was doing
	}
	messages := make([]messageBody, 0, len(list))
	for _, m := range list {
		messages = append(messages, messageBody{
			ID: m.ID, OTPID: m.OTPID, Channel: string(m.Channel), To: m.To.Reveal(), From: m.From, Text: m.Text.Reveal(),
			CreatedAt: m.Created.UTC().Format(timeForm),
		})
	}
	writeJSON(w, http.StatusOK, messages)
	return nil
}

// keyOf returns the API key.
func keyOf(r *http.Request) string { return wire.List(r.Header, "apiKey") }

// messageBody is a message on the wire.
type messageBody struct {
	ID        string `json:"id"`
	OTPID     string `json:"otpId"`
	Channel   string `json:"channel"`
	To        string `json:"to"`
	From      string `json:"from"`
	Text      string `json:"text"`
	CreatedAt string `json:"createdAt"`
}

// refusal is an error that the caller is told of.
type refusal struct {
	status int
	detail string
}

func (e refusal) Error() string { return e.detail }

// problem is an error on the wire.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// fail answers with err.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	told, ok := errors.AsType[refusal](err)
	switch {
	case ok:
	case errors.Is(err, account.ErrNoKey):
		told = refusal{http.StatusUnauthorized, "The apiKey header is missing"}
	case errors.Is(err, account.ErrUnknownKey), errors.Is(err, account.ErrKeyDisabled), errors.Is(err, account.ErrSuspended):
		told = refusal{http.StatusForbidden, "The API key is not accepted"}
	case errors.Is(err, errCrowded):
		w.Header().Set("Retry-After", retryAfter)
		told = refusal{http.StatusServiceUnavailable, "Too many callers wait for messages"}
	case errors.Is(err, verify.ErrUnavailable), errors.Is(err, verify.ErrOverloaded):
		w.Header().Set("Retry-After", retryAfter)
		told = refusal{http.StatusServiceUnavailable, "Storage is unavailable"}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded): // nobody waits for it any more
		w.Header().Set("Retry-After", retryAfter)
		told = refusal{http.StatusServiceUnavailable, "The request ended before its answer"}
	default:
		h.cfg.Log.ErrorContext(r.Context(), "request failed", slog.String("route", Path), slog.Any("err", err))
		told = refusal{http.StatusInternalServerError, "The request could not be completed"}
	}
	writeJSON(w, told.status, problem{http.StatusText(told.status), told.status, told.detail})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(body) //nolint:errchkjson // the status is sent: nothing is left to tell the caller
}

package twilio

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/countersign/countersign/internal/delivery"
)

// querySay is what the query of the fetch of a call's words has: them, sealed.
const querySay = "say"

// maxCallback bounds what Twilio sends us (T-04).
const maxCallback = 256 << 10

// Receipts takes Twilio's status callbacks, and its fetches of what a call says,
// at ReceiptURL. It answers 200 when a receipt is recorded or of no interest,
// 503 when it could not be recorded, 403 without Twilio's signature, 400 for
// what is no callback, 405 for another method than POST.
func (c *Carrier) Receipts() http.Handler { return http.HandlerFunc(c.serveCallback) }

func (c *Carrier) serveCallback(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCallback))
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	form, malformed := formOf(r, body)
	if err != nil || malformed != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if c.receipts == nil || !c.signed(r, form, body) {
		c.logger().WarnContext(r.Context(), "callback without Twilio's signature refused")
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if sealed := r.URL.Query().Get(querySay); sealed != "" {
		c.say(w, r, sealed, form)
		return
	}
	w.WriteHeader(c.take(r, form))
}

// formOf reads a callback's body: a form, or the texts and numbers of a JSON
// object by their names.
func formOf(r *http.Request, body []byte) (url.Values, error) {
	if !digested(r) {
		return url.ParseQuery(string(body)) //nolint:wrapcheck // it is not told
	}
	var fields map[string]any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&fields); err != nil {
		return nil, err //nolint:wrapcheck // it is not told
	}
	form := url.Values{}
	for name, value := range fields {
		switch value := value.(type) {
		case string:
			form.Set(name, value)
		case json.Number:
			form.Set(name, value.String())
		}
	}
	return form, nil
}

// take records what a status callback tells, and returns the status to answer.
func (c *Carrier) take(r *http.Request, form url.Values) int {
	receipt, ended, ok := c.receiptOf(r.URL.Query(), form)
	switch {
	case !ok:
		return http.StatusBadRequest
	case !ended:
		return http.StatusOK
	}
	c.warn(r, receipt)
	if !c.deps.Flights.Wait(r.Context(), receipt.ID) {
		return http.StatusServiceUnavailable
	}
	if _, err := c.deps.Receive(r.Context(), receipt); err != nil {
		c.logger().WarnContext(r.Context(), "receipt not recorded; it is asked for again", slog.Any("err", err))
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

// receiptOf reads a status callback, whose query the signature covers. ended is
// false for news that is not final, ok is false for what is no status callback.
func (c *Carrier) receiptOf(query, form url.Values) (receipt delivery.Receipt, ended, ok bool) {
	ref, status := form.Get("MessageSid"), form.Get("MessageStatus")
	if ref != "" {
		receipt, ended = messageReceipt(status, number(form.Get("ErrorCode")))
	} else {
		ref, status = form.Get("CallSid"), form.Get("CallStatus")
		receipt, ended = c.cfg.callReceipt(status, form)
	}
	receipt.Carrier, receipt.ID, receipt.Ref = c.cfg.Name, nameIn(query), ref
	return receipt, ended, isRef(ref) && status != ""
}

// say answers the fetch of what a call says. A machine and who picks up too late
// hear nothing.
func (c *Carrier) say(w http.ResponseWriter, r *http.Request, sealed string, form url.Values) {
	d, err := c.open(sealed)
	if err != nil {
		c.logger().WarnContext(r.Context(), "fetch of a call's words refused", slog.Any("err", err))
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	twiml := d.Speech.twiml()
	if c.deps.Now().Unix() >= d.Expires || machine(form.Get("AnsweredBy")) {
		twiml = hangUp
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	_, _ = io.WriteString(w, twiml) // Twilio asks again for what it did not get
}

// open opens a document under any of the tokens.
func (c *Carrier) open(sealed string) (d document, err error) {
	for _, o := range c.openers {
		if d, err = o.open(sealed); err == nil {
			return d, nil
		}
	}
	return document{}, err
}

// machine reports whether Twilio takes who answered for no person.
func machine(answeredBy string) bool {
	return strings.HasPrefix(answeredBy, "machine") || answeredBy == "fax"
}

package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// Message is what to send. To, Profile and Priority are needed.
type Message struct {
	To       string // phone number in international form
	Profile  string // name of the profile: code rules and templates
	Priority string // name of the priority: channels and their order
	Language string // such as "de" or "pt_BR"; "" leaves it to the server

	// Code is sent instead of a generated one: 4 to 11 characters, no A–Z.
	Code string
	// Senders replace the account's; "" keeps it.
	Sender, Caller, SenderViber, SenderWhatsApp string

	// IdempotencyKey is that of WithIdempotencyKey, for messages that are kept to
	// be sent again. The option goes before it.
	IdempotencyKey string
}

// Status is the state of an OTP, or the verdict of a check.
type Status string

// States and verdicts. An OTP is open while it is Active or WrongCode.
const (
	Active          Status = "ACTIVE"
	WrongCode       Status = "WRONG_CODE"        // at least one wrong code, attempts left
	Verified        Status = "VERIFIED"          // as a verdict: once in the life of an OTP
	Expired         Status = "EXPIRED"           //
	TooManyAttempts Status = "TOO_MANY_ATTEMPTS" //
	AlreadyReported Status = "ALREADY_REPORTED"  // verdict only: it was verified before
)

// OTP is a one-time password as the server shows it; never the code.
type OTP struct {
	ID       string    `json:"otpId"`
	To       string    `json:"to"`
	Status   Status    `json:"otpStatus"`
	Allowed  int       `json:"allowedAttempts"`
	Attempts int       `json:"attemptCount"`
	Created  time.Time `json:"otpCreated"`
	Expires  time.Time `json:"otpExpire"`
}

// Send issues a code and starts its delivery. It returns the OTP's id, which
// Validate needs; it does not wait for the delivery.
//
// After ErrUnavailable, ErrServer or an error that is no *Error, the message may
// have been sent. Only a Send with an idempotency key can be repeated without
// sending it twice.
func (c *Client) Send(ctx context.Context, m Message, options ...CallOption) (id string, err error) {
	var answer struct {
		ID string `json:"id"`
	}
	in := struct {
		To          string `json:"to"`
		Profile     string `json:"profileName"`
		Priority    string `json:"priorityName"`
		Language    string `json:"languageCode,omitempty"`
		Code        string `json:"otpCode,omitempty"`
		Sender      string `json:"sender,omitempty"`
		Caller      string `json:"caller,omitempty"`
		SenderViber string `json:"senderViber,omitempty"`
		SenderWA    string `json:"senderWA,omitempty"`
	}{m.To, m.Profile, m.Priority, m.Language, m.Code, m.Sender, m.Caller, m.SenderViber, m.SenderWhatsApp}
	options = append([]CallOption{WithIdempotencyKey(m.IdempotencyKey)}, options...)
	if _, err := c.call(ctx, http.MethodPost, "/otp", in, &answer, options); err != nil {
		return "", err
	}
	if answer.ID == "" {
		return "", errLacks
	}
	return answer.ID, nil
}

// Validate checks a code that somebody typed. Only Verified says that it is
// right, and only once; every other verdict is no proof. ErrNotFound if there is
// no such OTP.
//
// If the answer is lost, that one Verified may be lost with it: the next Validate
// says AlreadyReported. With WithIdempotencyKey, it says again what the first
// did.
func (c *Client) Validate(ctx context.Context, id, code string, options ...CallOption) (Status, error) {
	if namesNone(id) {
		return "", ErrNotFound
	}
	var answer struct {
		Status Status `json:"otpStatus"`
	}
	in := struct {
		Code string `json:"otpCode"`
	}{code}
	if _, err := c.call(ctx, http.MethodPost, "/otp/"+url.PathEscape(id)+"/validate", in, &answer, options); err != nil {
		return "", err
	}
	if answer.Status == "" {
		return "", errLacks
	}
	return answer.Status, nil
}

// Read returns an OTP; ErrNotFound if there is none of the id.
func (c *Client) Read(ctx context.Context, id string, options ...CallOption) (OTP, error) {
	if namesNone(id) {
		return OTP{}, ErrNotFound
	}
	var o OTP
	if _, err := c.call(ctx, http.MethodGet, "/otp/"+url.PathEscape(id), nil, &o, options); err != nil {
		return OTP{}, err
	}
	if o.ID == "" || o.Status == "" {
		return OTP{}, errLacks
	}
	return o, nil
}

// Delete removes an OTP: nothing is sent or reported for it any more. One that
// does not exist is no error.
func (c *Client) Delete(ctx context.Context, id string, options ...CallOption) error {
	if namesNone(id) {
		return nil
	}
	_, err := c.call(ctx, http.MethodDelete, "/otp/"+url.PathEscape(id), nil, nil, options)
	return err
}

// errLacks is an answer of another shape, such as that of a proxy's own page.
var errLacks = errors.New("the server's answer lacks what was asked for")

// namesNone reports whether id would make the path of another call: no OTP has
// it. Dots are what proxies resolve, escaped or not.
func namesNone(id string) bool { return id == "" || id == "." || id == ".." }

// Filter selects OTPs. The zero Filter selects all.
type Filter struct {
	To     string // phone number; "" for every one
	Status Status // Verified or TooManyAttempts; "" for every one
}

// Listing is what List found.
type Listing struct {
	OTPs      []OTP // newest first
	Truncated bool  // whether the server left out the oldest
}

// List returns OTPs, newest first. The server may leave out the oldest, and says
// so in Truncated; by default it returns at most 1,000.
func (c *Client) List(ctx context.Context, f Filter, options ...CallOption) (Listing, error) {
	query := url.Values{}
	if f.To != "" {
		query.Set("to", f.To)
	}
	if f.Status != "" {
		query.Set("otpStatus", string(f.Status))
	}
	path := "/otp"
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	var all []OTP
	header, err := c.call(ctx, http.MethodGet, path, nil, &all, options)
	if err != nil {
		return Listing{}, err
	}
	if all == nil {
		return Listing{}, errLacks
	}
	return Listing{OTPs: all, Truncated: header.Get("X-Result-Truncated") == "true"}, nil
}

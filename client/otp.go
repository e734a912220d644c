package client

import (
	"context"
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

	// IdempotencyKey makes a repeated Send of the same message answer as the
	// first did, for 24 h; "" for none. A random text of up to 255 visible ASCII
	// characters.
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
func (c *Client) Send(ctx context.Context, m Message) (id string, err error) {
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
	var header []string
	if m.IdempotencyKey != "" {
		header = []string{"Idempotency-Key", m.IdempotencyKey}
	}
	err = c.call(ctx, http.MethodPost, "/otp", in, &answer, header...)
	return answer.ID, err
}

// Validate checks a code that somebody typed. Only Verified says that it is
// right, and only once; every other verdict is no proof. ErrNotFound if there is
// no such OTP.
func (c *Client) Validate(ctx context.Context, id, code string) (Status, error) {
	var answer struct {
		Status Status `json:"otpStatus"`
	}
	in := struct {
		Code string `json:"otpCode"`
	}{code}
	err := c.call(ctx, http.MethodPost, "/otp/"+url.PathEscape(id)+"/validate", in, &answer)
	return answer.Status, err
}

// Read returns an OTP; ErrNotFound if there is none of the id.
func (c *Client) Read(ctx context.Context, id string) (OTP, error) {
	var o OTP
	err := c.call(ctx, http.MethodGet, "/otp/"+url.PathEscape(id), nil, &o)
	return o, err
}

// Delete removes an OTP: nothing is sent or reported for it any more. One that
// does not exist is no error.
func (c *Client) Delete(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "/otp/"+url.PathEscape(id), nil, nil)
}

// Filter selects OTPs. The zero Filter selects all.
type Filter struct {
	To     string // phone number; "" for every one
	Status Status // Verified or TooManyAttempts; "" for every one
}

// List returns OTPs, newest first. The server may leave out the oldest; by
// default it returns at most 1,000.
func (c *Client) List(ctx context.Context, f Filter) ([]OTP, error) {
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
	err := c.call(ctx, http.MethodGet, path, nil, &all)
	return all, err
}

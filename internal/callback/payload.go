package callback

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/countersign/countersign/internal/otp"
)

// DefaultErrorPrefix is the first part of error codes unless the operator
// names another (callback events §6).
const DefaultErrorPrefix = "tyntec"

// timestampForm is RFC 3339 in UTC with milliseconds.
const timestampForm = "2006-01-02T15:04:05.000Z"

// carrierArea is the area of failures that are named by their channel.
const carrierArea = "carrier"

// payload is the body of a POST: these members and no other (callback events
// §4), in the order of the published examples.
type payload struct {
	Channel   string        `json:"channel"`
	OTPID     string        `json:"otpId"`
	ProfileID string        `json:"profileId"`
	Status    string        `json:"status"`
	Timestamp string        `json:"timestamp"`
	Error     *payloadError `json:"error,omitempty"`
}

type payloadError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// render returns the body for a post: the same bytes at every attempt.
func render(p Post, errorPrefix string) ([]byte, error) {
	return renderAs(p.Event.Kind.String(), p, errorPrefix)
}

// renderAs is render with another status.
func renderAs(status string, p Post, errorPrefix string) ([]byte, error) {
	e := p.Event
	out := payload{
		Channel:   e.Channel,
		OTPID:     p.OTPID,
		ProfileID: p.ProfileID,
		Status:    status,
		Timestamp: e.At.UTC().Format(timestampForm),
	}
	if e.Kind == otp.EventUndeliverable {
		out.Error = renderFailure(e, errorPrefix)
	}
	body, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("write callback body: %w", err)
	}
	return body, nil
}

// renderFailure writes error.code as prefix::area::code. Neither part is ever
// empty, whatever a carrier left out.
func renderFailure(e otp.Event, prefix string) *payloadError {
	f := otp.Failure{Area: "internal", Code: "500"}
	if e.Failure != nil {
		f = *e.Failure
	}
	if f.Area == carrierArea {
		f.Area = strings.ToLower(e.Channel)
	}
	if f.Code == "" {
		f.Code = "unknown"
	}
	if f.Text == "" {
		f.Text = "The message could not be delivered"
	}
	return &payloadError{Code: prefix + "::" + f.Area + "::" + f.Code, Message: f.Text}
}

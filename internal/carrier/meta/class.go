package meta

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
)

// Error codes of the Cloud API that the carrier itself acts on.
const (
	codeParameter    = 100
	codeAlias        = 803 // an object that does not exist
	codeNotOnWA      = 131026
	codeSpamLimit    = 131048
	codePairLimit    = 131056
	codeNoTemplate   = 132001
	codePaused       = 132015
	codeDisabled     = 132016
	subcodeNoObject  = 33
	firstPermission  = 200
	lastPermission   = 219
	serverErrors     = 500
	pairPause        = 6 * time.Second // between two messages to one person
	permissionReason = "The access token lacks a permission"
)

type meaning struct {
	class delivery.Class
	text  string // for people
}

// meanings say what error codes mean, of answers and of webhooks; it is read
// only. Config.Errors goes first.
var meanings = map[int]meaning{
	1:      {delivery.Retry, "WhatsApp had an unknown error"},
	2:      {delivery.Retry, "WhatsApp is down or overloaded"},
	4:      {delivery.Retry, "The app reached its limit of calls"},
	17:     {delivery.Retry, "The system user reached its limit of calls"},
	80007:  {delivery.Retry, "The WhatsApp account reached its limit of calls"},
	130429: {delivery.Retry, "The business number sends too fast"},
	131000: {delivery.Retry, "WhatsApp could not send the message for an unknown reason"},
	131016: {delivery.Retry, "WhatsApp is overloaded"},
	131056: {delivery.Retry, "Too many messages to this person in a short time"},
	131057: {delivery.Retry, "The WhatsApp account is in maintenance"},
	133004: {delivery.Retry, "WhatsApp is temporarily unavailable"},

	131026: {delivery.Permanent, "The recipient is not on WhatsApp or cannot get this message"},
	131021: {delivery.Permanent, "Sender and recipient are the same"},
	130497: {delivery.Permanent, "The business may not send to this country"},
	131049: {delivery.Permanent, "WhatsApp chose not to deliver the message"},
	131050: {delivery.Permanent, "The recipient wants no such messages"},
	130472: {delivery.Permanent, "The recipient is part of an experiment"},
	131051: {delivery.Permanent, "The type of message is not supported"},

	0:      {delivery.Config, "The app could not be authenticated"},
	3:      {delivery.Config, "The app lacks a capability"},
	10:     {delivery.Config, permissionReason},
	190:    {delivery.Config, "The access token has expired or was revoked"},
	33:     {delivery.Config, "The business number was deleted"},
	100:    {delivery.Config, "A parameter is wrong"},
	131008: {delivery.Config, "A parameter is missing"},
	131009: {delivery.Config, "A parameter has a wrong value"},
	368:    {delivery.Config, "The WhatsApp account is blocked for a violation"},
	131031: {delivery.Config, "The WhatsApp account is locked"},
	131037: {delivery.Config, "The business number's display name is not approved"},
	131042: {delivery.Config, "There is trouble with the payment method"},
	131045: {delivery.Config, "The business number is not registered with its certificate"},
	133010: {delivery.Config, "The business number is not registered"},
	131048: {delivery.Config, "The business number reached its spam limit"},
	132000: {delivery.Config, "The template has another number of parameters"},
	132001: {delivery.Config, "The template does not exist in this language or is not approved"},
	132005: {delivery.Config, "The text is too long for the template"},
	132007: {delivery.Config, "The template breaks WhatsApp's policy"},
	132012: {delivery.Config, "A parameter has another format than the template's"},
	132015: {delivery.Config, "The template is paused"},
	132016: {delivery.Config, "The template is disabled"},
	134011: {delivery.Config, "WhatsApp's terms of payments are not accepted"},
}

func meaningOf(code int) (meaning, bool) {
	if firstPermission <= code && code <= lastPermission {
		return meaning{delivery.Config, permissionReason}, true
	}
	m, ok := meanings[code]
	return m, ok
}

// problem is the error object of the Graph API. Its texts are not kept: they
// repeat parts of the request.
type problem struct {
	Code      int  `json:"code"`
	Subcode   int  `json:"error_subcode"`
	Transient bool `json:"is_transient"`
}

// problemOf returns the error that an answer tells of, nil for none.
func problemOf(body []byte) *problem {
	var said struct {
		Error *problem `json:"error"`
	}
	if json.Unmarshal(body, &said) != nil {
		return nil
	}
	return said.Error
}

// classOf returns the class of an error; otherwise is that of a code that
// nobody knows.
func (s *settled) classOf(p problem, otherwise delivery.Class) delivery.Class {
	if class, ok := s.errors[p.Code]; ok {
		return class
	}
	if p.Transient {
		return delivery.Retry
	}
	if m, ok := meaningOf(p.Code); ok {
		return m.class
	}
	return otherwise
}

// failure is what a delivery reports of this carrier.
func failure(code, text string) otp.Failure {
	return otp.Failure{Area: delivery.AreaCarrier, Code: code, Text: text}
}

func failureOf(code int) otp.Failure {
	m, ok := meaningOf(code)
	if !ok {
		m.text = "WhatsApp refused the message with an error of its own"
	}
	return failure(strconv.Itoa(code), m.text)
}

// refuse is the result of a message that is not handed over for its own sake.
func refuse(class delivery.Class, code, text string) *delivery.Result {
	return &delivery.Result{Class: class, Own: true, Failure: failure(code, text)}
}

// judge returns what an answer without a message id means, and the error in it,
// if any.
func (s *settled) judge(a httpsubmit.Answer, now time.Time) (delivery.Result, *problem) {
	r := httpsubmit.Classify(a, now)
	p := problemOf(a.Body)
	if p == nil {
		if r.Class == delivery.Accepted {
			r = delivery.Result{Class: delivery.Uncertain, Failure: failure("answer", "WhatsApp's answer could not be understood")}
		}
		return r, nil
	}
	switch {
	case a.Status >= serverErrors:
		r.Class = delivery.Retry // it is the Graph API that speaks, not a proxy
	case r.Class == delivery.Accepted:
		r.Class = delivery.Permanent
	}
	r.Class, r.Failure, r.After = s.classOf(*p, r.Class), failureOf(p.Code), 0
	if r.Class == delivery.Retry {
		r.After = httpsubmit.RetryAfter(a.Header, now)
		if p.Code == codePairLimit {
			r.After = max(r.After, pairPause)
		}
	}
	return r, p
}

// Error is a refusal by the Graph API.
type Error struct {
	Status        int // of HTTP
	Code, Subcode int // 0 for none
}

// Error names the status and the codes.
func (e *Error) Error() string {
	text := fmt.Sprintf("HTTP status %d", e.Status)
	if e.Code == 0 && e.Subcode == 0 {
		return text
	}
	text += fmt.Sprintf(", error %d", e.Code)
	if e.Subcode != 0 {
		text += fmt.Sprintf("/%d", e.Subcode)
	}
	if m, ok := meaningOf(e.Code); ok {
		text += ": " + m.text
	}
	return text
}

// missing reports whether the error says that an object does not exist, or not
// for this token.
func (e *Error) missing() bool {
	return e.Code == codeParameter && e.Subcode == subcodeNoObject || e.Code == codeAlias
}

package tyntecv4

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/countersign/countersign/internal/admission"
	"github.com/countersign/countersign/internal/message"
)

// route is one operation.
type route struct {
	pattern string // method and path; {…} stands for one segment
	handle  func(context.Context, *call) (reply, error)
	absent  absence // the body that says that the path's target does not exist
}

// work is what the operation asks of the database.
func (r *route) work() admission.Work {
	switch r.pattern {
	case "POST /2fa/v4/otp":
		return admission.Send
	case "POST /2fa/v4/otp/{otp-id}/validate":
		return admission.Check
	}
	return admission.Other
}

// absence is the shape of an operation's 404.
type absence uint8

const (
	noResource absence = iota // NR
	noTemplate                // NT
)

// routes are the operations of contract v4 §6, in its order.
func (f *facade) routes() []route {
	const (
		sms, viber, voice = message.SMS, message.Viber, message.Voice
	)
	return []route{
		{"GET /2fa/v4/otp", f.listOTPs, noResource},
		{"POST /2fa/v4/otp", f.send, noResource},
		{"GET /2fa/v4/otp/{otp-id}", f.readOTP, noResource},
		{"DELETE /2fa/v4/otp/{otp-id}", f.deleteOTP, noResource},
		{"POST /2fa/v4/otp/{otp-id}/validate", f.validate, noResource},

		{"GET /2fa/v4/configurations/callbacks", f.listCallbacks, noResource},
		{"POST /2fa/v4/configurations/callbacks", f.createCallback, noResource},
		{"DELETE /2fa/v4/configurations/callbacks/{id}", f.deleteCallback, noResource},
		{"PATCH /2fa/v4/configurations/callbacks/{id}", f.patchCallback, noResource},
		{"GET /2fa/v4/configurations/channels/whatsapp", f.readWhatsAppConfig, noResource},
		{"POST /2fa/v4/configurations/channels/whatsapp", f.createWhatsAppConfig, noResource},
		{"GET /2fa/v4/configuration/channel/whatsapp", f.readWhatsAppConfig, noResource},
		{"POST /2fa/v4/configuration/channel/whatsapp", f.createWhatsAppConfig, noResource},

		{"GET /2fa/v4/priorities", f.listPriorities, noResource},
		{"POST /2fa/v4/priorities", f.createPriority, noResource},
		{"GET /2fa/v4/priorities/{id}", f.readPriority, noResource},
		{"DELETE /2fa/v4/priorities/{id}", f.deletePriority, noResource},
		{"PATCH /2fa/v4/priorities/{id}", f.patchPriority, noResource},

		{"GET /2fa/v4/profiles", f.listProfiles, noResource},
		{"POST /2fa/v4/profiles", f.createProfile, noResource},
		{"GET /2fa/v4/profiles/{id}", f.readProfile, noResource},
		{"DELETE /2fa/v4/profiles/{id}", f.deleteProfile, noResource},
		{"PATCH /2fa/v4/profiles/{id}", f.patchProfile, noResource},
		{"POST /2fa/v4/profiles/{profile-id}/templates", f.linkTemplates, noResource},
		{"DELETE /2fa/v4/profiles/{profile-id}/templates/{template-name}", f.unlinkTemplate, noResource},

		{"GET /2fa/v4/templates", f.listTemplates(sms, viber, voice), noTemplate},

		{"GET /2fa/v4/templates/sms", f.findTemplates(sms), noTemplate},
		{"POST /2fa/v4/templates/sms", f.createTemplate(sms), noTemplate},
		{"GET /2fa/v4/templates/sms/{id}", f.readTemplate(sms), noTemplate},
		{"DELETE /2fa/v4/templates/sms/{id}", f.deleteTemplate(sms), noTemplate},
		{"PATCH /2fa/v4/templates/sms/{id}", f.patchTemplate(sms), noTemplate},

		{"GET /2fa/v4/templates/viber", f.findTemplates(viber), noTemplate},
		{"POST /2fa/v4/templates/viber", f.createTemplate(viber), noTemplate},
		{"GET /2fa/v4/templates/viber/{id}", f.readTemplate(viber), noTemplate},
		{"DELETE /2fa/v4/templates/viber/{id}", f.deleteTemplate(viber), noTemplate},
		{"PATCH /2fa/v4/templates/viber/{id}", f.patchTemplate(viber), noTemplate},

		{"GET /2fa/v4/templates/voice", f.findTemplates(voice), noTemplate},
		{"POST /2fa/v4/templates/voice", f.createTemplate(voice), noTemplate},
		{"GET /2fa/v4/templates/voice/{id}", f.readTemplate(voice), noTemplate},
		{"DELETE /2fa/v4/templates/voice/{id}", f.deleteTemplate(voice), noTemplate},
		{"PATCH /2fa/v4/templates/voice/{id}", f.patchTemplate(voice), noTemplate},

		{"GET /2fa/v4/templates/whatsapp", f.findWhatsAppTemplates, noTemplate},
		{"POST /2fa/v4/templates/whatsapp", f.submitWhatsAppTemplate, noTemplate},
		{"DELETE /2fa/v4/templates/whatsapp/{template-id}", f.deleteWhatsAppTemplate, noTemplate},
	}
}

// node is a place in the tree of paths. http.ServeMux is no help here: it
// redirects where the contract accepts, and answers 405 in its own words.
type node struct {
	below      map[string]*node // by segment; a parameter's is ""
	operations map[string]*route
}

// index makes the tree of all paths.
func index(routes []route) *node {
	root := &node{below: map[string]*node{}}
	for i := range routes {
		r := &routes[i]
		method, path, _ := strings.Cut(r.pattern, " ")
		at := root
		for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
			if strings.HasPrefix(segment, "{") {
				segment = ""
			}
			if at.below[segment] == nil {
				at.below[segment] = &node{below: map[string]*node{}}
			}
			at = at.below[segment]
		}
		if at.operations == nil {
			at.operations = map[string]*route{}
		}
		at.operations[method] = r
	}
	return root
}

// find returns the node with operations at an escaped path, nil if there is
// none, and what stands for the path's parameters. One trailing slash means
// nothing (contract v4 S48).
func (n *node) find(escaped string) (*node, []string) {
	var params []string
	path := strings.TrimSuffix(strings.TrimPrefix(escaped, "/"), "/")
	for segment := range strings.SplitSeq(path, "/") {
		text, err := url.PathUnescape(segment)
		if err != nil || text == "" {
			return nil, nil
		}
		below := n.below[text]
		if below == nil {
			if below = n.below[""]; below == nil {
				return nil, nil
			}
			params = append(params, text)
		}
		n = below
	}
	if n.operations == nil {
		return nil, nil
	}
	return n, params
}

// allow returns the value of the header Allow.
func (n *node) allow() string {
	return strings.Join(slices.Sorted(maps.Keys(n.operations)), ", ")
}

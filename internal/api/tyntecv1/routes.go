package tyntecv1

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/countersign/countersign/internal/admission"
)

// route is one operation.
type route struct {
	pattern    string   // method and path; {…} stands for one segment
	parameters []string // that it reads, as documented and in that order
	handle     func(context.Context, *call) (reply, error)
}

// work is what the operation asks of the database.
func (r *route) work() admission.Work {
	switch r.pattern {
	case "POST /2fa/v1/otp", "POST /2fa/v1/otp/{otpId}":
		return admission.Send
	case "POST /2fa/v1/otp/{otpId}/check":
		return admission.Check
	}
	return admission.Other
}

// routes are the operations of contract v1 §3, in its order.
func (f *facade) routes() []route {
	settings := []string{"name", "pinLength", "alphanumeric", "attempts", "expire", "sender", "caller"}
	changes := []string{"name", "pinLength", "alphaNumeric", "attempts", "expire", "sender", "caller", "deleteCaller"}
	return []route{
		{"POST /2fa/v1/otp", []string{
			"number", "applicationId", "via", "country", "language", "text", "referenceId", "otpCode", "pinLength", "sender", "caller",
		}, f.send},
		{"GET /2fa/v1/otp", []string{"number"}, f.list},
		{"GET /2fa/v1/otp/{otpId}", nil, f.status},
		{"POST /2fa/v1/otp/{otpId}", []string{"via", "sender", "caller"}, f.resend},
		{"DELETE /2fa/v1/otp/{otpId}", nil, f.deleteOTP},
		{"POST /2fa/v1/otp/{otpId}/check", []string{"otpCode"}, f.check},
		{"GET /2fa/v1/otp/{otpId}/events", nil, f.events},

		{"GET /2fa/v1/application", nil, f.listApplications},
		{"POST /2fa/v1/application", settings, f.createApplication},
		{"GET /2fa/v1/application/{applicationId}", nil, f.readApplication},
		{"POST /2fa/v1/application/{applicationId}", changes, f.editApplication},
		{"DELETE /2fa/v1/application/{applicationId}", nil, f.deleteApplication},
		{"POST /2fa/v1/application/{applicationId}/language", []string{"language", "text", "channel"}, f.setText},
		{"DELETE /2fa/v1/application/{applicationId}/language", []string{"language", "channel"}, f.deleteText},
	}
}

// path is a path that some operation has.
type path struct {
	segments   []string          // the one that is "" is the id
	operations map[string]*route // by method
	allow      string            // value of the header Allow
}

// index gathers the operations of each path. http.ServeMux is no help here: it
// redirects where the contract accepts, and answers 405 in its own words.
func index(routes []route) []*path {
	var paths []*path
	for i := range routes {
		method, text, _ := strings.Cut(routes[i].pattern, " ")
		segments := strings.Split(strings.TrimPrefix(text, "/"), "/")
		for j, s := range segments {
			if strings.HasPrefix(s, "{") {
				segments[j] = ""
			}
		}
		at := slices.IndexFunc(paths, func(p *path) bool { return slices.Equal(p.segments, segments) })
		if at < 0 {
			at = len(paths)
			paths = append(paths, &path{segments: segments, operations: map[string]*route{}})
		}
		p := paths[at]
		p.operations[method] = &routes[i]
		p.allow = strings.TrimPrefix(p.allow+", "+method, ", ")
	}
	return paths
}

// find returns the path with operations at an escaped path, nil if there is
// none, and the id in it, unescaped. One trailing slash means nothing.
func (f *facade) find(escaped string) (found *path, id string) {
	given := strings.Split(strings.TrimSuffix(strings.TrimPrefix(escaped, "/"), "/"), "/")
	for _, p := range f.paths {
		if id, ok := p.match(given); ok {
			return p, id
		}
	}
	return nil, ""
}

func (p *path) match(given []string) (id string, ok bool) {
	if len(given) != len(p.segments) {
		return "", false
	}
	for i, want := range p.segments {
		text, err := url.PathUnescape(given[i])
		switch {
		case err != nil || text == "":
			return "", false
		case want == "":
			id = text
		case want != text:
			return "", false
		}
	}
	return id, true
}

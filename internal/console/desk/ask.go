package desk

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/console/ledger"
	"github.com/countersign/countersign/internal/console/page"
	"github.com/countersign/countersign/internal/verify"
)

// field is a field of a form: what the API calls it, what the form calls it, and
// what people call it at the beginning of a sentence.
type field struct{ api, form, label string }

// problem is what the version 4 API says is wrong.
type problem struct {
	Detail     string `json:"detail"`
	AccountID  string `json:"accountId"` // at WhatsApp
	Violations []struct {
		Field   string `json:"field"`
		Message string `json:"message"`
	} `json:"violations"`
}

// errAPI is an answer of an API within this process that no form can cause.
var errAPI = errors.New("unexpected answer of an API")

// ask makes a change over the version 4 API. What the API refuses is on the
// form then, and ok is false.
func (g *Group) ask(r *page.Request, method, path string, body map[string]any, fields []field) (answer []byte, ok bool, err error) {
	status, answer, err := change(r, g.cfg.V4, method, v4+path, body)
	if err != nil {
		return nil, false, err
	}
	if status < http.StatusMultipleChoices {
		return answer, true, nil
	}
	var p problem
	if err := json.Unmarshal(answer, &p); err != nil {
		return nil, false, fmt.Errorf("read answer %d of the API: %w", status, err)
	}
	f := r.Form()
	switch {
	case status == http.StatusNotFound:
		return nil, false, page.ErrNotFound
	case status >= http.StatusInternalServerError && p.AccountID != "":
		f.Refuse("", "WhatsApp could not be asked. The log of the server says why. Try again later.")
	case status >= http.StatusInternalServerError:
		return nil, false, fmt.Errorf("%w: %d", errAPI, status)
	case len(p.Violations) > 0:
		for _, v := range p.Violations {
			refuse(f, fields, v.Field, v.Message)
		}
	case status == http.StatusConflict:
		at := ""
		if len(fields) > 0 {
			at = fields[0].form // what conflicts is a name, or all there is in the form
		}
		f.Refuse(at, p.Detail+".")
	default:
		refuseDetail(f, fields, p.Detail)
	}
	return nil, false, nil
}

// v4 and v1 are where the APIs are.
const (
	v4 = "/2fa/v4"
	v1 = "/2fa/v1"
)

func encode(body map[string]any) (string, error) {
	if body == nil {
		return "", nil
	}
	text, err := json.Marshal(body)
	if err != nil {
		return "", fmt.Errorf("encode request: %w", err)
	}
	return string(text), nil
}

// change calls an API that changes something. It fails with ErrOutcomeUnknown
// if the change may have been made, with ErrUnavailable if it could not.
func change(r *page.Request, api API, method, path string, body map[string]any) (status int, answer []byte, err error) {
	text, err := encode(body)
	if err != nil {
		return 0, nil, err
	}
	ctx, inDoubt := ledger.Watch(r.Context())
	status, answer = api.Call(ctx, r.Account, method, path, text)
	switch {
	case status != http.StatusServiceUnavailable:
		return status, answer, nil
	case inDoubt():
		return 0, nil, verify.ErrOutcomeUnknown
	}
	return 0, nil, verify.ErrUnavailable
}

// refuse marks the field that the API calls name, such as "channels[0].type".
func refuse(f *page.Form, fields []field, name, reason string) {
	if reason == unique {
		switch {
		case strings.HasSuffix(name, ".languageCode"):
			f.Refuse("link", "Two of the templates have the same channel and language. Choose one of them.")
			return
		case strings.HasSuffix(name, ".channel"):
			f.Refuse("second", "The second channel must be another one than the first.")
			return
		}
	}
	if m := sizeRule.FindStringSubmatch(reason); m != nil && name == headersField { // it counts them
		f.Refuse(name, "There can be at most "+m[2]+" headers.")
		return
	}
	for _, one := range fields {
		rest, is := strings.CutPrefix(name, one.api)
		if is && (rest == "" || rest[0] == '[' || rest[0] == '.') {
			f.Refuse(one.form, one.label+" "+spoken(reason)+".")
			return
		}
	}
	f.Refuse("", name+" "+reason+".")
}

var misfit = regexp.MustCompile(`^The member (\S+) has an unusable JSON type$`)

// refuseDetail marks the field that a sentence of the API begins with.
func refuseDetail(f *page.Form, fields []field, detail string) {
	if m := misfit.FindStringSubmatch(detail); m != nil {
		refuse(f, fields, m[1], "must be a whole number")
		return
	}
	if name, reason, ok := strings.Cut(detail, " "); ok {
		for _, one := range fields {
			if one.api == name {
				refuse(f, fields, name, reason)
				return
			}
		}
	}
	f.Refuse("", "This is not possible: "+detail+".")
}

// headersField is what the API calls the headers of a callback.
const headersField = "headers"

// unique is the API's reason for what stands somewhere already.
const unique = "must be unique"

var (
	sizeRule    = regexp.MustCompile(`^size must be between (\d+) and (\d+)$`)
	patternRule = regexp.MustCompile(`^must match "(.*)"$`)
	holdRule    = regexp.MustCompile(`^must match "\.\*\\\{\\\{(\w+)\\\}\\\}\.\*"$`)
)

// spoken is a reason of the API as people say it.
func spoken(reason string) string {
	switch reason {
	case "must not be null":
		return "must not be empty"
	case unique:
		return "is taken already"
	}
	if m := sizeRule.FindStringSubmatch(reason); m != nil {
		return "must have " + m[1] + " to " + m[2] + " characters"
	}
	if m := holdRule.FindStringSubmatch(reason); m != nil {
		return "must contain {{" + m[1] + "}}, where the code goes"
	}
	if m := patternRule.FindStringSubmatch(reason); m != nil {
		return patternWords(m[1])
	}
	return reason
}

// patternWords says what a pattern of the API wants.
func patternWords(pattern string) string {
	switch pattern {
	case `^[^\x00]*$`:
		return "must not hold the character U+0000"
	case `^\P{Cc}*$`:
		return "must not hold line breaks, tabs or other control characters"
	case "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$":
		return "has a name with characters that names of headers cannot have"
	case `^[\t\x20-\x7E]*$`:
		return "has a value with other characters than the visible ones of ASCII, blanks and tabs"
	case `^[A-Za-z0-9_]{1,512}$`:
		return "must have 1 to 512 letters A to Z, digits and _"
	case `^[A-Za-z0-9-]{1,64}$`:
		return "must have 1 to 64 letters A to Z, digits and -"
	case `^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+$`:
		return "must be words with dots between them, such as com.example.app"
	case `^[A-Za-z0-9+/=]{11}$`:
		return "must have 11 letters, digits, +, / and ="
	case `^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`:
		return "is none that there can be"
	}
	return "has characters that it cannot have, or a form that is not the right one"
}

// absent is ErrNotFound as pages know it.
func absent(err error) error {
	if errors.Is(err, catalog.ErrNotFound) {
		return page.ErrNotFound
	}
	return err
}

// put adds numbers and words of the form to a request that makes something,
// unless nothing was typed: then the API has its own.
func put(body map[string]any, f *page.Form, names ...string) {
	for _, name := range names {
		if v := f.Value(name); v != "" {
			body[name] = v
		}
	}
}

// putText is put for texts, whose blanks are theirs: what is stored with some
// must not lose them because somebody saved it.
func putText(body map[string]any, f *page.Form, names ...string) {
	for _, name := range names {
		if v := f.Raw(name); v != "" {
			body[name] = v
		}
	}
}

// filled refuses fields of a change that were cleared: to the APIs they would
// be left out, and what is left out of a change stays as it is.
func filled(f *page.Form, fields ...field) bool {
	for _, one := range fields {
		if f.Has(one.form) && f.Raw(one.form) == "" {
			f.Refuse(one.form, one.label+" must not be empty.")
		}
	}
	return f.OK()
}

// idOf returns the id in an answer.
func idOf(answer []byte) string {
	var made struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(answer, &made) != nil {
		return ""
	}
	return made.ID
}

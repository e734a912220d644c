package desk

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/countersign/countersign/internal/catalog"
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
	text, err := encode(body)
	if err != nil {
		return nil, false, err
	}
	status, answer := g.cfg.V4.Call(r.Context(), r.Account, method, v4+path, text)
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
	case status == http.StatusServiceUnavailable:
		return nil, false, outcome(p.Detail)
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

// outcome tells an API that could not do something from one that may have.
func outcome(detail string) error {
	if strings.Contains(detail, "not known") {
		return verify.ErrOutcomeUnknown
	}
	return verify.ErrUnavailable
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

// unique is the API's reason for what stands somewhere already.
const unique = "must be unique"

var (
	sizeRule = regexp.MustCompile(`^size must be between (\d+) and (\d+)$`)
	holdRule = regexp.MustCompile(`^must match "\.\*\\\{\\\{(\w+)\\\}\\\}\.\*"$`)
)

// spoken is a reason of the API as people say it.
func spoken(reason string) string {
	switch reason {
	case "must not be null":
		return "must not be empty"
	case unique:
		return "is taken already"
	case `must match "^[^\x00]*$"`:
		return "must not hold the character U+0000"
	}
	if m := sizeRule.FindStringSubmatch(reason); m != nil {
		return "must have " + m[1] + " to " + m[2] + " characters"
	}
	if m := holdRule.FindStringSubmatch(reason); m != nil {
		return "must contain {{" + m[1] + "}}, where the code goes"
	}
	return reason
}

// absent is ErrNotFound as pages know it.
func absent(err error) error {
	if errors.Is(err, catalog.ErrNotFound) {
		return page.ErrNotFound
	}
	return err
}

// put adds a field of the form to a request, unless nothing was typed.
func put(body map[string]any, f *page.Form, names ...string) {
	for _, name := range names {
		if v := f.Value(name); v != "" {
			body[name] = v
		}
	}
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

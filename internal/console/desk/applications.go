package desk

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/console/page"
	"github.com/countersign/countersign/internal/message"
)

// askV1 is ask over the version 1 API, which names one reason at a time.
func (g *Group) askV1(r *page.Request, method, path string, body map[string]any) (answer []byte, ok bool, err error) {
	status, answer, err := change(r, g.cfg.V1, method, v1+path, body)
	if err != nil {
		return nil, false, err
	}
	if status < http.StatusMultipleChoices {
		return answer, true, nil
	}
	var p struct {
		Message string `json:"message"`
		Code    string `json:"code"`
	}
	if err := json.Unmarshal(answer, &p); err != nil {
		return nil, false, fmt.Errorf("read answer %d of the API: %w", status, err)
	}
	switch {
	case status == http.StatusNotFound:
		return nil, false, page.ErrNotFound
	case status >= http.StatusInternalServerError:
		return nil, false, fmt.Errorf("%w: %d", errAPI, status)
	}
	r.Form().Refuse(fieldOfCode(p.Code, p.Message), spokenV1(p.Message))
	return nil, false, nil
}

// spokenV1 is a reason of the version 1 API as people say it: it begins with
// the name of a parameter.
func spokenV1(reason string) string {
	name, rest, _ := strings.Cut(reason, " ")
	for _, one := range applicationFields() {
		if one.api == name {
			return one.label + " " + rest
		}
	}
	return reason
}

func applicationFields() []field {
	return []field{
		{"name", "name", "The name"},
		{"pinLength", "pinLength", "The length of the code"},
		{"attempts", "attempts", "The number of attempts"},
		{"expire", "expire", "The lifetime"},
		{"sender", "sender", "The sender"},
		{"caller", "caller", "The caller"},
		{"text", "text", "The text"},
		{"language", "language", "The language"},
		{"channel", "channel", "The channel"},
	}
}

// neededOfApplication are the fields that an application cannot be without.
func neededOfApplication() []field { return applicationFields()[:5] }

// fieldOfCode is the field that an error of the version 1 API is about.
func fieldOfCode(code, text string) string {
	switch code {
	case "1006":
		return "pinLength"
	case "1008":
		return "expire"
	case "1017", "1909", "1911":
		return "name"
	case "1904":
		return "channel"
	case "1905":
		return "text"
	case "1907":
		return "attempts"
	case "1908":
		name, _, _ := strings.Cut(text, " ") // sender or caller
		return name
	case "1910":
		return "language"
	}
	return ""
}

func (g *Group) listApplications(w http.ResponseWriter, r *page.Request) error {
	all, err := g.cfg.Catalog.Applications(r.Context(), r.Account)
	if err != nil {
		return fmt.Errorf("list applications: %w", err)
	}
	return r.Render(w, http.StatusOK, "applications.html", partOf(r, all, func(a catalog.Application) string { return a.ID }))
}

// appText is a text of an application.
type appText struct {
	Key, Language, LanguageName, Channel, ChannelName, Text string
	Fixed                                                   bool // cannot be deleted
	Preview                                                 preview
}

type applicationPage struct {
	Application catalog.Application // ID "" for one that is to be made
	Texts       []appText
	Channels    []page.Option
}

func (g *Group) newApplication(w http.ResponseWriter, r *page.Request) error {
	f := r.Form()
	f.Set("pinLength", "4")
	f.Set("attempts", "3")
	f.Set("expire", "300")
	f.Set("sender", "VERIFY")
	return g.renderApplication(w, r, http.StatusOK, catalog.Application{})
}

func (g *Group) renderApplication(w http.ResponseWriter, r *page.Request, status int, a catalog.Application) error {
	return r.Render(w, status, "application.html", applicationPage{
		Application: a, Texts: g.textsOf(a),
		Channels: []page.Option{{Label: "Every channel"}, {Value: "SMS", Label: "SMS"}, {Value: "VOICE", Label: "Phone call"}},
	})
}

func (g *Group) textsOf(a catalog.Application) []appText {
	var all []appText
	for _, key := range slices.Sorted(maps.Keys(a.Texts)) {
		language, channel, _ := strings.Cut(key, "-")
		t := appText{
			Key: key, Language: language, LanguageName: languageName(language), Channel: strings.ToUpper(channel),
			ChannelName: "every channel", Text: a.Texts[key], Fixed: key == "en",
		}
		c := message.SMS
		if channel != "" {
			c = message.Channel(t.Channel)
			t.ChannelName = channelName(c)
		}
		t.Preview = look(g.cfg.AppText(t.Text, a.Life), c, language, a.CodeLength, a.CodeLength)
		all = append(all, t)
	}
	return all
}

func (g *Group) application(r *page.Request) (catalog.Application, error) {
	all, err := g.cfg.Catalog.Applications(r.Context(), r.Account)
	if err != nil {
		return catalog.Application{}, fmt.Errorf("list applications: %w", err)
	}
	i := slices.IndexFunc(all, func(a catalog.Application) bool { return a.ID == r.PathValue("id") })
	if i < 0 {
		return catalog.Application{}, page.ErrNotFound
	}
	return all[i], nil
}

func (g *Group) showApplication(w http.ResponseWriter, r *page.Request) error {
	a, err := g.application(r)
	if err != nil {
		return err
	}
	if err := g.show(r, applicationEdit(a)); err != nil {
		return err
	}
	return g.renderApplication(w, r, http.StatusOK, a)
}

// applicationEdit is the form that changes an application, but for its texts.
func applicationEdit(a catalog.Application) edit {
	return edit{
		func(f *page.Form) { fillApplication(f, a) },
		func(f *page.Form) map[string]any { return applicationBody(f, a) },
	}
}

// fillApplication puts a stored application into the form.
func fillApplication(f *page.Form, a catalog.Application) {
	f.Set("name", a.Name)
	f.Set("pinLength", strconv.Itoa(a.CodeLength))
	if a.Alphanumeric {
		f.Set("alphanumeric", "yes")
	}
	f.Set("attempts", strconv.Itoa(a.Attempts))
	f.Set("expire", strconv.FormatInt(int64(a.Life/time.Second), 10))
	f.Set("sender", a.Sender)
	f.Set("caller", a.Caller)
}

func (g *Group) createApplication(w http.ResponseWriter, r *page.Request) error {
	f := r.Form()
	body := map[string]any{"alphanumeric": strconv.FormatBool(f.Has("alphanumeric"))}
	put(body, f, "pinLength", "attempts", "expire")
	putText(body, f, "name", "sender", "caller")
	answer, ok, err := g.askV1(r, http.MethodPost, "/application", body)
	if err != nil {
		return err
	}
	if !ok {
		return g.renderApplication(w, r, http.StatusUnprocessableEntity, catalog.Application{})
	}
	var made struct {
		ApplicationID string `json:"applicationId"`
	}
	if err := json.Unmarshal(answer, &made); err != nil {
		return fmt.Errorf("read the new application: %w", err)
	}
	return r.Redirect(w, "/plans/applications/"+url.PathEscape(made.ApplicationID), page.Good("The application was made."))
}

// applicationBody is the request that the form stands for, which changes a.
func applicationBody(f *page.Form, a catalog.Application) map[string]any {
	body := map[string]any{"alphaNumeric": strconv.FormatBool(f.Has("alphanumeric"))}
	put(body, f, "pinLength", "attempts", "expire")
	putText(body, f, "sender", "caller")
	if !a.Default {
		putText(body, f, "name")
	}
	if f.Raw("caller") == "" {
		body["deleteCaller"] = "true"
	}
	return body
}

func (g *Group) changeApplication(w http.ResponseWriter, r *page.Request) error {
	a, err := g.application(r)
	if err != nil {
		return err
	}
	ok, err := g.current(r, applicationEdit(a))
	if err != nil {
		return err
	}
	if ok = ok && filled(r.Form(), neededOfApplication()...); ok {
		if _, ok, err = g.askV1(r, http.MethodPost, "/application/"+a.ID, applicationBody(r.Form(), a)); err != nil {
			return err
		}
	}
	if !ok {
		return g.renderApplication(w, r, http.StatusUnprocessableEntity, a)
	}
	return r.Redirect(w, "/plans/applications/"+url.PathEscape(a.ID), page.Good("The application was changed."))
}

func (g *Group) deleteApplication(w http.ResponseWriter, r *page.Request) error {
	a, err := g.application(r)
	if err != nil {
		return err
	}
	_, ok, err := g.askV1(r, http.MethodDelete, "/application/"+a.ID, nil)
	if err != nil {
		return err
	}
	if !ok {
		if err := g.show(r, applicationEdit(a)); err != nil {
			return err
		}
		return g.renderApplication(w, r, http.StatusUnprocessableEntity, a)
	}
	return r.Redirect(w, "/plans/applications", page.Good("The application was deleted."))
}

func (g *Group) setAppText(w http.ResponseWriter, r *page.Request) error {
	body := map[string]any{}
	f := r.Form()
	put(body, f, "language", "channel")
	if text := typedText(f, "text"); text != "" {
		body["text"] = text
	}
	return g.changeAppTexts(w, r, http.MethodPost, body, "The text was saved.")
}

func (g *Group) deleteAppText(w http.ResponseWriter, r *page.Request) error {
	language, channel, _ := strings.Cut(r.Form().Value("key"), "-")
	body := map[string]any{"language": language}
	if channel != "" {
		body["channel"] = strings.ToUpper(channel)
	}
	return g.changeAppTexts(w, r, http.MethodDelete, body, "The text was deleted.")
}

func (g *Group) changeAppTexts(w http.ResponseWriter, r *page.Request, method string, body map[string]any, done string) error {
	a, err := g.application(r)
	if err != nil {
		return err
	}
	_, ok, err := g.askV1(r, method, "/application/"+a.ID+"/language", body)
	if err != nil {
		return err
	}
	if !ok {
		if err := g.show(r, applicationEdit(a)); err != nil {
			return err
		}
		return g.renderApplication(w, r, http.StatusUnprocessableEntity, a)
	}
	return r.Redirect(w, "/plans/applications/"+url.PathEscape(a.ID), page.Good(done))
}

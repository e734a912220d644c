package desk

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/console/page"
	"github.com/countersign/countersign/internal/message"
)

// textChannels are the channels whose templates this server holds, as the API
// names them in requests; pathOf is where it has them.
func textChannels() []page.Option {
	return []page.Option{{Value: "SMS", Label: "SMS"}, {Value: "VOICE", Label: "Phone call"}, {Value: "VIBER", Label: "Viber"}}
}

func textFields() []field {
	return []field{
		{"name", "name", "The name"},
		{"language", "language", "The language"},
		{"message", "message", "The text"},
		{"codeExpirationTime", "codeExpirationTime", "The number of minutes"},
	}
}

// textRow is a template in the list.
type textRow struct {
	catalog.Template
	Look     preview
	Language string
}

// textGroup is the templates of one channel that a page of the list shows.
type textGroup struct {
	Channel, Label string
	Any            bool // there are some, on this page or another
	Texts          []textRow
}

type textList struct {
	part[catalog.Template]

	Groups []textGroup
}

func (g *Group) listTexts(w http.ResponseWriter, r *page.Request) error {
	all, err := g.cfg.Catalog.Templates(r.Context(), r.Account)
	if err != nil {
		return fmt.Errorf("list templates: %w", err)
	}
	var groups []textGroup
	var ordered []catalog.Template
	for _, c := range textChannels() {
		before := len(ordered)
		for _, t := range all {
			if string(t.Channel) == c.Value {
				ordered = append(ordered, t)
			}
		}
		groups = append(groups, textGroup{Channel: c.Value, Label: c.Label, Any: len(ordered) > before})
	}
	data := textList{partOf(r, ordered, func(t catalog.Template) string { return t.ID }), groups}
	profiles, err := g.cfg.Catalog.Profiles(r.Context(), r.Account)
	if err != nil {
		return fmt.Errorf("list profiles: %w", err)
	}
	users := longestCodes(profiles)
	for _, t := range data.Rows {
		i := slices.IndexFunc(groups, func(one textGroup) bool { return one.Channel == string(t.Channel) })
		groups[i].Texts = append(groups[i].Texts, textRow{t, g.previewWith(users, t), languageName(t.Language)})
	}
	return r.Render(w, http.StatusOK, "texts.html", data)
}

// textPage is the page of one template, ID "" for one that is to be made.
type textPage struct {
	ID, Channel, ChannelName, Language string
	Channels, Languages                []page.Option
	Preview                            preview
	UsedBy                             []catalog.Profile
}

func (g *Group) newText(w http.ResponseWriter, r *page.Request) error {
	f := r.Form()
	f.Set("channel", "SMS")
	if c := r.URL.Query().Get("channel"); isTextChannel(c) {
		f.Set("channel", c)
	}
	f.Set("language", "en")
	f.Set("codeExpirationTime", strconv.Itoa(g.cfg.Defaults.Minutes))
	f.Set("message", "Your code is {{otp_code}}. It is valid for {{expiration_time}} minutes.")
	return g.renderText(w, r, http.StatusOK, "")
}

func isTextChannel(c string) bool {
	return slices.ContainsFunc(textChannels(), func(o page.Option) bool { return o.Value == c })
}

// typed is the template as the form has it.
func typed(f *page.Form) catalog.Template {
	minutes, _ := strconv.Atoi(f.Value("codeExpirationTime")) // 0 is shown as such; the API judges it
	return catalog.Template{
		Channel: message.Channel(f.Value("channel")), Name: f.Raw("name"), Language: f.Value("language"),
		Message: typedText(f, "message"), Minutes: minutes,
	}
}

// typedText is a text as it was typed: browsers send line ends as CR LF.
func typedText(f *page.Form, name string) string {
	return strings.ReplaceAll(f.Raw(name), "\r\n", "\n")
}

// asTyped is what typedText makes of a stored text that nobody changed: browsers
// know one kind of line end.
func asTyped(text string) string {
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
}

func (g *Group) renderText(w http.ResponseWriter, r *page.Request, status int, id string) error {
	t := typed(r.Form())
	data := textPage{
		ID: id, Channel: string(t.Channel), ChannelName: channelName(t.Channel), Language: languageName(t.Language),
		Channels: textChannels(), Languages: languageOptions(),
	}
	var err error
	if data.Preview, err = g.previewOf(r.Context(), r.Account, t); err != nil {
		return err
	}
	if id != "" {
		profiles, err := g.cfg.Catalog.Profiles(r.Context(), r.Account)
		if err != nil {
			return fmt.Errorf("list profiles: %w", err)
		}
		stored, err := g.text(r, id)
		if err != nil {
			return err
		}
		for _, p := range profiles {
			if uses(p, stored) {
				data.UsedBy = append(data.UsedBy, p)
			}
		}
	}
	return r.Render(w, status, "text.html", data)
}

// text reads a template of the account.
func (g *Group) text(r *page.Request, id string) (catalog.Template, error) {
	t, err := g.cfg.Catalog.Template(r.Context(), r.Account, id)
	if err != nil {
		return catalog.Template{}, absent(fmt.Errorf("read template: %w", err))
	}
	return t, nil
}

func (g *Group) showText(w http.ResponseWriter, r *page.Request) error {
	t, err := g.text(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := g.show(r, textEdit(t)); err != nil {
		return err
	}
	return g.renderText(w, r, http.StatusOK, t.ID)
}

// textEdit is the form that changes a template.
func textEdit(t catalog.Template) edit {
	return edit{
		func(f *page.Form) { fill(f, t) },
		func(f *page.Form) map[string]any { return textBody(f, t) },
	}
}

// fill puts a stored template into the form.
func fill(f *page.Form, t catalog.Template) {
	f.Set("channel", string(t.Channel))
	f.Set("name", t.Name)
	f.Set("language", t.Language)
	f.Set("message", t.Message)
	f.Set("codeExpirationTime", strconv.Itoa(t.Minutes))
}

// previewText shows what is typed, and changes nothing: a fragment as somebody
// types, the whole page for a button.
func (g *Group) previewText(w http.ResponseWriter, r *page.Request) error {
	f := r.Form()
	if f.Value("act") == "substitute" {
		f.Set("message", substituted(typedText(f, "message")))
	}
	id := f.Value("id")
	if id != "" {
		t, err := g.text(r, id)
		if err != nil {
			return err
		}
		f.Set("channel", string(t.Channel)) // both are fixed
		f.Set("language", t.Language)
	}
	if !isTextChannel(f.Value("channel")) {
		f.Set("channel", "SMS")
	}
	if !r.Partial() {
		return g.renderText(w, r, http.StatusOK, id)
	}
	shown, err := g.previewOf(r.Context(), r.Account, typed(f))
	if err != nil {
		return err
	}
	return r.Fragment(w, http.StatusOK, "text.html", "look-at", shown)
}

// pathOf is where the API has the templates of a channel.
func pathOf(channel string) string { return "/templates/" + strings.ToLower(channel) }

func (g *Group) createText(w http.ResponseWriter, r *page.Request) error {
	f := r.Form()
	channel := f.Value("channel")
	if !isTextChannel(channel) {
		f.Refuse("channel", "Choose one of the channels.")
		f.Set("channel", "SMS")
		return g.renderText(w, r, http.StatusUnprocessableEntity, "")
	}
	body := map[string]any{"name": f.Raw("name"), "language": f.Value("language"), "message": typedText(f, "message")}
	put(body, f, "codeExpirationTime")
	answer, ok, err := g.ask(r, http.MethodPost, pathOf(channel), body, textFields())
	if err != nil {
		return err
	}
	if !ok {
		return g.renderText(w, r, http.StatusUnprocessableEntity, "")
	}
	return r.Redirect(w, "/templates/text/"+url.PathEscape(idOf(answer)), page.Good("The template was made. Put it into a profile to send with it."))
}

// textBody is the request that the form stands for, whose template is t until
// then.
func textBody(f *page.Form, t catalog.Template) map[string]any {
	body := map[string]any{"name": f.Raw("name"), "message": typedText(f, "message")}
	if asTyped(f.Raw("message")) == asTyped(t.Message) {
		body["message"] = t.Message // with the line ends that it came with
	}
	put(body, f, "codeExpirationTime")
	return body
}

func (g *Group) changeText(w http.ResponseWriter, r *page.Request) error {
	t, err := g.text(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	f := r.Form()
	f.Set("channel", string(t.Channel))
	f.Set("language", t.Language)
	ok, err := g.current(r, textEdit(t))
	if err != nil {
		return err
	}
	if ok = ok && filled(f, textFields()...); ok {
		if _, ok, err = g.ask(r, http.MethodPatch, pathOf(string(t.Channel))+"/"+t.ID, textBody(f, t), textFields()); err != nil {
			return err
		}
	}
	if !ok {
		return g.renderText(w, r, http.StatusUnprocessableEntity, t.ID)
	}
	return r.Redirect(w, "/templates/text/"+url.PathEscape(t.ID), page.Good("The template was changed. Codes that are sent from now on have the new text."))
}

func (g *Group) deleteText(w http.ResponseWriter, r *page.Request) error {
	t, err := g.text(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	if _, ok, err := g.ask(r, http.MethodDelete, pathOf(string(t.Channel))+"/"+t.ID, nil, nil); err != nil || !ok {
		return orRefused(err)
	}
	return r.Redirect(w, "/templates", page.Good("The template was deleted."))
}

// orRefused is for changes that no form can get wrong.
func orRefused(err error) error {
	if err == nil {
		return errAPI
	}
	return err
}

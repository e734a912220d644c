package desk

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/console/page"
	"github.com/countersign/countersign/internal/message"
)

func priorityFields() []field {
	return []field{
		{"name", "name", "The name"},
		{"channelPriority[1]", "second", "The second channel"},
		{"channelPriority", "first", "The first channel"},
	}
}

// rankOptions are the channels of a priority; with none for the second.
func rankOptions(none string) []page.Option {
	var all []page.Option
	if none != "" {
		all = append(all, page.Option{Label: none})
	}
	for _, c := range []message.Channel{message.SMS, message.Voice, message.WhatsApp, message.Viber} {
		all = append(all, page.Option{Value: string(c), Label: channelName(c)})
	}
	return all
}

// priorityRow is a priority in the list.
type priorityRow struct {
	ID, Name string
	Channels []string
}

func rowOf(p catalog.Priority) priorityRow {
	row := priorityRow{ID: p.ID, Name: p.Name}
	for _, c := range p.Channels {
		row.Channels = append(row.Channels, channelName(c.Channel))
	}
	return row
}

func (g *Group) listPriorities(w http.ResponseWriter, r *page.Request) error {
	all, err := g.cfg.Catalog.Priorities(r.Context(), r.Account)
	if err != nil {
		return fmt.Errorf("list priorities: %w", err)
	}
	var rows []priorityRow
	for _, p := range all {
		rows = append(rows, rowOf(p))
	}
	return r.Render(w, http.StatusOK, "priorities.html", partOf(r, rows, func(row priorityRow) string { return row.ID }))
}

type priorityPage struct {
	Row           priorityRow // ID "" for one that is to be made
	First, Second []page.Option
}

func (g *Group) renderPriority(w http.ResponseWriter, r *page.Request, status int, row priorityRow) error {
	return r.Render(w, status, "priority.html", priorityPage{row, rankOptions(""), rankOptions("None")})
}

func (g *Group) newPriority(w http.ResponseWriter, r *page.Request) error {
	r.Form().Set("first", string(message.SMS))
	return g.renderPriority(w, r, http.StatusOK, priorityRow{})
}

func (g *Group) priority(r *page.Request) (catalog.Priority, error) {
	p, err := g.cfg.Catalog.Priority(r.Context(), r.Account, r.PathValue("id"))
	if err != nil {
		return catalog.Priority{}, absent(fmt.Errorf("read priority: %w", err))
	}
	return p, nil
}

func (g *Group) showPriority(w http.ResponseWriter, r *page.Request) error {
	p, err := g.priority(r)
	if err != nil {
		return err
	}
	if err := g.show(r, priorityEdit(p)); err != nil {
		return err
	}
	return g.renderPriority(w, r, http.StatusOK, rowOf(p))
}

// priorityEdit is the form that changes a priority.
func priorityEdit(p catalog.Priority) edit {
	return edit{
		func(f *page.Form) { fillPriority(f, p) },
		func(f *page.Form) map[string]any { return priorityBody(f, p.Channels) },
	}
}

// fillPriority puts a stored priority into the form.
func fillPriority(f *page.Form, p catalog.Priority) {
	f.Set("name", p.Name)
	for i, name := range []string{"first", "second"} {
		if i < len(p.Channels) {
			f.Set(name, string(p.Channels[i].Channel))
		}
	}
}

// priorityBody is the request that the form stands for. Numbers that the
// priority has already stay: all that the form knows is their order.
func priorityBody(f *page.Form, has []catalog.Rank) map[string]any {
	typed := []string{f.Value("first")}
	if second := f.Value("second"); second != "" {
		typed = append(typed, second)
	}
	same := slices.EqualFunc(typed, has, func(c string, r catalog.Rank) bool { return c == string(r.Channel) })
	var ranks []any
	for i, c := range typed {
		rank := i + 1
		if same {
			rank = has[i].Rank
		}
		ranks = append(ranks, map[string]any{"channel": c, "priority": rank})
	}
	return map[string]any{"name": f.Raw("name"), "channelPriority": ranks}
}

func (g *Group) createPriority(w http.ResponseWriter, r *page.Request) error {
	answer, ok, err := g.ask(r, http.MethodPost, "/priorities", priorityBody(r.Form(), nil), priorityFields())
	if err != nil {
		return err
	}
	if !ok {
		return g.renderPriority(w, r, http.StatusUnprocessableEntity, priorityRow{})
	}
	return r.Redirect(w, "/plans/priorities/"+url.PathEscape(idOf(answer)), page.Good("The priority was made."))
}

func (g *Group) changePriority(w http.ResponseWriter, r *page.Request) error {
	p, err := g.priority(r)
	if err != nil {
		return err
	}
	ok, err := g.current(r, priorityEdit(p))
	if err != nil {
		return err
	}
	if ok {
		if _, ok, err = g.ask(r, http.MethodPatch, "/priorities/"+p.ID, priorityBody(r.Form(), p.Channels), priorityFields()); err != nil {
			return err
		}
	}
	if !ok {
		return g.renderPriority(w, r, http.StatusUnprocessableEntity, rowOf(p))
	}
	return r.Redirect(w, "/plans/priorities/"+url.PathEscape(p.ID), page.Good("The priority was changed."))
}

func (g *Group) deletePriority(w http.ResponseWriter, r *page.Request) error {
	p, err := g.priority(r)
	if err != nil {
		return err
	}
	if _, ok, err := g.ask(r, http.MethodDelete, "/priorities/"+p.ID, nil, nil); err != nil || !ok {
		return orRefused(err)
	}
	return r.Redirect(w, "/plans/priorities", page.Good("The priority was deleted."))
}

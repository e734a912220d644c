package tyntecv4

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/message"
)

// operation answers one call.
type operation = func(context.Context, *call) (reply, error)

// template is a template that this server holds, in answers.
type template struct {
	ID       string `json:"id"`
	Channel  string `json:"channel"`
	Name     string `json:"name"`
	Language string `json:"language"`
	Minutes  int    `json:"codeExpirationTime"`
	Message  string `json:"message"`
}

func templateOf(t catalog.Template) template {
	return template{t.ID, string(t.Channel), t.Name, t.Language, t.Minutes, t.Message}
}

// templateBody is what create and change have in common (contract v4 §6.6.2,
// §6.6.5).
type templateBody struct {
	name, message *string
	minutes       *int64
}

func readTemplateBody(o *object) templateBody {
	return templateBody{
		name:    o.text("name"),
		message: o.text("message"),
		minutes: o.integer("codeExpirationTime"),
	}
}

func (f *facade) checkTemplate(b templateBody, v *violations) {
	v.named("name", b.name, size(1, f.Limits.NameLength), noControl)
	v.named("message", b.message, size(0, f.Limits.MessageLength), holds(codePlaceholder), noNUL)
	v.number("codeExpirationTime", b.minutes, 1, f.Limits.MaxMinutes)
}

// apply makes the change: what is absent stays as it is.
func (b templateBody) apply(t catalog.Template) catalog.Template {
	if b.name != nil {
		t.Name = *b.name
	}
	if b.message != nil {
		t.Message = *b.message
	}
	if b.minutes != nil {
		t.Minutes = int(*b.minutes)
	}
	return t
}

// listTemplates is contract v4 §6.5.1: the templates of some channels.
func (f *facade) listTemplates(channels ...message.Channel) operation {
	return func(ctx context.Context, c *call) (reply, error) {
		return templates(ctx, c, f.Catalog.Templates, func(t catalog.Template) bool { return slices.Contains(channels, t.Channel) })
	}
}

// findTemplates is contract v4 §6.6.1.
func (f *facade) findTemplates(ch message.Channel) operation {
	return func(ctx context.Context, c *call) (reply, error) {
		filter := c.filters("name", "language")
		read := f.Catalog.Templates
		if filter[0] != "" { // of thousands it is one
			read = func(ctx context.Context, account string) ([]catalog.Template, error) {
				return f.Catalog.TemplatesNamed(ctx, account, ch, filter[0])
			}
		}
		return templates(ctx, c, read, func(t catalog.Template) bool {
			return t.Channel == ch && (filter[1] == "" || filter[1] == t.Language)
		})
	}
}

func templates(
	ctx context.Context, c *call, read func(_ context.Context, account string) ([]catalog.Template, error), wanted func(catalog.Template) bool,
) (reply, error) {
	all, err := read(ctx, c.account.Name)
	if err != nil {
		return reply{}, fmt.Errorf("list templates: %w", err)
	}
	list := []template{}
	for _, t := range all {
		if wanted(t) {
			list = append(list, templateOf(t))
		}
	}
	return reply{status: http.StatusOK, body: list}, nil
}

// createTemplate is contract v4 §6.6.2.
func (f *facade) createTemplate(ch message.Channel) operation {
	return func(ctx context.Context, c *call) (reply, error) {
		o, _, err := c.read()
		if err != nil {
			return reply{}, err
		}
		b, lang := readTemplateBody(o), o.text("language")
		if err := o.fits(); err != nil {
			return reply{}, err
		}
		var v violations
		b.name, b.message = orBlank(b.name), orBlank(b.message)
		f.checkTemplate(b, &v)
		v.required("language", lang, language)
		if err := v.err(); err != nil {
			return reply{}, err
		}
		id, err := f.Catalog.NewID()
		if err != nil {
			return reply{}, fmt.Errorf("make id: %w", err)
		}
		err = f.Catalog.CreateTemplate(ctx, c.account.Name, b.apply(catalog.Template{
			ID: id, Channel: ch, Language: *lang, Minutes: f.Limits.Minutes,
		}))
		if errors.Is(err, catalog.ErrNameTaken) {
			return reply{}, templateConflict(*b.name)
		}
		if err != nil {
			return reply{}, fmt.Errorf("create template: %w", err)
		}
		return reply{status: http.StatusCreated, body: created{id}}, nil
	}
}

// readTemplate is contract v4 §6.6.3.
func (f *facade) readTemplate(ch message.Channel) operation {
	return func(ctx context.Context, c *call) (reply, error) {
		id, ok := c.id()
		if !ok {
			return reply{}, c.absent()
		}
		t, err := f.Catalog.Template(ctx, c.account.Name, id)
		if err != nil {
			return reply{}, fmt.Errorf("read template: %w", err)
		}
		if t.Channel != ch {
			return reply{}, c.absent()
		}
		return reply{status: http.StatusOK, body: templateOf(t)}, nil
	}
}

// deleteTemplate is contract v4 §6.6.4.
func (f *facade) deleteTemplate(ch message.Channel) operation {
	return func(ctx context.Context, c *call) (reply, error) {
		return c.remove("template", func(id string) error { return f.Catalog.DeleteTemplate(ctx, c.account.Name, id, ch) })
	}
}

// patchTemplate is contract v4 §6.6.5. Language and channel are fixed.
func (f *facade) patchTemplate(ch message.Channel) operation {
	return func(ctx context.Context, c *call) (reply, error) {
		o, _, err := c.read()
		if err != nil {
			return reply{}, err
		}
		b := readTemplateBody(o)
		if err := o.fits(); err != nil {
			return reply{}, err
		}
		var v violations
		f.checkTemplate(b, &v)
		if err := v.err(); err != nil {
			return reply{}, err
		}
		id, ok := c.id()
		if !ok {
			return reply{}, c.absent()
		}
		err = f.Catalog.UpdateTemplate(ctx, c.account.Name, id, func(t catalog.Template) (catalog.Template, error) {
			if t.Channel != ch {
				return t, catalog.ErrNotFound
			}
			return b.apply(t), nil
		})
		if errors.Is(err, catalog.ErrNameTaken) {
			return reply{}, templateConflict(*b.name)
		}
		if err != nil {
			return reply{}, fmt.Errorf("change template: %w", err)
		}
		return reply{status: http.StatusOK}, nil
	}
}

package tyntecv4

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/verify"
)

// linksBody is the member channels of profile bodies (contract v4 §6.4.2).
type linksBody struct {
	given    bool
	channels []channelBody
}

type channelBody struct {
	path  string
	null  bool
	kind  *string
	given bool // templates
	links []linkBody
}

type linkBody struct {
	path           string
	null           bool
	name, language *string
}

// readLinks reads the member as far as its types.
func readLinks(o *object) linksBody {
	entries, given := o.objects("channels")
	b := linksBody{given: given, channels: make([]channelBody, len(entries))}
	for i, e := range entries {
		at := &b.channels[i]
		at.path = fmt.Sprintf("channels[%d]", i)
		if e == nil {
			at.null = true
			continue
		}
		at.kind = e.text("type")
		templates, given := e.objects("templates")
		at.given, at.links = given, make([]linkBody, len(templates))
		for j, t := range templates {
			l := &at.links[j]
			l.path = fmt.Sprintf("%s.templates[%d]", at.path, j)
			if t == nil {
				l.null = true
				continue
			}
			l.name, l.language = t.text("name"), t.text("languageCode")
		}
	}
	return b
}

// require is the rule that the member be there.
func (b linksBody) require(v *violations) {
	if !b.given {
		v.add("channels", mustNotBeNull)
	}
}

// check applies the rules that need nothing but the body.
func (b linksBody) check(v *violations) {
	seen := map[[2]string]bool{}
	for _, c := range b.channels {
		if c.null {
			v.add(c.path, mustNotBeNull)
			continue
		}
		kind := v.required(c.path+".type", c.kind, channel)
		if !c.given {
			v.add(c.path+".templates", mustNotBeNull)
		}
		for _, l := range c.links {
			if l.null {
				v.add(l.path, mustNotBeNull)
				continue
			}
			v.required(l.path+".name", l.name)
			if l.language == nil || kind == "" {
				continue
			}
			if seen[[2]string{kind, *l.language}] {
				v.add(l.path+".languageCode", mustBeUnique)
			}
			seen[[2]string{kind, *l.language}] = true
		}
	}
}

// firstWhatsApp returns the name of the first WhatsApp template in the body, ""
// if none is named, and whether there is a WHATSAPP entry at all.
func (b linksBody) firstWhatsApp() (name string, found bool) {
	for _, c := range b.channels {
		if *c.kind != string(message.WhatsApp) {
			continue
		}
		found = true
		if len(c.links) > 0 {
			return *c.links[0].name, true
		}
	}
	return "", found
}

// linked reports whether every WhatsApp template of the body is among links.
func (b linksBody) linked(links []catalog.Link) bool {
	for _, c := range b.channels {
		if *c.kind != string(message.WhatsApp) {
			continue
		}
		for _, l := range c.links {
			languages := languagesOf(links, catalog.Link{Channel: message.WhatsApp, Template: *l.name})
			if len(languages) == 0 || l.language != nil && !slices.Contains(languages, *l.language) {
				return false
			}
		}
	}
	return true
}

// knownTemplates returns every template of the account that a profile could
// link, as a link. A body that names WhatsApp needs the WhatsApp configuration;
// without it the error is MW. That WhatsApp cannot be asked is no error where
// all its templates in the body are among had, what the profile links already.
func (f *facade) knownTemplates(ctx context.Context, account string, b linksBody, had []catalog.Link) ([]catalog.Link, error) {
	name, usesWhatsApp := b.firstWhatsApp()
	ref := ""
	if usesWhatsApp {
		var err error
		ref, err = f.Catalog.WhatsAppAccount(ctx, account)
		if errors.Is(err, catalog.ErrNotFound) {
			return nil, missingWhatsApp()
		}
		if err != nil {
			return nil, fmt.Errorf("read WhatsApp configuration: %w", err)
		}
	}
	if len(b.channels) == 0 {
		return nil, nil
	}
	stored, err := f.Catalog.Templates(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("list templates: %w", err)
	}
	var known []catalog.Link
	for _, t := range stored {
		known = append(known, catalog.Link{Channel: t.Channel, Template: t.Name, Language: t.Language})
	}
	if name == "" {
		return known, nil
	}
	held, err := f.Catalog.ListWhatsApp(ctx, f.WhatsApp, account, ref)
	if err != nil && !errors.Is(err, catalog.ErrWhatsAppAccount) && !b.linked(had) { // an unknown account holds none
		return nil, &whatsAppError{ref, name, err}
	}
	for _, t := range held {
		known = append(known, catalog.Link{Channel: message.WhatsApp, Template: t.Name, Language: t.Language})
	}
	return known, nil
}

// resolve returns the links that the body asks for, in its order, or CV. known
// are those that are possible.
func (b linksBody) resolve(known []catalog.Link) ([]catalog.Link, error) {
	var v violations
	var links []catalog.Link
	for _, c := range b.channels {
		for _, l := range c.links {
			wanted := catalog.Link{Channel: message.Channel(*c.kind), Template: *l.name}
			languages := languagesOf(known, wanted)
			switch {
			case len(languages) == 0:
				v.add(l.path+".name", doesNotExist)
				continue
			case l.language == nil && len(languages) > 1:
				v.add(l.path+".languageCode", mustNotBeBlank)
				continue
			case l.language == nil:
				wanted.Language = languages[0]
			case !slices.Contains(languages, *l.language):
				v.add(l.path+".languageCode", doesNotExist)
				continue
			default:
				wanted.Language = *l.language
			}
			if holdsLanguage(links, wanted) {
				v.add(l.path+".languageCode", mustBeUnique)
			}
			links = append(links, wanted)
		}
	}
	return links, v.err()
}

// languagesOf returns the languages in which a channel's template of this name
// is known.
func languagesOf(known []catalog.Link, wanted catalog.Link) []string {
	var out []string
	for _, k := range known {
		if k.Channel == wanted.Channel && k.Template == wanted.Template && !slices.Contains(out, k.Language) {
			out = append(out, k.Language)
		}
	}
	return out
}

// holdsLanguage reports whether links has one of the same channel and language.
func holdsLanguage(links []catalog.Link, l catalog.Link) bool {
	return slices.ContainsFunc(links, func(other catalog.Link) bool {
		return other.Channel == l.Channel && other.Language == l.Language
	})
}

// linkTries is how often templates are looked up anew because one of them was
// renamed or deleted before the links to it were written.
const linkTries = 3

// link does write with knownTemplates.
func (f *facade) link(ctx context.Context, account string, b linksBody, had []catalog.Link, write func(known []catalog.Link) error) error {
	for try := 1; ; try++ {
		known, err := f.knownTemplates(ctx, account, b, had)
		if err != nil {
			return err
		}
		err = write(known)
		switch {
		case !errors.Is(err, catalog.ErrNoTemplate):
			return err
		case try == linkTries:
			return fmt.Errorf("%w: %w", verify.ErrOverloaded, err)
		}
	}
}

// stored returns the links to templates that are kept here. WhatsApp's are not.
func stored(links []catalog.Link) []catalog.Link {
	return slices.DeleteFunc(slices.Clone(links), func(l catalog.Link) bool { return l.Channel == message.WhatsApp })
}

// linkTemplates is contract v4 §6.4.6.
func (f *facade) linkTemplates(ctx context.Context, c *call) (reply, error) {
	o, _, err := c.read()
	if err != nil {
		return reply{}, err
	}
	b := readLinks(o)
	if err := o.fits(); err != nil {
		return reply{}, err
	}
	var v violations
	b.require(&v)
	b.check(&v)
	if err := v.err(); err != nil {
		return reply{}, err
	}
	target, err := f.profile(ctx, c)
	if err != nil {
		return reply{}, err
	}
	err = f.link(ctx, c.account.Name, b, nil, func(known []catalog.Link) error {
		links, err := b.resolve(known)
		if err != nil {
			return err
		}
		return f.Catalog.UpdateProfile(ctx, c.account.Name, target.ID, func(p catalog.Profile) (catalog.Profile, error) {
			for _, l := range links {
				if holdsLanguage(p.Links, l) {
					return p, linkConflict(l)
				}
			}
			p.New = stored(links)
			p.Links = slices.Concat(p.Links, links)
			return p, nil
		})
	})
	if err != nil {
		return reply{}, fmt.Errorf("link templates: %w", err)
	}
	return reply{status: http.StatusCreated}, nil
}

// unlinkTemplate is contract v4 §6.4.7.
func (f *facade) unlinkTemplate(ctx context.Context, c *call) (reply, error) {
	id, ok := c.id()
	if !ok {
		return reply{}, c.absent()
	}
	name := c.params[1]
	err := f.Catalog.UpdateProfile(ctx, c.account.Name, id, func(p catalog.Profile) (catalog.Profile, error) {
		kept := slices.DeleteFunc(slices.Clone(p.Links), func(l catalog.Link) bool { return l.Template == name })
		if len(kept) == len(p.Links) {
			return p, constraintViolation([]violation{{"template-name", doesNotExist}})
		}
		p.Links = kept
		return p, nil
	})
	if err != nil {
		return reply{}, fmt.Errorf("unlink template: %w", err)
	}
	return reply{status: http.StatusOK}, nil
}

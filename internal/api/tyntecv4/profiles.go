package tyntecv4

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/countersign/countersign/internal/catalog"
)

// profile is a profile in answers.
type profile struct {
	ID           string         `json:"id"`
	Name         string         `json:"name"`
	Alphanumeric bool           `json:"alphanumeric"`
	Attempts     int            `json:"attempts"`
	CodeLength   int            `json:"otpCodeLength"`
	Channels     []channelLinks `json:"channels"`
}

type channelLinks struct {
	Type      string `json:"type"`
	Templates []link `json:"templates"`
}

type link struct {
	Name     string `json:"name"`
	Language string `json:"languageCode"`
}

// profileOf groups the links by channel, both in the order they were added.
func profileOf(p catalog.Profile) profile {
	out := profile{p.ID, p.Name, p.Alphanumeric, p.Attempts, p.CodeLength, []channelLinks{}}
	for _, l := range p.Links {
		at := slices.IndexFunc(out.Channels, func(c channelLinks) bool { return c.Type == string(l.Channel) })
		if at < 0 {
			at = len(out.Channels)
			out.Channels = append(out.Channels, channelLinks{Type: string(l.Channel)})
		}
		out.Channels[at].Templates = append(out.Channels[at].Templates, link{l.Template, l.Language})
	}
	return out
}

// profileBody is the body of create and change (contract v4 §6.4.2).
type profileBody struct {
	name, alphanumeric   *string
	attempts, codeLength *int64
	links                linksBody
}

// readProfileBody reads the body as far as its types.
func (c *call) readProfileBody() (profileBody, error) {
	o, _, err := c.read()
	if err != nil {
		return profileBody{}, err
	}
	b := profileBody{
		name:         o.text("name"),
		alphanumeric: o.word("alphanumeric"),
		attempts:     o.integer("attempts"),
		codeLength:   o.integer("otpCodeLength"),
		links:        readLinks(o),
	}
	return b, o.fits()
}

func (f *facade) checkProfile(b profileBody, v *violations) {
	v.named("name", b.name, size(1, f.Limits.NameLength), noControl)
	v.optional("alphanumeric", b.alphanumeric, trueOrFalse)
	v.number("attempts", b.attempts, 1, f.Limits.MaxAttempts)
	v.number("otpCodeLength", b.codeLength, minCode, maxCode)
	b.links.check(v)
}

// trueOrFalse wants the words in any letter case.
func trueOrFalse(s string) string { return oneOf("true", "false")(strings.ToLower(s)) }

// apply makes the change: what is absent stays as it is. The links are not part
// of it.
func (b profileBody) apply(p catalog.Profile) catalog.Profile {
	if b.name != nil {
		p.Name = *b.name
	}
	if b.alphanumeric != nil {
		p.Alphanumeric = strings.EqualFold(*b.alphanumeric, "true")
	}
	if b.attempts != nil {
		p.Attempts = int(*b.attempts)
	}
	if b.codeLength != nil {
		p.CodeLength = int(*b.codeLength)
	}
	return p
}

// profileNameTaken is CV: profiles have no conflict (contract v4 S25).
func profileNameTaken() error { return constraintViolation([]violation{{"name", mustBeUnique}}) }

// listProfiles is contract v4 §6.4.1.
func (f *facade) listProfiles(ctx context.Context, c *call) (reply, error) {
	filter := c.filters("name")
	all, err := f.Catalog.Profiles(ctx, c.account.Name)
	if err != nil {
		return reply{}, fmt.Errorf("list profiles: %w", err)
	}
	list := []profile{}
	for _, p := range all {
		if filter[0] == "" || filter[0] == p.Name {
			list = append(list, profileOf(p))
		}
	}
	return reply{status: http.StatusOK, body: list}, nil
}

// createProfile is contract v4 §6.4.2.
func (f *facade) createProfile(ctx context.Context, c *call) (reply, error) {
	b, err := c.readProfileBody()
	if err != nil {
		return reply{}, err
	}
	var v violations
	b.name = orBlank(b.name)
	f.checkProfile(b, &v)
	b.links.require(&v)
	if err := v.err(); err != nil {
		return reply{}, err
	}
	id, err := f.Catalog.NewID()
	if err != nil {
		return reply{}, fmt.Errorf("make id: %w", err)
	}
	p := b.apply(catalog.Profile{ID: id, Attempts: f.Limits.Attempts, CodeLength: f.Limits.CodeLength})
	err = f.link(ctx, c.account.Name, b.links, nil, func(known []catalog.Link) error {
		if p.Links, err = b.links.resolve(known); err != nil {
			return err
		}
		p.New = stored(p.Links)
		return f.Catalog.CreateProfile(ctx, c.account.Name, p)
	})
	if errors.Is(err, catalog.ErrNameTaken) {
		return reply{}, profileNameTaken()
	}
	if err != nil {
		return reply{}, fmt.Errorf("create profile: %w", err)
	}
	return reply{status: http.StatusCreated, body: created{id}}, nil
}

// readProfile is contract v4 §6.4.3.
func (f *facade) readProfile(ctx context.Context, c *call) (reply, error) {
	p, err := f.profile(ctx, c)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: profileOf(p)}, nil
}

// profile returns the path's profile.
func (f *facade) profile(ctx context.Context, c *call) (catalog.Profile, error) {
	id, ok := c.id()
	if !ok {
		return catalog.Profile{}, c.absent()
	}
	p, err := f.Catalog.Profile(ctx, c.account.Name, id)
	if err != nil {
		return catalog.Profile{}, fmt.Errorf("read profile: %w", err)
	}
	return p, nil
}

// deleteProfile is contract v4 §6.4.4.
func (f *facade) deleteProfile(ctx context.Context, c *call) (reply, error) {
	return c.remove("profile", func(id string) error { return f.Catalog.DeleteProfile(ctx, c.account.Name, id) })
}

// patchProfile is contract v4 §6.4.5.
func (f *facade) patchProfile(ctx context.Context, c *call) (reply, error) {
	b, err := c.readProfileBody()
	if err != nil {
		return reply{}, err
	}
	var v violations
	f.checkProfile(b, &v)
	if err := v.err(); err != nil {
		return reply{}, err
	}
	target, err := f.profile(ctx, c)
	if err != nil {
		return reply{}, err
	}
	err = f.link(ctx, c.account.Name, b.links, target.Links, func(known []catalog.Link) error {
		return f.Catalog.UpdateProfile(ctx, c.account.Name, target.ID, func(p catalog.Profile) (catalog.Profile, error) {
			p = b.apply(p)
			if !b.links.given {
				return p, nil
			}
			// What the profile links already stays possible (contract v4 S26).
			had := p.Links
			links, err := b.links.resolve(slices.Concat(known, had))
			p.Links = links
			p.New = slices.DeleteFunc(stored(links), func(l catalog.Link) bool { return slices.Contains(had, l) })
			return p, err
		})
	})
	if errors.Is(err, catalog.ErrNameTaken) {
		return reply{}, profileNameTaken()
	}
	if err != nil {
		return reply{}, fmt.Errorf("change profile: %w", err)
	}
	return reply{status: http.StatusOK}, nil
}

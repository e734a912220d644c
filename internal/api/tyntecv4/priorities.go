package tyntecv4

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/message"
)

// maxChannels is how many channels a priority can have.
const maxChannels = 2

// priority is a priority in answers.
type priority struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Channels []rank `json:"channelPriority"`
}

type rank struct {
	Channel  string `json:"channel"`
	Priority int    `json:"priority"`
}

func priorityOf(p catalog.Priority) priority {
	out := priority{ID: p.ID, Name: p.Name, Channels: make([]rank, len(p.Channels))}
	for i, r := range p.Channels {
		out.Channels[i] = rank{string(r.Channel), r.Rank}
	}
	return out
}

// priorityBody is the body of create and change (contract v4 §6.3.2).
type priorityBody struct {
	name        *string
	channels    []rankBody
	hasChannels bool
}

type rankBody struct {
	null     bool
	channel  *string
	priority *int64
}

// readPriorityBody reads the body as far as its types.
func (c *call) readPriorityBody() (priorityBody, error) {
	o, _, err := c.read()
	if err != nil {
		return priorityBody{}, err
	}
	b := priorityBody{name: o.text("name")}
	entries, given := o.objects("channelPriority")
	b.hasChannels = given
	for _, e := range entries {
		if e == nil {
			b.channels = append(b.channels, rankBody{null: true})
			continue
		}
		b.channels = append(b.channels, rankBody{channel: e.text("channel"), priority: e.integer("priority")})
	}
	return b, o.fits()
}

func (f *facade) checkPriority(b priorityBody, least int, v *violations) {
	v.named("name", b.name, size(1, f.Limits.NameLength), noControl)
	if !b.hasChannels {
		return
	}
	if m := sizeOf(len(b.channels), least, maxChannels); m != "" {
		v.add("channelPriority", m)
	}
	channels, ranks := map[string]bool{}, map[int64]bool{}
	for i, r := range b.channels {
		path := fmt.Sprintf("channelPriority[%d]", i)
		if r.null {
			v.add(path, mustNotBeNull)
			continue
		}
		v.required(path+".channel", r.channel, channel, unused(channels))
		if r.priority == nil {
			v.add(path+".priority", mustNotBeNull)
			continue
		}
		v.number(path+".priority", r.priority, 1, math.MaxInt32)
		if ranks[*r.priority] {
			v.add(path+".priority", mustBeUnique)
		}
		ranks[*r.priority] = true
	}
}

// unused wants a text that was not asked for before.
func unused(seen map[string]bool) rule {
	return func(s string) string {
		if seen[s] {
			return mustBeUnique
		}
		seen[s] = true
		return ""
	}
}

// apply makes the change: what is absent stays as it is, and so do the channels
// where the list is empty (contract v4 S24).
func (b priorityBody) apply(p catalog.Priority) catalog.Priority {
	if b.name != nil {
		p.Name = *b.name
	}
	if len(b.channels) > 0 {
		p.Channels = make([]catalog.Rank, len(b.channels))
		for i, r := range b.channels {
			p.Channels[i] = catalog.Rank{Channel: message.Channel(*r.channel), Rank: int(*r.priority)}
		}
		slices.SortFunc(p.Channels, func(a, b catalog.Rank) int { return cmp.Compare(a.Rank, b.Rank) })
	}
	return p
}

// listPriorities is contract v4 §6.3.1.
func (f *facade) listPriorities(ctx context.Context, c *call) (reply, error) {
	filter := c.filters("name")
	all, err := f.Catalog.Priorities(ctx, c.account.Name)
	if err != nil {
		return reply{}, fmt.Errorf("list priorities: %w", err)
	}
	list := []priority{}
	for _, p := range all {
		if filter[0] == "" || filter[0] == p.Name {
			list = append(list, priorityOf(p))
		}
	}
	return reply{status: http.StatusOK, body: list}, nil
}

// createPriority is contract v4 §6.3.2.
func (f *facade) createPriority(ctx context.Context, c *call) (reply, error) {
	b, err := c.readPriorityBody()
	if err != nil {
		return reply{}, err
	}
	var v violations
	b.name = orBlank(b.name)
	if !b.hasChannels {
		v.add("channelPriority", mustNotBeNull)
	}
	f.checkPriority(b, 1, &v)
	if err := v.err(); err != nil {
		return reply{}, err
	}
	id, err := f.Catalog.NewID()
	if err != nil {
		return reply{}, fmt.Errorf("make id: %w", err)
	}
	err = f.Catalog.CreatePriority(ctx, c.account.Name, b.apply(catalog.Priority{ID: id}))
	if errors.Is(err, catalog.ErrNameTaken) {
		return reply{}, priorityConflict(*b.name)
	}
	if err != nil {
		return reply{}, fmt.Errorf("create priority: %w", err)
	}
	return reply{status: http.StatusCreated, body: created{id}}, nil
}

// readPriority is contract v4 §6.3.3.
func (f *facade) readPriority(ctx context.Context, c *call) (reply, error) {
	id, ok := c.id()
	if !ok {
		return reply{}, c.absent()
	}
	p, err := f.Catalog.Priority(ctx, c.account.Name, id)
	if err != nil {
		return reply{}, fmt.Errorf("read priority: %w", err)
	}
	return reply{status: http.StatusOK, body: priorityOf(p)}, nil
}

// deletePriority is contract v4 §6.3.4.
func (f *facade) deletePriority(ctx context.Context, c *call) (reply, error) {
	return c.remove("priority", func(id string) error { return f.Catalog.DeletePriority(ctx, c.account.Name, id) })
}

// remove deletes the path's target; what is not there is deleted (contract v4
// S8).
func (c *call) remove(what string, remove func(id string) error) (reply, error) {
	if id, ok := c.id(); ok {
		if err := remove(id); err != nil && !errors.Is(err, catalog.ErrNotFound) {
			return reply{}, fmt.Errorf("delete %s: %w", what, err)
		}
	}
	return reply{status: http.StatusOK}, nil
}

// patchPriority is contract v4 §6.3.5.
func (f *facade) patchPriority(ctx context.Context, c *call) (reply, error) {
	b, err := c.readPriorityBody()
	if err != nil {
		return reply{}, err
	}
	var v violations
	f.checkPriority(b, 0, &v)
	if err := v.err(); err != nil {
		return reply{}, err
	}
	id, ok := c.id()
	if !ok {
		return reply{}, c.absent()
	}
	err = f.Catalog.UpdatePriority(ctx, c.account.Name, id, func(p catalog.Priority) (catalog.Priority, error) {
		return b.apply(p), nil
	})
	if errors.Is(err, catalog.ErrNameTaken) {
		return reply{}, priorityConflict(*b.name)
	}
	if err != nil {
		return reply{}, fmt.Errorf("change priority: %w", err)
	}
	return reply{status: http.StatusOK}, nil
}

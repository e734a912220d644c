package tyntecv4

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/countersign/countersign/internal/api/wire"
	"github.com/countersign/countersign/internal/catalog"
)

// callbackConfig is a callback configuration in answers.
type callbackConfig struct {
	ID        string            `json:"id"`
	URL       string            `json:"url"`
	ProfileID string            `json:"profileId,omitempty"`
	Headers   map[string]string `json:"headers,omitempty"`
}

func callbackConfigOf(c catalog.Callback) callbackConfig {
	out := callbackConfig{ID: c.ID, URL: c.URL, ProfileID: c.ProfileID}
	if len(c.Headers) > 0 {
		out.Headers = make(map[string]string, len(c.Headers))
		for _, h := range c.Headers {
			out.Headers[h.Name] = h.Value
		}
	}
	return out
}

// listCallbacks is contract v4 §6.2.1.
func (f *facade) listCallbacks(ctx context.Context, c *call) (reply, error) {
	all, err := f.Catalog.Callbacks(ctx, c.account.Name)
	if err != nil {
		return reply{}, fmt.Errorf("list callback configurations: %w", err)
	}
	list := make([]callbackConfig, len(all))
	for i, cb := range all {
		list[i] = callbackConfigOf(cb)
	}
	return reply{status: http.StatusOK, body: list}, nil
}

// createCallback is contract v4 §6.2.2.
func (f *facade) createCallback(ctx context.Context, c *call) (reply, error) {
	body, err := c.readCallback()
	if err != nil {
		return reply{}, err
	}
	var v violations
	f.checkCallback(body, &v)
	if err := v.err(); err != nil {
		return reply{}, err
	}
	if err := f.checkProfileExists(ctx, c.account.Name, body.profileID); err != nil {
		return reply{}, err
	}
	stored, err := f.Catalog.AddCallback(ctx, c.account.Name, body.apply(catalog.Callback{}))
	if err != nil {
		return reply{}, fmt.Errorf("create callback configuration: %w", err)
	}
	return reply{status: http.StatusCreated, body: created{stored.ID}}, nil
}

// deleteCallback is contract v4 §6.2.3.
func (f *facade) deleteCallback(ctx context.Context, c *call) (reply, error) {
	id, err := c.callbackID(&violations{})
	if err != nil {
		return reply{}, err
	}
	err = f.Catalog.RemoveCallback(ctx, c.account.Name, id)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return reply{}, fmt.Errorf("delete callback configuration: %w", err)
	}
	return reply{status: http.StatusOK}, nil
}

// patchCallback is contract v4 §6.2.4.
func (f *facade) patchCallback(ctx context.Context, c *call) (reply, error) {
	body, err := c.readCallback()
	if err != nil {
		return reply{}, err
	}
	var v violations
	f.checkCallback(body, &v)
	id, err := c.callbackID(&v)
	if err != nil {
		return reply{}, err
	}
	if err := f.checkCallbackExists(ctx, c.account.Name, id); err != nil {
		return reply{}, err
	}
	if err := f.checkProfileExists(ctx, c.account.Name, body.profileID); err != nil {
		return reply{}, err
	}
	changed, err := f.Catalog.ChangeCallback(ctx, c.account.Name, id, func(cb catalog.Callback) (catalog.Callback, error) {
		return body.apply(cb), nil
	})
	if err != nil {
		return reply{}, fmt.Errorf("change callback configuration: %w", err)
	}
	return reply{status: http.StatusOK, body: callbackConfigOf(changed)}, nil
}

// callbackID returns the path's id. Here, unlike elsewhere, one that is no UUID
// breaks a rule (contract v4 S7); the error holds all of v.
func (c *call) callbackID(v *violations) (string, error) {
	id, ok := c.id()
	if !ok {
		v.optional("id", &c.params[0], uuidForm)
	}
	return id, v.err()
}

// checkCallbackExists is asked before references are: a missing target comes
// first.
func (f *facade) checkCallbackExists(ctx context.Context, account, id string) error {
	all, err := f.Catalog.Callbacks(ctx, account)
	if err != nil {
		return fmt.Errorf("list callback configurations: %w", err)
	}
	for _, cb := range all {
		if cb.ID == id {
			return nil
		}
	}
	return catalog.ErrNotFound
}

// checkProfileExists returns CV unless profileID is absent, "" or a profile.
func (f *facade) checkProfileExists(ctx context.Context, account string, profileID *string) error {
	if profileID == nil || *profileID == "" {
		return nil
	}
	id, _ := wire.CanonicalID(*profileID)
	_, err := f.Catalog.Profile(ctx, account, id)
	if errors.Is(err, catalog.ErrNotFound) {
		return constraintViolation([]violation{{"profileId", doesNotExist}})
	}
	if err != nil {
		return fmt.Errorf("read profile: %w", err)
	}
	return nil
}

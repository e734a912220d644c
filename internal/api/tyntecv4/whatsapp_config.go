package tyntecv4

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"github.com/countersign/countersign/internal/catalog"
)

var whatsAppAccountID = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// whatsAppConfig is the WhatsApp configuration in answers.
type whatsAppConfig struct {
	AccountID string `json:"whatsAppAccountId"`
}

// readWhatsAppConfig is contract v4 §6.2.5.
func (f *facade) readWhatsAppConfig(ctx context.Context, c *call) (reply, error) {
	id, err := f.Catalog.WhatsAppAccount(ctx, c.account.Name)
	if err != nil {
		return reply{}, fmt.Errorf("read WhatsApp configuration: %w", err)
	}
	return reply{status: http.StatusOK, body: whatsAppConfig{id}}, nil
}

// createWhatsAppConfig is contract v4 §6.2.6.
func (f *facade) createWhatsAppConfig(ctx context.Context, c *call) (reply, error) {
	o, _, err := c.read()
	if err != nil {
		return reply{}, err
	}
	given := o.text("whatsAppAccountId")
	if err := o.fits(); err != nil {
		return reply{}, err
	}
	var v violations
	id := v.required("whatsAppAccountId", given, matches(whatsAppAccountID))
	if err := v.err(); err != nil {
		return reply{}, err
	}
	err = f.Catalog.SetWhatsAppAccount(ctx, c.account.Name, id)
	if errors.Is(err, catalog.ErrExists) {
		return reply{}, whatsAppConflict()
	}
	if err != nil {
		return reply{}, fmt.Errorf("create WhatsApp configuration: %w", err)
	}
	return reply{status: http.StatusCreated}, nil
}

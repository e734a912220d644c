package twilio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/countersign/countersign/internal/carrier/setting"
)

// Check reads the account, with the token that signatures are made with, and
// where there is an API key one of the account's numbers with that. It returns
// what went wrong and sends nothing to a phone.
func (c *Carrier) Check(ctx context.Context) error {
	body, err := c.get(ctx, ".json", c.cfg.AccountSID, c.cfg.AuthToken)
	if err != nil {
		return fmt.Errorf("read the account with auth_token: %w", err)
	}
	var account struct {
		Status string `json:"status"`
	}
	switch err := json.Unmarshal(body, &account); {
	case err != nil:
		return errors.New("read the account with auth_token: the answer is no JSON; is base_url Twilio's?")
	case account.Status != "active":
		return fmt.Errorf("the account is %q, not active", account.Status)
	}
	if c.cfg.APIKey == "" {
		return nil
	}
	if _, err := c.get(ctx, "/IncomingPhoneNumbers.json?PageSize=1", c.cfg.APIKey, c.cfg.APISecret); err != nil {
		return fmt.Errorf("read the account's numbers with api_key: %w", err)
	}
	return nil
}

func (c *Carrier) get(ctx context.Context, resource, user string, password setting.Secret) ([]byte, error) {
	req, err := c.request(ctx, http.MethodGet, resource, "")
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth(user, password.Reveal())
	answer, none := c.client.Do(req)
	if none != nil {
		return nil, errors.New(none.Failure.Text)
	}
	if answer.Status == http.StatusOK {
		return answer.Body, nil
	}
	why := c.refused(answer, c.deps.Now()).Failure
	return nil, fmt.Errorf("%d: %s (%s)", answer.Status, why.Text, why.Code)
}

package request

import (
	"context"
	"net/http"

	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/delivery"
)

// Compose returns the request that a message would be.
func (c *Carrier) Compose(ctx context.Context, m delivery.Message) (*http.Request, error) {
	return c.request(ctx, c.facts(m))
}

// Judge returns what an answer means.
func (c *Carrier) Judge(status int, body string, m delivery.Message) delivery.Result {
	return c.judge(httpsubmit.Answer{Status: status, Body: []byte(body)}, m)
}

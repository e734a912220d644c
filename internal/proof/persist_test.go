package proof_test

import (
	"context"
	"maps"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// persist makes a call as clients should: with an Idempotency-Key, by which it
// is repeated where a connection broke or a node cannot do it now, until it is
// answered otherwise. It says which node answered.
func (f *fleet) persist(ctx context.Context, c call) (a answer, p *process, err error) {
	c.header = maps.Clone(c.header)
	c.header["Idempotency-Key"] = uuid.NewString()
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		p = f.any()
		a, err = p.make(ctx, c)
		if err == nil && a.status != http.StatusServiceUnavailable || ctx.Err() != nil || time.Since(begun) > patience {
			return a, p, err
		}
	}
}

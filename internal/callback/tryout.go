package callback

import (
	"context"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/otp"
)

// statusTest is the status of test events, which no OTP's event has.
const statusTest = "TEST"

// Test posts a test event to the configuration that to describes and returns
// what came of it, within the time-out of an attempt. It is signed and has the
// members of every event, with the status TEST and an id that no OTP has. It is
// neither recorded nor repeated. Of to it needs Account, ConfigID, ProfileID and
// what the configuration consists of. It may be called at any time.
func (p *Pusher) Test(ctx context.Context, to Post) Outcome {
	to.ID, to.OTPID = uuid.NewString(), uuid.Nil.String()
	to.Event = otp.Event{At: p.now(), Channel: "SMS"}
	o := Outcome{ID: to.ID, ConfigID: to.ConfigID, Problem: ProblemRequest}
	if body, err := renderAs(statusTest, to, p.client.prefix); err == nil {
		a := p.client.send(ctx, to, body)
		o.Received, o.Status, o.Latency, o.Problem = a.received(), a.status, a.latency, a.problem
	}
	return o
}

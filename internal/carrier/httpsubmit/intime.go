package httpsubmit

import (
	"context"
	"io"
	"net/http"
	"time"
)

// inTime makes the request fail instead of being written after the end of ctx. A
// process that was stopped between beginning and writing it, and wakes up long
// after its lease, goes on with both at once, the time-out and the write; by then
// another node has sent the message (D-03). Short requests leave the process in
// one piece once their body was read, so the body looks at the time.
func inTime(ctx context.Context, req *http.Request) {
	end, bounded := ctx.Deadline()
	if !bounded || req.Body == nil || req.Body == http.NoBody {
		return
	}
	req.Body = bodyInTime{req.Body, end}
	if again := req.GetBody; again != nil {
		req.GetBody = func() (io.ReadCloser, error) {
			b, err := again()
			return bodyInTime{b, end}, err
		}
	}
}

type bodyInTime struct {
	io.ReadCloser

	end time.Time
}

func (b bodyInTime) Read(p []byte) (int, error) {
	if !time.Now().Before(b.end) { //nolint:forbidigo // the clock that contexts end by
		return 0, errTimeout
	}
	return b.ReadCloser.Read(p) //nolint:wrapcheck // it is a reader
}

package server

import (
	"context"
	"io"
	"net/http"
	"time"
)

// bounded returns the request with a context that ends requestTime from now. The
// time stands still while the body is being read, for which readTimeout is the
// bound, and begins anew after each part of it: a client that sends slowly has
// kept nobody waiting in the database.
func bounded(r *http.Request) (*http.Request, context.CancelFunc) {
	if r.ContentLength == 0 {
		ctx, cancel := context.WithTimeoutCause(r.Context(), requestTime, errRequestTime)
		return r.WithContext(ctx), cancel
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	timer := time.AfterFunc(requestTime, func() { cancel(errRequestTime) })
	inner := r.WithContext(ctx)
	inner.Body = &untimed{r.Body, timer}
	return inner, func() {
		timer.Stop()
		cancel(nil)
	}
}

// untimed is a body whose timer runs only while nobody reads it.
type untimed struct {
	io.ReadCloser

	timer *time.Timer
}

func (b *untimed) Read(p []byte) (int, error) {
	// One that has fired has ended the context for good.
	if !b.timer.Stop() {
		return b.ReadCloser.Read(p) //nolint:wrapcheck // passed through
	}
	defer b.timer.Reset(requestTime)
	return b.ReadCloser.Read(p) //nolint:wrapcheck // as above
}

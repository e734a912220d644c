package sandbox

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	inbox "github.com/countersign/countersign/internal/carrier/sandbox"
)

const (
	defaultWait = 10 * time.Second
	// maxWait leaves a proxy's usual minute some room.
	maxWait = 50 * time.Second
	// lookEvery is how often somebody who waits looks for what other nodes put
	// into the inbox.
	lookEvery = 300 * time.Millisecond
	// answerTime is for writing the answer after the wait.
	answerTime = 10 * time.Second
)

// errCrowded: too many callers wait.
var errCrowded = errors.New("too many callers wait")

// wait lists the messages that are newer than the one called after, as soon as
// there is one; none when the time is over or the server is about to end. Of
// more than the limit it takes the oldest, newest first like any list: whoever
// asks again after the first of them misses none. It fails as a fresh request
// would once the key is not accepted any more (K-03).
func (h *Handler) wait(w http.ResponseWriter, r *http.Request, q inbox.Query) ([]inbox.Message, error) {
	after, timeout, err := decodeWait(r.URL.Query())
	if err != nil {
		return nil, err
	}
	ctx := r.Context()
	if after != "" {
		last, err := h.cfg.Messages.Read(ctx, inbox.Query{Account: q.Account, ID: after, Limit: 1})
		if err != nil {
			return nil, err //nolint:wrapcheck // it says what it was doing
		}
		if last.Last == 0 {
			return nil, refusal{http.StatusBadRequest, "The parameter after names no message of this account"}
		}
		q.After, q.OldestFirst = last.Last, true
	}
	if !h.seats.Take(q.Account) {
		return nil, errCrowded
	}
	defer h.seats.Leave(q.Account)
	// The server's own limit is for answers that do not wait.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(timeout + answerTime)) //nolint:forbidigo // a deadline of the connection
	woken, stop := h.cfg.Messages.Watch(q.Account)
	defer stop()
	over, look := time.NewTimer(timeout), time.NewTicker(lookEvery)
	defer over.Stop()
	defer look.Stop()
	for {
		list, err := h.next(ctx, &q)
		if err != nil {
			return nil, err
		}
		// After the look: what was found is not for a key that was revoked before.
		if _, err := h.cfg.Keys.Authenticate(ctx, keyOf(r)); err != nil {
			return nil, err //nolint:wrapcheck // account's sentinels decide the answer
		}
		if len(list) > 0 {
			if q.OldestFirst {
				slices.Reverse(list)
			}
			return list, nil
		}
		select {
		case <-ctx.Done():
			return nil, nil
		case <-over.C:
			return nil, nil
		case _, open := <-woken:
			if !open {
				return nil, nil
			}
		case <-look.C:
		}
	}
}

// next reads what q selects. Oldest first, it reads on as far as something can
// be opened, and leaves q after what it read, so that what cannot be opened is in
// nobody's way.
func (h *Handler) next(ctx context.Context, q *inbox.Query) ([]inbox.Message, error) {
	for {
		batch, err := h.cfg.Messages.Read(ctx, *q)
		if err != nil {
			return nil, err //nolint:wrapcheck // it says what it was doing
		}
		if !q.OldestFirst || len(batch.Messages) > 0 {
			return batch.Messages, nil
		}
		q.After = batch.Last
		if !batch.More {
			return nil, nil
		}
	}
}

// decodeWait reads the parameters after and timeout, a number of seconds or a
// duration such as 500ms. The error is a refusal and does not quote the input.
func decodeWait(values url.Values) (after string, timeout time.Duration, err error) {
	bad := func(detail string) (string, time.Duration, error) {
		return "", 0, refusal{http.StatusBadRequest, detail}
	}
	for _, name := range []string{"after", "timeout"} {
		if len(values[name]) > 1 {
			return bad("The parameter " + name + " may be given once")
		}
	}
	if after = values.Get("after"); len(after) > maxOTPID {
		return bad("The parameter after is too long")
	}
	timeout = defaultWait
	if text := values.Get("timeout"); text != "" {
		if _, err := strconv.Atoi(text); err == nil {
			text += "s"
		}
		timeout, err = time.ParseDuration(text)
		if err != nil || timeout < 0 || timeout > maxWait {
			return bad("The parameter timeout must be a number of seconds from 0 to " + strconv.Itoa(int(maxWait.Seconds())) + ", or a duration such as 500ms")
		}
	}
	return after, timeout, nil
}

package live

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	pollEvery = time.Second      // looks for what other nodes did
	soonEvery = pollEvery / 4    // likewise, where a look is cheap; see Soon
	beatEvery = 15 * time.Second // keeps proxies from cutting a quiet stream
	writeTime = 10 * time.Second // for one event; a page that takes longer is gone
	maxTopics = 8                // of one page
	// versionLength is how much of a version's hash an event id holds.
	versionLength = 6
)

// Source gives the version of what a topic shows to an account: a text that
// changes whenever that does. rest is what follows the topic's name and a
// colon, "" for nothing.
type Source interface {
	Version(ctx context.Context, account, rest string) (string, error)
}

// SourceFunc is a function as a Source.
type SourceFunc func(ctx context.Context, account, rest string) (string, error)

// Version implements Source.
func (f SourceFunc) Version(ctx context.Context, account, rest string) (string, error) {
	return f(ctx, account, rest)
}

// Soon marks a source whose version costs little to read: pages that listen to
// it hear of what other nodes did within a quarter of a second, not a second.
func Soon(s Source) Source { return soon{s} }

type soon struct{ Source }

// Request is what a page asks for.
type Request struct {
	Account string
	Topics  []string // such as "phones" or "otp:ID"
	LastID  string   // the id of the last event that the page got, "" for none
	// Valid reports whether the session still is; asked before every event.
	Valid func(context.Context) bool
}

// Serve streams events until the page leaves, its session ends or the hub does.
// Each event's type is "change", its data the topic.
func (h *Hub) Serve(w http.ResponseWriter, r *http.Request, sources map[string]Source, q Request) error {
	topics, err := choose(sources, q)
	if err != nil {
		return err
	}
	waiter, err := h.join(q.Account)
	if err != nil {
		return err
	}
	defer h.leave(waiter)
	s := &stream{w: w, control: http.NewResponseController(w), topics: topics, seen: strings.Split(q.LastID, ".")}
	if q.LastID == "" || len(s.seen) != len(topics) {
		s.seen = nil
	}
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("X-Accel-Buffering", "no") // or nginx would hold events back
	w.WriteHeader(http.StatusOK)
	if err := s.send("retry: 1000\n: open\n\n"); err != nil {
		return nil // the page left
	}
	poll, beat := time.NewTicker(intervalOf(topics)), time.NewTicker(beatEvery)
	defer poll.Stop()
	defer beat.Stop()
	ctx := r.Context()
	for {
		if !q.Valid(ctx) {
			_ = s.send("event: ended\ndata: session\n\n")
			return nil
		}
		if err := s.look(ctx, q.Account); err != nil {
			return nil // the page left
		}
		select {
		case <-ctx.Done():
			return nil
		case _, open := <-waiter.woken:
			if !open {
				return nil
			}
		case <-poll.C:
		case <-beat.C:
			if err := s.send(": beat\n\n"); err != nil {
				return nil // the page left
			}
		}
	}
}

// topic is what a page listens to.
type topic struct {
	name, rest string
	source     Source
}

// UnknownTopicError is a topic that no source has.
type UnknownTopicError struct{ Topic string }

func (e *UnknownTopicError) Error() string { return "unknown topic" }

func choose(sources map[string]Source, q Request) ([]topic, error) {
	if len(q.Topics) == 0 || len(q.Topics) > maxTopics {
		return nil, &UnknownTopicError{}
	}
	topics := make([]topic, 0, len(q.Topics))
	for _, text := range q.Topics {
		name, rest, _ := strings.Cut(text, ":")
		source := sources[name]
		if source == nil {
			return nil, &UnknownTopicError{text}
		}
		topics = append(topics, topic{text, rest, source})
	}
	return topics, nil
}

// intervalOf is how often a page's topics are looked at, the whole page as often
// as one of them allows: pages listen to one or two.
func intervalOf(topics []topic) time.Duration {
	for _, t := range topics {
		if _, is := t.source.(soon); is {
			return soonEvery
		}
	}
	return pollEvery
}

// stream is one page's connection.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	topics  []topic
	seen    []string // versions that the page has seen; nil before the first look
}

// look sends an event for every topic that has another version than the page
// has seen. To a page that has seen none it sends "open": the page then looks
// once, as something may have changed since it was made. A source that fails
// for now is asked again later.
func (s *stream) look(ctx context.Context, account string) error {
	first := s.seen == nil
	if first {
		s.seen = make([]string, len(s.topics))
	}
	for i, t := range s.topics {
		version, err := t.source.Version(ctx, account, t.rest)
		if err != nil {
			continue
		}
		sum := sha256.Sum256([]byte(version))
		short := hex.EncodeToString(sum[:versionLength])
		if s.seen[i] == short {
			continue
		}
		s.seen[i] = short
		if first {
			continue
		}
		if err := s.change(t.name); err != nil {
			return err
		}
	}
	if first {
		return s.send(fmt.Sprintf("id: %s\nevent: open\ndata: open\n\n", strings.Join(s.seen, ".")))
	}
	return nil
}

func (s *stream) change(name string) error {
	return s.send(fmt.Sprintf("id: %s\nevent: change\ndata: %s\n\n", strings.Join(s.seen, "."), name))
}

func (s *stream) send(text string) error {
	// The server's own limit is for answers that end.
	_ = s.control.SetWriteDeadline(time.Now().Add(writeTime)) //nolint:forbidigo // a deadline of the connection
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err //nolint:wrapcheck // says nothing but that the page left
	}
	return s.control.Flush() //nolint:wrapcheck // as above
}

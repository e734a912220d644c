package server_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/internal/server"
)

// slow is a body of so many octets that comes an octet every so often.
type slow struct {
	left  int
	every time.Duration
}

func (s *slow) Read(p []byte) (int, error) {
	time.Sleep(s.every)
	if s.left == 0 {
		return 0, io.EOF
	}
	s.left--
	p[0] = 'x'
	return 1, nil
}

// TestTheDatabasesTimeIsApartFromThatOfTheBody reads bodies that take longer than
// a call waits for the database, and then waits for the end of that.
func TestTheDatabasesTimeIsApartFromThatOfTheBody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body   io.Reader
		before time.Duration // that the facade takes before it reads
		read   bool
		ends   time.Duration
	}{
		"no body":                   {http.NoBody, 0, false, 10 * time.Second},
		"a body that nobody reads":  {&slow{20, time.Second}, 0, false, 10 * time.Second},
		"a body of 21 seconds":      {&slow{20, time.Second}, 0, true, 31 * time.Second},
		"one that comes after 25":   {&slow{0, 25 * time.Second}, 4 * time.Second, true, 39 * time.Second},
		"one that is read too late": {&slow{20, time.Second}, 12 * time.Second, true, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begun, ended := time.Now(), time.Duration(0)
				h := server.Facade("/x", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					ctx := r.Context()
					context.AfterFunc(ctx, func() { ended = time.Since(begun) })
					time.Sleep(c.before)
					if c.read {
						if _, err := io.ReadAll(r.Body); err != nil {
							t.Errorf("the body: %v", err)
						}
					}
					<-ctx.Done()
					synctest.Wait()
					if ended != c.ends {
						t.Errorf("the time was over after %s; want %s", ended, c.ends)
					}
					if cause := context.Cause(ctx); cause == nil || cause.Error() != "the request took too long" {
						t.Errorf("it ended with %v", cause)
					}
				}))
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/x/y", c.body))
			})
		})
	}
}

func TestACallEndsWithItsClientWhateverItsBodyDoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		var cause error
		h := server.Facade("/x", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err != nil {
				t.Errorf("the body: %v", err)
			}
			leave()
			<-r.Context().Done()
			cause = context.Cause(r.Context())
		}))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodPost, "/x", &slow{3, time.Second}))
		if !errors.Is(cause, context.Canceled) {
			t.Errorf("it ended with %v", cause)
		}
	})
}

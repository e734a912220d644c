package sandbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/api/sandbox"
	inbox "github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/verify"
)

// filling is an inbox that fills up while somebody waits. A message to nobody
// cannot be opened.
type filling struct {
	mu       sync.Mutex // guards what follows
	messages []inbox.Message
	woken    chan string
	looks    int
}

func (f *filling) put(m inbox.Message, tell bool) {
	f.mu.Lock()
	m.Seq = int64(len(f.messages) + 1)
	f.messages = append(f.messages, m)
	f.mu.Unlock()
	if tell {
		f.woken <- m.Account
	}
}

func (f *filling) Read(_ context.Context, q inbox.Query) (inbox.Batch, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looks++
	var found []inbox.Message
	for _, m := range f.messages {
		if m.Account == q.Account && m.Seq > q.After && (q.ID == "" || m.ID == q.ID) && (q.To.IsZero() || m.To == q.To) {
			found = append(found, m)
		}
	}
	if !q.OldestFirst {
		slices.Reverse(found)
	}
	found = found[:min(len(found), q.Limit)]
	b := inbox.Batch{Last: q.After, More: len(found) == q.Limit}
	for _, m := range found {
		b.Last = max(b.Last, m.Seq)
		if !m.To.IsZero() {
			b.Messages = append(b.Messages, m)
		}
	}
	return b, nil
}

func (f *filling) Watch(string) (<-chan string, func()) { return f.woken, func() {} }

// waited is how a wait ended.
type waited struct {
	status int
	ids    string
	after  time.Duration
}

func wait(t *testing.T, h http.Handler, query string) waited {
	t.Helper()
	return waitAs(t, h, "key-a", query)
}

// waitAs is wait with another key.
func waitAs(t *testing.T, h http.Handler, key, query string) waited {
	t.Helper()
	begun := time.Now()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/sandbox/messages/wait"+query, nil)
	r.Header.Set("apiKey", key)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var list []struct {
		ID string `json:"id"`
	}
	if w.Code == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "" {
		t.Errorf("%s: 503 without Retry-After", query)
	}
	if w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
			t.Errorf("%s: %q: %v", query, w.Body, err)
		}
	}
	var ids []string
	for _, m := range list {
		ids = append(ids, m.ID)
	}
	return waited{w.Code, strings.Join(ids, " "), time.Since(begun)}
}

func handlerOf(f *filling) http.Handler {
	return sandbox.New(sandbox.Config{Keys: keys{}, Messages: f, Log: slog.New(slog.DiscardHandler)})
}

func TestAWaitEndsWithTheMessageOrItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &filling{woken: make(chan string, 1)}
		h := handlerOf(f)
		mine := func(id string) inbox.Message {
			return inbox.Message{Account: "acme", ID: id, Channel: message.SMS, To: recipient(t, "+4915112345678")}
		}
		later := func(d time.Duration, id string, tell bool) {
			go func() {
				time.Sleep(d)
				f.put(mine(id), tell)
			}()
		}
		if got, want := wait(t, h, "?timeout=2"), (waited{200, "", 2 * time.Second}); got != want {
			t.Errorf("nothing comes: %+v, want %+v", got, want)
		}
		if got, want := wait(t, h, "?timeout=0"), (waited{200, "", 0}); got != want {
			t.Errorf("no time: %+v, want %+v", got, want)
		}
		if got, want := wait(t, h, ""), (waited{200, "", 10 * time.Second}); got != want {
			t.Errorf("the usual time: %+v, want %+v", got, want)
		}
		later(730*time.Millisecond, "m1", true)
		if got, want := wait(t, h, "?timeout=20"), (waited{200, "m1", 730 * time.Millisecond}); got != want {
			t.Errorf("one comes in this process: %+v, want %+v", got, want)
		}
		if got, want := wait(t, h, "?timeout=20"), (waited{200, "m1", 0}); got != want {
			t.Errorf("one is there, none was named: %+v, want %+v", got, want)
		}
		later(time.Second, "m2", false)
		if got := wait(t, h, "?after=m1&timeout=20s"); got.ids != "m2" || got.after < time.Second || got.after > 1300*time.Millisecond {
			t.Errorf("one comes over another node: %+v, want m2 within 300 ms", got)
		}
		if got, want := wait(t, h, "?after=m2&timeout=500ms"), (waited{200, "", 500 * time.Millisecond}); got != want {
			t.Errorf("nothing is newer: %+v, want %+v", got, want)
		}
		if got, want := wait(t, h, "?after=m2&to=%2B33612345678&timeout=1"), (waited{200, "", time.Second}); got != want {
			t.Errorf("nothing for that number: %+v, want %+v", got, want)
		}
		f.put(inbox.Message{Account: "other", ID: "foreign", Channel: message.SMS, To: recipient(t, "+4915112345678")}, false)
		if got, want := wait(t, h, "?after=m2&timeout=1"), (waited{200, "", time.Second}); got != want {
			t.Errorf("another account's comes: %+v, want %+v", got, want)
		}
		if got := wait(t, h, "?after=m1&timeout=9"); got.ids != "m2" {
			t.Errorf("what came before the wait: %+v, want m2", got)
		}
		close(f.woken)
		if got, want := wait(t, h, "?after=m2&timeout=20"), (waited{200, "", 0}); got != want {
			t.Errorf("the server ends: %+v, want %+v", got, want)
		}
	})
}

// closing is an Authenticator whose key ends with an error.
type closing struct {
	mu  sync.Mutex // guards err
	err error
}

func (c *closing) Authenticate(context.Context, string) (account.Identity, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return account.Identity{Account: account.Account{Name: "acme"}}, c.err
}

func (c *closing) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

func TestAWaitEndsWithItsKey(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		err    error
		status int
	}{
		{"revoked", account.ErrKeyDisabled, http.StatusForbidden},
		{"suspended", account.ErrSuspended, http.StatusForbidden},
		{"not known whether", fmt.Errorf("look up key: %w", verify.ErrUnavailable), http.StatusServiceUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f, key := &filling{woken: make(chan string, 1)}, &closing{}
				h := sandbox.New(sandbox.Config{Keys: key, Messages: f, Log: slog.New(slog.DiscardHandler)})
				go func() {
					time.Sleep(2 * time.Second)
					key.end(c.err)
				}()
				if got := wait(t, h, "?timeout=20"); got.status != c.status || got.after > 2300*time.Millisecond {
					t.Errorf("nothing comes: %+v; want %d within 300 ms", got, c.status)
				}
				key.end(nil)
				go func() {
					time.Sleep(2*time.Second + time.Millisecond) // between two looks
					key.end(c.err)
					f.put(inbox.Message{Account: "acme", ID: "m1", Channel: message.SMS, To: recipient(t, "+4915112345678")}, true)
				}()
				if got, want := wait(t, h, "?timeout=20"), (waited{c.status, "", 2*time.Second + time.Millisecond}); got != want {
					t.Errorf("a message comes right after: %+v, want %+v", got, want)
				}
			})
		})
	}
}

func TestOfMoreThanTheLimitNoneIsMissedFromOneWaitToTheNext(t *testing.T) {
	t.Parallel()
	f := &filling{woken: make(chan string)}
	h := handlerOf(f)
	var sent []string
	for i := range 61 {
		id := "m" + strconv.Itoa(i)
		f.put(inbox.Message{Account: "acme", ID: id, Channel: message.SMS, To: recipient(t, "+4915112345678")}, false)
		sent = append(sent, id)
	}
	for _, limit := range []string{"", "&limit=1", "&limit=7", "&limit=60", "&limit=200"} {
		got := []string{"m0"} // what is known already
		for {
			page := strings.Fields(wait(t, h, "?timeout=0&after="+got[len(got)-1]+limit).ids)
			if len(page) == 0 {
				break
			}
			slices.Reverse(page) // the newest comes first
			got = append(got, page...)
		}
		if !slices.Equal(got, sent) {
			t.Errorf("with %q there came %d messages, %v; want %d in their order", limit, len(got), got, len(sent))
		}
	}
	if got := strings.Fields(wait(t, h, "?timeout=0&limit=2").ids); !slices.Equal(got, []string{"m60", "m59"}) {
		t.Errorf("without a message to begin after there came %v, want the newest two", got)
	}
}

func TestWhatCannotBeOpenedIsInTheWayOfNoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &filling{woken: make(chan string, 1)}
		h := handlerOf(f)
		put := func(id string) {
			f.put(inbox.Message{Account: "acme", ID: id, Channel: message.SMS, To: recipient(t, "+4915112345678")}, false)
		}
		put("m0")
		for i := range 6 {
			f.put(inbox.Message{Account: "acme", ID: "sealed" + strconv.Itoa(i), Channel: message.SMS}, false)
		}
		if got, want := wait(t, h, "?after=m0&limit=3&timeout=1"), (waited{200, "", time.Second}); got != want {
			t.Errorf("nothing else is there: %+v, want %+v", got, want)
		}
		go func() {
			time.Sleep(time.Second)
			put("m1")
		}()
		if got := wait(t, h, "?after=m0&limit=3&timeout=9"); got.ids != "m1" || got.after > 1300*time.Millisecond {
			t.Errorf("one comes during the wait: %+v, want m1 within 300 ms", got)
		}
		for _, after := range []string{"m0", "sealed1", "sealed5"} {
			if got, want := wait(t, h, "?after="+after+"&limit=3&timeout=0"), (waited{200, "m1", 0}); got != want {
				t.Errorf("one is there after %s: %+v, want %+v", after, got, want)
			}
		}
	})
}

func TestWrongWaitsAreRefusedBeforeTheyWait(t *testing.T) {
	t.Parallel()
	h := handlerOf(&filling{woken: make(chan string), messages: []inbox.Message{{Account: "other", ID: "foreign", Seq: 1}}})
	for _, query := range []string{
		"?timeout=51", "?timeout=-1", "?timeout=soon", "?timeout=1&timeout=2", "?after=a&after=b", "?after=ghost", "?after=foreign",
		"?after=" + strings.Repeat("x", 129), "?to=somebody", "?limit=0",
	} {
		if got := wait(t, h, query); got.status != http.StatusBadRequest {
			t.Errorf("%s = %d, want 400", query, got.status)
		}
	}
}

func TestMoreWaitersThanThereIsRoomForAreToldToComeAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := handlerOf(&filling{woken: make(chan string)})
		var callers sync.WaitGroup
		crowd := func(account string, n int) {
			for range n {
				callers.Go(func() {
					if got := waitAs(t, h, "key-of-"+account, "?timeout=5"); got.status != http.StatusOK || got.after != 5*time.Second {
						t.Errorf("one of %d of %s: %+v, want 200 after 5 s", n, account, got)
					}
				})
			}
			synctest.Wait()
		}
		full := waited{status: http.StatusServiceUnavailable}
		crowd("a", 64)
		if got := waitAs(t, h, "key-of-a", "?timeout=5"); got != full {
			t.Errorf("the 65th of one account: %+v, want 503 at once", got)
		}
		if got := waitAs(t, h, "key-of-b", "?timeout=0"); got.status != http.StatusOK {
			t.Errorf("another account beside it: %+v, want 200", got)
		}
		crowd("b", 64)
		crowd("c", 64)
		crowd("d", 63)
		if got := waitAs(t, h, "key-of-e", "?timeout=0"); got.status != http.StatusOK {
			t.Errorf("the 256th: %+v, want 200", got)
		}
		crowd("d", 1)
		if got := waitAs(t, h, "key-of-e", "?timeout=5"); got != full {
			t.Errorf("the 257th: %+v, want 503 at once", got)
		}
		callers.Wait()
		for _, account := range []string{"a", "e"} {
			if got := waitAs(t, h, "key-of-"+account, "?timeout=1"); got.status != http.StatusOK {
				t.Errorf("%s afterwards: %+v", account, got)
			}
		}
	})
}

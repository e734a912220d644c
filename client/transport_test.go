package client_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/countersign/countersign/client"
)

func TestARedirectToNowhereIsNotTold(t *testing.T) {
	t.Parallel()
	a := &answer{status: http.StatusFound, header: map[string]string{"Location": "http://[bad/+4915112345678"}}
	_, err := serve(t, a).Read(t.Context(), "o1")
	e, ok := errors.AsType[*client.Error](err)
	if !ok || e.Status != http.StatusFound || strings.Contains(err.Error(), "4915112345678") {
		t.Errorf("%v; want the error of status 302, without the place", err)
	}
}

func TestWithoutAnHTTPClientTheDefaultIsKept(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(&answer{status: http.StatusOK, body: `{"id":"o1"}`})
	t.Cleanup(s.Close)
	c, err := client.New(s.URL, key, client.WithHTTPClient(nil))
	if err != nil {
		t.Fatal(err)
	}
	if id, err := c.Send(t.Context(), client.Message{}); err != nil || id != "o1" {
		t.Errorf("Send = %s, %v; want o1", id, err)
	}
}

func TestManyCallersReuseConnections(t *testing.T) {
	t.Parallel()
	const callers, rounds = 20, 3
	var opened, arrived atomic.Int64
	var complete [rounds]chan struct{} // closed when all of a round have arrived: none is answered before
	for i := range complete {
		complete[i] = make(chan struct{})
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := arrived.Add(1)
		round := complete[(n-1)/callers]
		if n%callers == 0 {
			close(round)
		}
		select {
		case <-round:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, `{"otpStatus":"VERIFIED"}`)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	c, err := client.New(s.URL, key)
	if err != nil {
		t.Fatal(err)
	}
	for range rounds {
		var round sync.WaitGroup
		for range callers {
			round.Go(func() {
				if _, err := c.Validate(t.Context(), "o1", "483920"); err != nil {
					t.Error(err)
				}
			})
		}
		round.Wait()
	}
	if got := opened.Load(); got > callers {
		t.Errorf("%d connections for %d rounds of %d calls; want no more than calls at once", got, rounds, callers)
	}
}

package httpsubmit_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/delivery"
)

func TestAnUpstreamThatSwitchesProtocolsIsLeftAtOnce(t *testing.T) {
	t.Parallel()
	left := make(chan error, 1)
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second)) // else a client that reads on would never end
		_, err = io.Copy(io.Discard, conn)
		left <- err
	})
	a, r := client(t, httpsubmit.Options{}).Do(post(t, t.Context(), s.URL))
	if r != nil || a.Status != http.StatusSwitchingProtocols || len(a.Body) != 0 {
		t.Errorf("Do = %+v, %+v; want the bare 101", a, r)
	}
	if got := httpsubmit.Classify(a, time.Time{}); got.Class != delivery.Config {
		t.Errorf("Classify(101) = %v; want Config, as it is no answer to a message", got.Class)
	}
	if err := <-left; err != nil {
		t.Errorf("the upstream read on: %v; want the connection closed", err)
	}
}

package postgres

import (
	"strings"
	"syscall"
	"time"
)

// unacknowledged bounds how long data that was sent may lie unacknowledged, so
// that a statement to a host that vanished ends.
const unacknowledged = 20 * time.Second

// tcpUserTimeout is TCP_USER_TIMEOUT of tcp(7), which syscall lacks.
const tcpUserTimeout = 0x12

func limitUnacknowledged(network, _ string, c syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(unacknowledged.Milliseconds()))
	})
	if err == nil {
		err = failed
	}
	return err
}

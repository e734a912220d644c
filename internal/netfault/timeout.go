package netfault

import (
	"context"
	"errors"
	"net"
	"os"
)

// IsTimeout reports whether the exchange took too long, by whichever bound: a
// context's deadline, a connection's or the operating system's.
func IsTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

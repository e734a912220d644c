//go:build !unix

package server

import (
	"context"
	"os"
)

// lock takes no lock: this system's locks are not used. The server then works
// as one of several.
func lock(string) (*os.File, bool, error) { return nil, false, nil }

// await takes no lock either: start one process at a time on a new database.
func await(context.Context, string) (*os.File, error) { return nil, nil }

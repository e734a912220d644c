package main

import (
	"context"
	"io"
)

// Run is run on streams that are no files.
func Run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer, environ []string) int {
	return run(ctx, args, streams{in, out, errs}, environ)
}

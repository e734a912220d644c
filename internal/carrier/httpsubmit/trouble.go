package httpsubmit

import (
	"context"
	"errors"
	"net"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/netfault"
	"github.com/countersign/countersign/internal/otp"
)

// unanswered is the Result of a request that no whole answer came to.
func unanswered(ctx context.Context, err error, written bool) *delivery.Result {
	class := delivery.Retry
	if written {
		class = delivery.Uncertain
	}
	if errors.Is(err, ErrAddress) {
		class = delivery.Config
	}
	code, text := trouble(ctx, err)
	return &delivery.Result{Class: class, Failure: otp.Failure{Area: delivery.AreaCarrier, Code: code, Text: text}}
}

// trouble names what happened. Errors of net/http hold URLs and addresses, so
// nothing of them is kept.
func trouble(ctx context.Context, err error) (code, text string) {
	_, unresolved := errors.AsType[*net.DNSError](err)
	op, isOp := errors.AsType[*net.OpError](err)
	switch {
	case errors.Is(context.Cause(ctx), errClosed):
		return "ended", "The server ended while the carrier was asked"
	case errors.Is(err, ErrAddress):
		return "address", "The carrier's address is not allowed"
	case netfault.IsTLS(err):
		return "tls", "The carrier's certificate is not trusted, or it spoke no TLS"
	case ctx.Err() != nil, netfault.IsTimeout(err):
		return "timeout", "The carrier did not answer in time"
	case unresolved:
		return "name", "The carrier's host name did not resolve"
	case isOp && op.Op == "dial":
		return "connect", "The carrier could not be connected to"
	}
	return "connection", "The connection to the carrier broke"
}

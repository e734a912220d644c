package server

import (
	"context"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/metrics"
)

// Engine returns how the engine over d pushes callbacks and takes receipts.
func (s *Server) Engine(d *Deployment) (push func(context.Context) error, receive func(context.Context, delivery.Receipt) (bool, error), err error) {
	e, err := s.engine(d, metrics.New(s.Version), node{name: "n1"})
	if err != nil {
		return nil, nil, err
	}
	return e.pusher.Run, e.dispatcher.Receive, nil
}

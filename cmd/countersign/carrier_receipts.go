package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/countersign/countersign/internal/fleet"
	"github.com/countersign/countersign/internal/server"
)

type carrierReceiptsCmd struct {
	Name string `arg:"" help:"The carrier."`
}

func (c carrierReceiptsCmd) Run(e *environment) error {
	return e.with(func(d *server.Deployment) error {
		f, err := d.Carriers()
		if err != nil {
			return err
		}
		url, err := f.ReceiptURL(c.Name)
		if errors.Is(err, fleet.ErrNoCarrier) {
			return useError{"there is no carrier " + strconv.Quote(c.Name) + "; expected the name of a [[carrier]]"}
		}
		if err != nil {
			return fmt.Errorf("carrier %s: %w", c.Name, err)
		}
		return e.say(url)
	})
}

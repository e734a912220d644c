package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/countersign/countersign/internal/fleet"
)

type carrierReceiptsCmd struct {
	Name string `arg:"" help:"The carrier."`
}

func (c carrierReceiptsCmd) Run(e *environment) error {
	return e.withCarriers(func(f *fleet.Fleet) error {
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

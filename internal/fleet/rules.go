package fleet

import (
	"errors"
	"slices"
	"strings"

	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/route"
)

// Routes are the rules of the configuration.
type Routes = []route.Rule

// Where rules stand that no file holds.
const (
	sourceNoRoutes = "no [[route]]: every carrier serves what it can"
	sourceSandbox  = "the sandbox serves channels that no route is for"
)

// rules returns the rules that decide: those of the configuration, or without
// any that every carrier serves what it can, in the file's order; and the
// sandbox, which is nil if it does not serve, for channels that nothing else is
// for.
func rules(s Settings, carriers []delivery.Carrier, box delivery.Carrier) ([]route.Rule, error) {
	out := slices.Clone(s.Routes)
	if err := checkRules(out, carriers, box); err != nil {
		return nil, err
	}
	if len(s.Routes) == 0 {
		for _, channel := range message.Channels() {
			r := route.Rule{Source: sourceNoRoutes, Channels: []message.Channel{channel}}
			for _, c := range carriers {
				if slices.Contains(channelsOf(c), channel) {
					r.Choices = append(r.Choices, route.Choice{Carrier: c.Name()})
				}
			}
			if len(r.Choices) > 0 {
				out = append(out, r)
			}
		}
	}
	if box == nil {
		return out, nil
	}
	rest := route.Rule{Source: sourceSandbox, Choices: []route.Choice{{Carrier: box.Name()}}}
	for _, channel := range message.Channels() {
		if !slices.ContainsFunc(out, func(r route.Rule) bool { return slices.Contains(r.Channels, channel) }) {
			rest.Channels = append(rest.Channels, channel)
		}
	}
	return append(out, rest), nil
}

// checkRules checks what rules say of carriers.
func checkRules(rules []route.Rule, carriers []delivery.Carrier, box delivery.Carrier) error {
	var problems []error
	for _, r := range rules {
		for _, choice := range r.Choices {
			i := slices.IndexFunc(carriers, func(c delivery.Carrier) bool { return c.Name() == choice.Carrier })
			switch {
			case box != nil && choice.Carrier == box.Name():
			case i < 0 && choice.Carrier == sandbox.Name:
				problems = append(problems, wrongRoute(r.Source, `the sandbox does not serve here; it does beside real carriers with sandbox = "on"`))
			case i < 0:
				problems = append(problems, wrongRoute(r.Source, "there is no carrier %q", choice.Carrier))
			default:
				problems = append(problems, checkChannels(r, carriers[i]))
			}
		}
	}
	return errors.Join(problems...)
}

func checkChannels(r route.Rule, c delivery.Carrier) error {
	can := channelsOf(c)
	for _, channel := range r.Channels {
		if !slices.Contains(can, channel) {
			var names []string
			for _, one := range can {
				names = append(names, string(one))
			}
			return wrongRoute(r.Source, "carrier %q does not carry %s as it is configured; it carries %s", c.Name(), channel, strings.Join(names, ", "))
		}
	}
	return nil
}

// serves reports whether the sandbox serves (K-05).
func (s Settings) serves() bool {
	return s.Sandbox == config.SandboxOn || s.Sandbox == config.SandboxAuto && !Real(s.Carriers)
}

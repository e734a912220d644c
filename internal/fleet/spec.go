package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/carrier/fitness"
	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

// Settings are what a fleet is made of.
type Settings struct {
	Carriers []config.Carrier
	Routes   Routes
	Sandbox  config.Sandbox // when the sandbox serves
}

// at says where a carrier stands; a reload may have moved one that it kept.
func (s Settings) at(name string) string {
	for _, c := range s.Carriers {
		if c.Name == name {
			return c.At("")
		}
	}
	return ""
}

// env is what every carrier is opened with.
type env struct {
	receive    func(ctx context.Context, r delivery.Receipt) (known bool, err error)
	log        *slog.Logger
	now        func() time.Time
	version    string
	receiptURL string
	observer   Observer
	notes      catalog.WhatsAppNotes
	changed    func(catalog.WhatsAppChange)
	memory     *memory
}

// spec is a carrier as the configuration describes it.
type spec struct {
	config.Carrier

	settings any           // its type's Config
	fit      fitness.Rules // what its SMS must be
	same     func(other any) bool
	open     func(env) (delivery.Carrier, error)
}

// kind is a type of carriers.
type kind func(config.Carrier) (spec, error)

// settings is what the Config of every type of carriers can do.
type settings[C any] interface {
	Validate() error
	Equal(o C) bool
}

// kindOf returns the kind that reads its keys with read and opens carriers with
// open.
func kindOf[C settings[C], T delivery.Carrier](
	read func(r *config.Reader, name string) C, open func(C, env) (T, error),
) kind {
	return func(c config.Carrier) (spec, error) {
		r := c.Read()
		var ignored string
		r.Text("name", &ignored)
		r.Text("type", &ignored)
		cfg, fit := read(r, c.Name), readFitness(r)
		if err := r.End(); err != nil {
			return spec{}, err //nolint:wrapcheck // it names file and line
		}
		located := func(err error) error {
			if k, what := key(err); what != nil {
				return c.Wrong(k, "%v", what)
			}
			return c.Wrong("", "%v", err)
		}
		for _, part := range []interface{ Validate() error }{cfg, fit} {
			if err := part.Validate(); err != nil {
				return spec{}, located(err)
			}
		}
		return spec{
			Carrier: c, settings: cfg, fit: fit,
			same: func(other any) bool {
				o, ok := other.(C)
				return ok && cfg.Equal(o)
			},
			open: func(e env) (delivery.Carrier, error) {
				carrier, err := open(cfg, e)
				if err != nil {
					return nil, located(err)
				}
				return carrier, checkFitness(c, fit, carrier)
			},
		}, nil
	}
}

// sandboxType is the type of the sandbox among other carriers.
const sandboxType = sandbox.Name

// Real reports whether any of the carriers is more than the sandbox (K-05).
func Real(carriers []config.Carrier) bool {
	return slices.ContainsFunc(carriers, func(c config.Carrier) bool { return c.Type != sandboxType })
}

// specs reads every carrier.
func specs(s Settings) ([]spec, error) {
	known := kinds()
	var out []spec
	var problems []error
	for _, c := range s.Carriers {
		if c.Type == sandboxType {
			problems = append(problems, checkSandbox(c, s))
			continue
		}
		k, ok := known[c.Type]
		if !ok {
			names := append(slices.Collect(maps.Keys(known)), sandboxType)
			slices.Sort(names)
			problems = append(problems, c.Wrong("type", "%q is no type of carrier; expected %s", c.Type, strings.Join(names, ", ")))
			continue
		}
		one, err := k(c)
		if err == nil && c.Name == sandbox.Name {
			err = c.Wrong("name", "%q is the sandbox's own", c.Name)
		}
		if err != nil {
			problems = append(problems, err)
			continue
		}
		out = append(out, one)
	}
	return out, errors.Join(problems...)
}

// checkSandbox checks a [[carrier]] that is the sandbox, so that routes may name
// it.
func checkSandbox(c config.Carrier, s Settings) error {
	r := c.Read()
	var ignored string
	r.Text("name", &ignored)
	r.Text("type", &ignored)
	switch {
	case c.Name != sandbox.Name:
		r.Wrong("name", "expected %q: there is one sandbox", sandbox.Name)
	case s.Sandbox == config.SandboxOff:
		r.Wrong("type", `the sandbox is off; expected sandbox = "on"`)
	case s.Sandbox == config.SandboxAuto && Real(s.Carriers):
		r.Wrong("type", `the sandbox serves beside real carriers only with sandbox = "on"`)
	}
	return r.End() //nolint:wrapcheck // it names file and line
}

// channelsOf returns what a carrier can carry: what it says, or everything.
func channelsOf(c delivery.Carrier) []message.Channel {
	if limited, ok := c.(interface{ Channels() []message.Channel }); ok {
		return limited.Channels()
	}
	return message.Channels()
}

// wrongRoute is an error about a route.
func wrongRoute(source, format string, args ...any) error {
	return &config.FileError{At: source, Where: "route", Key: "carriers", Problem: fmt.Sprintf(format, args...)}
}

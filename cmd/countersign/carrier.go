package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/fleet"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/route"
)

type carrierCmd struct {
	Check    carrierCheckCmd    `cmd:"" help:"Prove credentials and reachability of every carrier, or of one; nothing goes to a phone."`
	Receipts carrierReceiptsCmd `cmd:"" help:"Print the URL that a carrier's provider sends receipts to."`
}

type carrierCheckCmd struct {
	Name *string `arg:"" optional:"" help:"Only this carrier."`
}

// checkBound is how long one carrier may take.
const checkBound = 30 * time.Second

var errCheckBound = errors.New("no answer in time")

func (c carrierCheckCmd) Run(e *environment) error {
	only, err := named("NAME", c.Name)
	if err != nil {
		return err
	}
	return e.withCarriers(func(f *fleet.Fleet) error {
		all := f.States()
		if only != "" {
			all = slices.DeleteFunc(all, func(s fleet.State) bool { return s.Name != only })
		}
		if len(all) == 0 && only != "" {
			return useError{"there is no carrier " + strconv.Quote(only) + "; expected the name of a [[carrier]]"}
		}
		failed := 0
		for _, s := range all {
			result := checked(e.ctx, f, s.Name)
			if result != "ok" && result != fleet.ErrNoCheck.Error() {
				failed++
				result = s.At + ": " + result
			}
			if err := e.say(s.Name, s.Type, result); err != nil {
				return err
			}
		}
		if failed > 0 {
			return fmt.Errorf("%d of %d carriers failed", failed, len(all))
		}
		return nil
	})
}

func checked(ctx context.Context, f *fleet.Fleet, name string) string {
	ctx, cancel := context.WithTimeoutCause(ctx, checkBound, errCheckBound)
	defer cancel()
	if err := f.Check(ctx, name); err != nil {
		return strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return "ok"
}

type routeCmd struct {
	Explain routeExplainCmd `cmd:"" help:"Say who would carry a message, and why."`
}

type routeExplainCmd struct {
	Number  string `arg:"" placeholder:"NUMBER" help:"A number in international form, or an e-mail address."`
	Channel string `arg:"" placeholder:"CHANNEL" help:"SMS, VOICE, WHATSAPP, VIBER or EMAIL."`
}

func (c routeExplainCmd) Run(e *environment) error {
	to, err := recipient(c.Number)
	if err != nil {
		return useError{strings.ReplaceAll(err.Error(), "--to", "NUMBER")}
	}
	if n, ok := to.Number(); ok && !n.CanExist() {
		return useError{"NUMBER is not in international form; expected one such as +4915112345678"}
	}
	channel := message.Channel(strings.ToUpper(c.Channel))
	if !channel.Known() {
		return useError{strconv.Quote(c.Channel) + " is no channel; expected SMS, VOICE, WHATSAPP, VIBER or EMAIL"}
	}
	if !fits(channel, to) {
		return useError{"CHANNEL does not fit NUMBER; expected EMAIL for addresses and another for numbers"}
	}
	return e.withCarriers(func(f *fleet.Fleet) error {
		x := f.Table().Explain(channel, to)
		recipient := to.String()
		if x.Country != "" {
			recipient += " in " + x.Country
		}
		if err := e.say(string(channel), recipient); err != nil {
			return err
		}
		for _, v := range x.Verdicts {
			if err := e.say("route", v.Source, v.Condition, verdict(v)); err != nil {
				return err
			}
		}
		if len(x.Choices) == 0 {
			return e.say("carrier", "none", "UNDELIVERABLE")
		}
		for i, choice := range x.Choices {
			if err := e.say("carrier", strconv.Itoa(i+1), choice.Carrier, typeOf(f, choice.Carrier), turn(x, i)); err != nil {
				return err
			}
		}
		return nil
	})
}

func verdict(v route.Verdict) string {
	switch {
	case v.Decides:
		return "decides"
	case v.Fits:
		return "fits, another is more specific or earlier"
	}
	return "does not fit"
}

func typeOf(f *fleet.Fleet, name string) string {
	for _, s := range f.States() {
		if s.Name == name {
			return s.Type
		}
	}
	return name // the sandbox, whose name is its type's
}

// turn says when a choice is tried.
func turn(x route.Explanation, i int) string {
	switch w := x.Choices[i].Weight; {
	case !x.Weighted() && i == 0:
		return "first"
	case !x.Weighted():
		return "if those before fail"
	case w == 0:
		return "only if others fail"
	default:
		total := 0
		for _, c := range x.Choices {
			total += c.Weight
		}
		return fmt.Sprintf("first for %d of %d", w, total)
	}
}

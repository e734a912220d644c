package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/server"
	"github.com/countersign/countersign/internal/verify"
)

// origin marks the OTPs that this command sent.
const origin = "cli"

// What the command sends.
const (
	codeLength   = 6
	codeAttempts = 5
	codeLife     = 5 * time.Minute
	codeToken    = "{{otp_code}}"
	codeText     = "Your code is " + codeToken
	codeLanguage = "en"
)

type sendCmd struct {
	Account string `required:"" placeholder:"NAME" help:"Who sends."`
	To      string `required:"" placeholder:"NUMBER|ADDRESS" help:"Number in international form, or e-mail address."`
	Channel string `placeholder:"C" help:"SMS, VOICE, VIBER or EMAIL; SMS for numbers and EMAIL for addresses by default."`
	Text    string `placeholder:"T" help:"What is sent; {{otp_code}} stands for the code."`
}

func (c sendCmd) Run(e *environment) error {
	to, err := recipient(c.To)
	if err != nil {
		return err
	}
	if n, ok := to.Number(); ok && !n.CanExist() { // nothing would ever go out
		return useError{"--to is not in international form; expected one such as +4915112345678"}
	}
	channel, err := c.channel(to)
	if err != nil {
		return err
	}
	text := c.Text
	if text == "" {
		text = codeText
	}
	template := message.Parse(text, []message.Placeholder{{Token: codeToken, Code: true}})
	if template.Codes() == 0 {
		return useError{"--text has no place for the code; expected " + codeToken + " in it"}
	}
	return e.with(func(d *server.Deployment) error {
		a, err := existing(e.ctx, d, c.Account)
		if err != nil {
			return err
		}
		record, err := cliService(d).Send(e.ctx, verify.SendRequest{
			Account: a.Name, Origin: origin, Recipient: to,
			Policy: otp.Policy{Length: codeLength, Alphabet: otp.Digits, Attempts: codeAttempts, Life: codeLife},
			Form:   otp.Exact,
			Plan: delivery.Plan{Steps: []delivery.Step{{
				Channel: channel, Text: template, Sender: d.Sender(a, channel), Language: codeLanguage,
				Life: codeLife, Wait: d.Wait(channel),
			}}},
		})
		if err != nil {
			return fmt.Errorf("send: %w", err)
		}
		return e.say(record.ID)
	})
}

// channel reads --channel, or chooses by the recipient.
func (c sendCmd) channel(to phone.Recipient) (message.Channel, error) {
	_, isAddress := to.Address()
	channel := message.Channel(strings.ToUpper(c.Channel))
	switch channel {
	case "":
		if isAddress {
			return message.Email, nil
		}
		return message.SMS, nil
	case message.WhatsApp:
		return "", useError{"--channel WHATSAPP needs an approved template; expected a send over an API"}
	case message.SMS, message.Voice, message.Viber, message.Email:
		if !fits(channel, to) {
			return "", useError{"--channel does not fit --to; expected EMAIL for addresses and another for numbers"}
		}
		return channel, nil
	}
	return "", useError{fmt.Sprintf("--channel %q; expected SMS, VOICE, VIBER or EMAIL", c.Channel)}
}

// fits reports whether channel reaches recipients of to's kind.
func fits(channel message.Channel, to phone.Recipient) bool {
	_, isAddress := to.Address()
	return isAddress == (channel == message.Email)
}

// cliService is the service of a process that dispatches nothing.
func cliService(d *server.Deployment) *verify.Service {
	return d.Verify(d.Store, d.Planner(), server.Elsewhere{})
}

type checkCmd struct {
	Account string `required:"" placeholder:"NAME" help:"Who sent it."`
	ID      string `arg:"" help:"As send printed it."`
}

// maxCode bounds what is read of standard input.
const maxCode = 256

// errClosed is the end of a check that compared nothing: so that nobody takes
// the printed state for this code's.
var errClosed = errors.New("the code was not compared: the one-time password had ended")

// typed reads standard input to its end or until the command is interrupted,
// which a read at a terminal does not see.
func (e *environment) typed() ([]byte, error) {
	type input struct {
		text []byte
		err  error
	}
	read := make(chan input, 1)
	go func() { // ends with the process, if nothing more is typed
		text, err := io.ReadAll(io.LimitReader(e.in, maxCode))
		read <- input{text, err}
	}()
	select {
	case in := <-read:
		return in.text, in.err
	case <-e.ctx.Done():
		return nil, context.Cause(e.ctx)
	}
}

func (c checkCmd) Run(e *environment) error {
	typed, err := e.typed()
	if err != nil {
		return fmt.Errorf("read the code: %w", err)
	}
	code := otp.NewCode(strings.TrimRight(string(typed), "\r\n"))
	if code.IsZero() {
		return useError{"no code; expected it on standard input"}
	}
	return e.with(func(d *server.Deployment) error {
		if _, err := existing(e.ctx, d, c.Account); err != nil {
			return err
		}
		checked, err := cliService(d).Check(e.ctx, verify.CheckRequest{
			Ref: verify.Ref{Account: c.Account, Origin: origin, ID: strings.ToLower(c.ID)}, Code: code,
		})
		if err != nil {
			return fmt.Errorf("check: %w", err)
		}
		if err := e.say(checked.Record.State.String()); err != nil {
			return err
		}
		if !checked.Verdict.Compared() {
			return errClosed
		}
		return nil
	})
}

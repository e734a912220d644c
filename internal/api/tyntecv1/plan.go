package tyntecv1

import (
	"cmp"
	"strings"

	"github.com/countersign/countersign/internal/api/wire"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/phone"
)

// Placeholders of texts (contract v1 §2.8).
const (
	codePlaceholder    = "{{OTP}}"
	secondsPlaceholder = "{{SEC}}"
)

// english is the language that every application has a text in.
const english = "en"

// channelFor is AUTO: a call where a text message cannot be read, and a text
// message wherever that is not certain (contract v1 §2.7).
func channelFor(line phone.Line) message.Channel {
	if line == phone.FixedLine {
		return message.Voice
	}
	return message.SMS
}

// wording is what decides the texts of an OTP.
type wording struct {
	language string // two letters, lower case
	text     string // replaces every template, unless ""
	sender   string
	caller   string
}

// plan fixes how an OTP is delivered: first on the channel, and on the other
// one if a resend asks for it.
func (f *facade) plan(a catalog.Application, w wording, first message.Channel) delivery.Plan {
	other := message.SMS
	if first == message.SMS {
		other = message.Voice
	}
	return delivery.Plan{
		Steps: []delivery.Step{f.step(a, w, first)},
		Spare: []delivery.Step{f.step(a, w, other)},
	}
}

func (f *facade) step(a catalog.Application, w wording, c message.Channel) delivery.Step {
	text, language := w.text, w.language
	if text == "" {
		text, language = template(a.Texts, w.language, c)
	}
	s := delivery.Step{
		Channel: c, Language: language, Wait: f.Wait(c), Sender: cmp.Or(w.sender, a.Sender), Name: a.Name,
		Text: Text(text, a.Life),
	}
	if c == message.Voice {
		s.Sender = f.Caller
		if named := cmp.Or(w.caller, a.Caller); named != "" {
			s.Sender = callerID(named)
		}
	}
	return s
}

// template returns the first text that there is, and its language.
func template(texts map[string]string, language string, c message.Channel) (text, is string) {
	for _, l := range []string{language, english} {
		for _, key := range []string{textKey(l, c), l} {
			if text := texts[key]; text != "" {
				return text, l
			}
		}
	}
	return "", english // not reached: the English text cannot be deleted
}

// textKey is how an application's text for one channel is called; "" is for
// every channel.
func textKey(language string, c message.Channel) string {
	if c == "" {
		return language
	}
	return language + "-" + strings.ToLower(string(c))
}

// languageFor is the language to look for: the one that is asked for, or that
// of the number's country. What is no language code is English.
func languageFor(asked string, info func() phone.Info) string {
	if asked == "" {
		return phone.MainLanguage(info().Country)
	}
	if l := wire.Fold(asked); isLanguage(l) {
		return l
	}
	return english
}

// callerID returns caller if calls can show it: "" lets them go out anonymous.
func callerID(caller string) string {
	if _, err := phone.Syntax(caller); err != nil {
		return ""
	}
	return caller
}

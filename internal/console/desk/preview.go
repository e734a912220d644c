package desk

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/message"
)

// preview is a text as it arrives.
type preview struct {
	Look
	Others []Look // on the other phones

	Length   int    // characters of the code that it is shown with
	By       string // the profile that asks for so many, "" if none uses the template
	Segments message.Segmentation
	Most     message.Segmentation // with a code of MostLen characters
	MostLen  int
	Parts    []string
	Pieces   []piece   // the whole text
	Offences []offence // what forces UCS-2, in the order of the text
	Codes    int       // how often the code is in the text
}

// Look is a text on a phone.
type Look struct {
	Channel message.Channel
	Text    string
	Lang    string // for a voice, as browsers write it
}

// Is reports whether the phone is of a channel.
func (l Look) Is(channel string) bool { return string(l.Channel) == channel }

// Name is what people call the channel.
func (l Look) Name() string { return channelName(l.Channel) }

// piece is a run of the text that GSM 03.38 has, or one character that it
// lacks.
type piece struct {
	Text string
	Bad  bool
}

// offence is a character that GSM 03.38 lacks.
type offence struct {
	Char, Point string
	Count       int
	Instead     string // what could stand there
	Known       bool   // whether Instead is known; it may be nothing
}

// sample is no code that anybody got: it shows where the code goes and how long
// it is.
func sample(length int) string {
	const digits = "1234567890"
	return strings.Repeat(digits, length/len(digits)+1)[:length]
}

// styleOf is how a code is written on a channel: for a call, each character by
// itself.
func styleOf(c message.Channel) message.Style {
	if c == message.Voice {
		return message.Spelled
	}
	return message.Plain
}

// previewOf shows a template with the longest code that a profile of the account
// sends with it.
func (g *Group) previewOf(ctx context.Context, account string, t catalog.Template) (preview, error) {
	profiles, err := g.cfg.Catalog.Profiles(ctx, account)
	if err != nil {
		return preview{}, fmt.Errorf("list profiles: %w", err)
	}
	return g.previewWith(longestCodes(profiles), t), nil
}

// previewWith is previewOf for who has read the account's profiles.
func (g *Group) previewWith(users map[catalog.Link]catalog.Profile, t catalog.Template) preview {
	length, by := g.cfg.MaxCode, ""
	if user, ok := users[linkTo(t)]; ok && t.Name != "" {
		length, by = user.CodeLength, user.Name
	}
	p := look(g.cfg.Text(t), t.Channel, t.Language, length, g.cfg.MaxCode)
	p.By = by
	return p
}

// longestCodes are, by what they link to, the profiles with the longest codes,
// the first of several.
func longestCodes(profiles []catalog.Profile) map[catalog.Link]catalog.Profile {
	longest := map[catalog.Link]catalog.Profile{}
	for _, p := range profiles {
		for _, l := range p.Links {
			if before, ok := longest[l]; !ok || p.CodeLength > before.CodeLength {
				longest[l] = p
			}
		}
	}
	return longest
}

func linkTo(t catalog.Template) catalog.Link {
	return catalog.Link{Channel: t.Channel, Template: t.Name, Language: t.Language}
}

func uses(p catalog.Profile, t catalog.Template) bool {
	return slices.Contains(p.Links, linkTo(t))
}

// look shows a text on a channel with a code of some length.
func look(text message.Template, c message.Channel, language string, length, most int) preview {
	whole := text.Render(sample(length), styleOf(c))
	p := preview{
		Look:   Look{c, whole, strings.ReplaceAll(language, "_", "-")},
		Length: length, MostLen: most, Codes: text.Codes(),
		Segments: message.Segments(whole), Most: message.Segments(text.Render(sample(most), styleOf(c))),
		Parts: message.Parts(whole),
	}
	for _, other := range []message.Channel{message.SMS, message.Viber, message.Voice} {
		if other != c {
			p.Others = append(p.Others, Look{other, text.Render(sample(length), styleOf(other)), p.Lang})
		}
	}
	p.Pieces, p.Offences = inspect(whole)
	return p
}

// inspect finds the characters that GSM 03.38 lacks.
func inspect(text string) ([]piece, []offence) {
	var pieces []piece
	var all []offence
	at := map[rune]int{}
	start := 0
	for i, r := range text {
		if fits(r) {
			continue
		}
		if start < i {
			pieces = append(pieces, piece{text[start:i], false})
		}
		start = i + utf8.RuneLen(r)
		pieces = append(pieces, piece{string(r), true})
		if n, seen := at[r]; seen {
			all[n].Count++
			continue
		}
		instead, known := substitute(r)
		at[r] = len(all)
		all = append(all, offence{string(r), fmt.Sprintf("U+%04X", r), 1, instead, known})
	}
	if start < len(text) {
		pieces = append(pieces, piece{text[start:], false})
	}
	return pieces, all
}

// fits reports whether GSM 03.38 has a character.
func fits(r rune) bool { return message.Segments(string(r)).Encoding == message.GSM7 }

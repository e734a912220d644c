package phones

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/phone"
)

const (
	wallMessages = 200 // the newest, of which the wall shows the phones
	wallPhones   = 12
	wallThread   = 3  // messages of a channel on the wall
	phoneShows   = 60 // messages on a phone's own page
	newFor       = 10 * time.Second
)

// Phone is a recipient's screen.
type Phone struct {
	Key     string
	To      phone.Recipient
	Order   sandbox.Order
	Threads []Thread // the one with the newest message first
}

// Thread is what a phone got over one channel, oldest first.
type Thread struct {
	Channel  message.Channel
	Messages []Message
}

// Message is one message on a screen.
type Message struct {
	ID, OTPID string
	From      string
	Text      string
	Code      string // what a copy button copies, "" if no code stands out
	At        time.Time
	New       bool
}

// Label names the channel for people.
func (t Thread) Label() string {
	switch t.Channel {
	case message.SMS:
		return "Messages (SMS)"
	case message.Voice:
		return "Phone calls"
	case message.WhatsApp:
		return "WhatsApp"
	case message.Viber:
		return "Viber"
	case message.Email:
		return "Mail"
	}
	return string(t.Channel)
}

// Is reports whether the thread is of a channel; for templates.
func (t Thread) Is(channel string) bool { return string(t.Channel) == channel }

// phonesOf makes phones of messages that are newest first, at most most of
// them, with at most thread messages a channel.
func phonesOf(list []sandbox.Message, orders map[[16]byte]sandbox.Order, now time.Time, most, thread int) []Phone {
	var phones []Phone
	at := map[[16]byte]int{}
	for _, m := range list {
		i, known := at[m.Key]
		if !known {
			if len(phones) == most {
				continue
			}
			i = len(phones)
			at[m.Key] = i
			phones = append(phones, Phone{Key: formatKey(m.Key), To: m.To, Order: orders[m.Key]})
		}
		add(&phones[i], m, now, thread)
	}
	for _, p := range phones {
		for _, t := range p.Threads {
			slices.Reverse(t.Messages)
		}
	}
	return phones
}

// add puts an older message than those before it on the screen.
func add(p *Phone, m sandbox.Message, now time.Time, most int) {
	i := slices.IndexFunc(p.Threads, func(t Thread) bool { return t.Channel == m.Channel })
	if i < 0 {
		i = len(p.Threads)
		p.Threads = append(p.Threads, Thread{Channel: m.Channel})
	}
	if t := &p.Threads[i]; len(t.Messages) < most {
		text := m.Text.Reveal() // a virtual phone is where a code may be seen
		t.Messages = append(t.Messages, Message{
			ID: m.ID, OTPID: m.OTPID, From: m.From, Text: text, Code: codeIn(text), At: m.Created, New: now.Sub(m.Created) < newFor,
		})
	}
}

// codeIn finds the code in a text for a button that copies it: the first word of
// 4 to 11 letters and digits, at least one of them a digit, without small
// letters. "" if there is none: then there is no button.
func codeIn(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
	for _, w := range words {
		if len(w) >= 4 && len(w) <= 11 && strings.ContainsAny(w, "0123456789") && strings.ToUpper(w) == w {
			return w
		}
	}
	return ""
}

// wallOf reads the account's phones, the one with the newest message first.
func (g *Group) wallOf(ctx context.Context, account string, now time.Time) ([]Phone, error) {
	list, err := g.cfg.Inbox.List(ctx, sandbox.Query{Account: account, Limit: wallMessages})
	if err != nil {
		return nil, err //nolint:wrapcheck // it says what it was doing
	}
	orders, err := g.cfg.Orders.Of(ctx, account)
	if err != nil {
		return nil, err //nolint:wrapcheck // it says what it was doing
	}
	return phonesOf(list, orders, now, wallPhones, wallThread), nil
}

// phoneOf reads one phone; it has no threads if nothing came yet.
func (g *Group) phoneOf(ctx context.Context, account string, key [16]byte, now time.Time) (Phone, error) {
	list, err := g.cfg.Inbox.List(ctx, sandbox.Query{Account: account, Key: key, Limit: phoneShows})
	if err != nil {
		return Phone{}, err //nolint:wrapcheck // it says what it was doing
	}
	orders, err := g.cfg.Orders.Of(ctx, account)
	if err != nil {
		return Phone{}, err //nolint:wrapcheck // it says what it was doing
	}
	p := Phone{Key: formatKey(key), Order: orders[key]}
	if found := phonesOf(list, orders, now, 1, phoneShows); len(found) == 1 {
		p = found[0]
	}
	return p, nil
}

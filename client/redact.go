package client

import (
	"fmt"
	"log/slog"
)

// String shows the message without its code and most of the number, which only
// its fields and its JSON tell.
func (m Message) String() string {
	m.To = masked(m.To)
	if m.Code != "" {
		m.Code = "…"
	}
	type shown Message
	return fmt.Sprintf("%+v", shown(m))
}

// GoString is String.
func (m Message) GoString() string { return m.String() }

// LogValue is String.
func (m Message) LogValue() slog.Value { return slog.StringValue(m.String()) }

// String shows the OTP without most of the number, which only its fields and its
// JSON tell.
func (o OTP) String() string {
	o.To = masked(o.To)
	type shown OTP
	return fmt.Sprintf("%+v", shown(o))
}

// GoString is String.
func (o OTP) GoString() string { return o.String() }

// LogValue is String.
func (o OTP) LogValue() slog.Value { return slog.StringValue(o.String()) }

// String shows the filter without most of the number.
func (f Filter) String() string {
	f.To = masked(f.To)
	type shown Filter
	return fmt.Sprintf("%+v", shown(f))
}

// GoString is String.
func (f Filter) GoString() string { return f.String() }

// LogValue is String.
func (f Filter) LogValue() slog.Value { return slog.StringValue(f.String()) }

// masked keeps of a number what tells it from its neighbours: +49…78.
func masked(number string) string {
	switch {
	case number == "":
		return ""
	case len(number) < 10:
		return "…"
	default:
		return number[:3] + "…" + number[len(number)-2:]
	}
}

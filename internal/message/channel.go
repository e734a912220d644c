package message

import "slices"

// Channel is how a code travels. Its text is what facades, stores and events
// show: upper case, without blanks.
type Channel string

// The channels of this server.
const (
	SMS      Channel = "SMS"
	Voice    Channel = "VOICE"
	WhatsApp Channel = "WHATSAPP"
	Viber    Channel = "VIBER"
	Email    Channel = "EMAIL"
)

// Channels returns every channel in a fixed order. The caller owns the slice.
func Channels() []Channel {
	return []Channel{SMS, Voice, WhatsApp, Viber, Email}
}

// Known reports whether c is one of [Channels]; case matters.
func (c Channel) Known() bool {
	return slices.Contains(Channels(), c)
}

package smpp

import "github.com/countersign/countersign/internal/message"

// Channels returns the channels that SMPP carries: SMS.
func (c *Carrier) Channels() []message.Channel { return []message.Channel{message.SMS} }

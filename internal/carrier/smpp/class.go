package smpp

import (
	"fmt"

	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
)

// classes says what a command_status means for a submit or bind; it is read
// only. Config.Statuses goes first.
var classes = map[pdu.Status]delivery.Class{
	0x58: delivery.Retry, 0x14: delivery.Retry, 0x08: delivery.Retry, 0x45: delivery.Retry, 0x64: delivery.Retry,
	0x04: delivery.Retry, 0x67: delivery.Retry, 0xFF: delivery.Retry,

	0x0B: delivery.Permanent, 0x01: delivery.Permanent, 0x50: delivery.Permanent, 0x51: delivery.Permanent,
	0x65: delivery.Permanent, 0x66: delivery.Permanent, 0xFE: delivery.Permanent,

	0x0D: delivery.Config, 0x0E: delivery.Config, 0x0F: delivery.Config, 0x05: delivery.Config, 0x0A: delivery.Config,
	0x48: delivery.Config, 0x49: delivery.Config, 0x15: delivery.Config, 0x53: delivery.Config, 0x59: delivery.Config,
	0x43: delivery.Config, 0x07: delivery.Config, 0x02: delivery.Config, 0x03: delivery.Config, 0x06: delivery.Config,
	0x61: delivery.Config, 0x62: delivery.Config, 0xC0: delivery.Config, 0xC1: delivery.Config, 0xC2: delivery.Config,
	0xC3: delivery.Config, 0xC4: delivery.Config,
}

// classOf returns the class of a status other than OK. What nobody knows is
// Permanent, as the vendors' block 0x400 to 0x4FF is: the plan's next step does
// better than repeating.
func (s *settled) classOf(status pdu.Status) delivery.Class {
	if class, ok := s.statuses[status]; ok {
		return class
	}
	if class, ok := classes[status]; ok {
		return class
	}
	return delivery.Permanent
}

// failureOf returns what is reported of a status.
func failureOf(status pdu.Status) otp.Failure {
	name := status.Name()
	if name == "" {
		name = "a status of its own"
	}
	return failure(status.String(), "The message centre answered %s", name)
}

// aboutSender reports whether a status refuses the sender's address.
func aboutSender(status pdu.Status) bool {
	return status == pdu.InvalidSource || status == pdu.InvalidSrcTON || status == pdu.InvalidSrcNPI
}

// throttles reports whether a status asks to send more slowly.
func throttles(status pdu.Status) bool { return status == pdu.Throttled || status == pdu.QueueFull }

// StatusError is a bind or an unbind that was refused.
type StatusError struct {
	ID     pdu.ID
	Status pdu.Status
}

// Error names the command, the status and what the standard calls it.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%s refused with %s %s", e.ID, e.Status, e.Status.Name())
}

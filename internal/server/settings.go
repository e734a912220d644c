package server

import (
	"slices"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/api/octopush"
)

// AccountSettings returns what operators may choose for an account: the common
// settings, and those of the APIs. The caller owns the slice.
func AccountSettings() account.Settings { return slices.Concat(account.Common(), octopush.Settings()) }

// reserved reports whether the setting of the account is the operator's alone:
// those that bound what the account may do. Its owners could lift their own bounds
// with them. So it is with the sender that requests get instead of their own.
func reserved(a account.Account, key string) bool {
	switch key {
	case "octopush.max_validity_period", "octopush.choose_sender", "octopush.recipient_ip":
		return true
	case "octopush.sender":
		return octopush.Settings().Of(a, "octopush.choose_sender") == "false"
	}
	return false
}

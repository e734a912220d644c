package server

import (
	"slices"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/api/octopush"
)

// AccountSettings returns what operators may choose for an account: the common
// settings, and those of the APIs. The caller owns the slice.
func AccountSettings() account.Settings { return slices.Concat(account.Common(), octopush.Settings()) }

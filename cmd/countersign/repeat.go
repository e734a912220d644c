package main

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/countersign/countersign/internal/account"
)

// What a command says is kept: by terminals, by logs of containers and of CI. So
// an argument that may be a key, a code, a number or an address is not repeated
// where it is not what belongs there.

// keyForm is how an argument begins that is an API key (account.NewKey) or a
// signing secret (callback.NewSecret), perhaps as the value of a flag.
var keyForm = regexp.MustCompile(`^(--[a-z-]+=)?\s*(otp_live_[0-9A-Za-z]{12}_|whsec_[0-9A-Za-z+/]{16})`)

// withoutKeys refuses a key or signing secret among the arguments. No command
// takes one, and it may well be in use.
func withoutKeys(args []string) error {
	for i, arg := range args {
		if !keyForm.MatchString(arg) {
			continue
		}
		what := "an API key, which no command takes; countersign key list prints the ids of keys"
		if strings.Contains(arg, "whsec_") {
			what = "a signing secret, which no command takes; expected the id of its callback configuration"
		}
		return useError{"argument " + strconv.Itoa(i+1) + " is " + what}
	}
	return nil
}

// commandForm is what a mistyped command looks like.
var commandForm = regexp.MustCompile(`^[a-z-]{1,20}$`)

// unexpected is what the parser says of an argument that it stops at, without
// the argument unless that stands where a command belongs and looks like one.
func unexpected(text string, at *kong.Context) string {
	const begins = "unexpected argument "
	rest, ok := strings.CutPrefix(text, begins)
	if !ok {
		before, _, _ := strings.Cut(text, " but got ")
		return before
	}
	arg, _, _ := strings.Cut(rest, ", did you mean ")
	node := at.Selected()
	if (node == nil || !node.Leaf()) && commandForm.MatchString(arg) {
		return text
	}
	text = begins + "…"
	if node != nil {
		taken := at.Command() // such as "check <id>"
		command, _, _ := strings.Cut(taken, " <")
		text += " behind " + taken + "; countersign " + command + " --help says what it takes"
	}
	return text
}

// called names an account in an error. A name that no account can have is left
// out.
func called(name string) string {
	if account.ValidName(name) {
		return "account " + name
	}
	return "the account"
}

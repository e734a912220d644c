package octopush

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/countersign/countersign/internal/account"
)

// required is the value of settingRecipientIP beside ifPresent.
const required = "required"

var senderForm = regexp.MustCompile(`^[A-Za-z0-9]{3,11}$`)

// settings are the account settings of this API: what holds where a request names
// no parameter (Octopush OTP §3), and what operators allow. Never changed.
var settings = account.Settings{
	{
		Key: "octopush.channel", Default: channelSMS, Valid: word(channelSMS, channelVoice),
		Expected: channelSMS + " or " + channelVoice, Meaning: "channel",
	},
	{
		Key: "octopush.text", Default: "", Valid: characters(1, maxText),
		Expected: fmt.Sprintf("1 to %d characters", maxText), Meaning: "text; nothing makes the message the code alone",
	},
	{
		Key: "octopush.sender", Default: "OTP", Valid: senderForm.MatchString,
		Expected: "3 to 11 of a-z, A-Z and 0-9", Meaning: "SMS sender",
	},
	{
		Key: "octopush.code_length", Default: "6", Valid: whole(leastCodeLength, mostCodeLength),
		Expected: wholeNumber(leastCodeLength, mostCodeLength), Meaning: "length of the code",
	},
	{
		Key: "octopush.allow_digits", Default: yes, Valid: word(yes, no),
		Expected: trueOrFalse, Meaning: "0 to 9 in codes",
	},
	{
		Key: "octopush.allow_upper_case", Default: no, Valid: word(yes, no),
		Expected: trueOrFalse, Meaning: "A to Z in codes",
	},
	{
		Key: "octopush.allow_lower_case", Default: no, Valid: word(yes, no),
		Expected: trueOrFalse, Meaning: "a to z in codes",
	},
	{
		Key: "octopush.allow_special_chars", Default: no, Valid: word(yes, no),
		Expected: trueOrFalse, Meaning: "! # $ % & ? @ in codes",
	},
	{
		Key: "octopush.remove_confusing_characters", Default: no, Valid: word(yes, no),
		Expected: trueOrFalse, Meaning: "no 0 O o 1 I l in codes of several kinds of characters",
	},
	{
		Key: "octopush.validity_period", Default: "300", Valid: whole(leastValidity, mostValidity),
		Expected: wholeNumber(leastValidity, mostValidity), Meaning: "lifetime in seconds",
	},
	{
		Key: "octopush.max_wrong_attempts", Default: "3", Valid: whole(leastAttempts, mostAttempts),
		Expected: wholeNumber(leastAttempts, mostAttempts), Meaning: "wrong codes allowed",
	},
	{
		Key: "octopush.voice_language", Default: "en-US", Valid: word(languages...),
		Expected: "one of " + strings.Join(languages, " "), Meaning: "language of voice messages",
	},
	{
		Key: "octopush.voice_gender", Default: female, Valid: word(male, female),
		Expected: male + " or " + female, Meaning: "voice of voice messages",
	},
	{
		Key: settingRecipientIP, Default: required, Valid: word(required, ifPresent),
		Expected: required + " or " + ifPresent, Meaning: "whether a check must repeat the address that the OTP is bound to, or may leave it out",
	},
	{
		Key: settingMaxValidity, Default: strconv.Itoa(mostValidity), Valid: whole(leastValidity, mostValidity),
		Expected: wholeNumber(leastValidity, mostValidity), Meaning: "longest lifetime in seconds; longer ones become this",
	},
	{
		Key: settingChooseSender, Default: yes, Valid: word(yes, no),
		Expected: trueOrFalse, Meaning: "whether requests may choose the SMS sender",
	},
}

// Settings returns the account settings of this API, in the order of the
// documentation. The caller owns the slice.
func Settings() account.Settings { return slices.Clone(settings) }

// settingsOf returns what reads the account's settings of this API.
func settingsOf(a account.Account) func(key string) string {
	return func(key string) string { return settings.Of(a, key) }
}

const trueOrFalse = yes + " or " + no

func word(words ...string) func(string) bool {
	return func(value string) bool { return slices.Contains(words, value) }
}

// characters admits least to most characters of valid UTF-8.
func characters(least, most int) func(string) bool {
	return func(value string) bool {
		n := utf8.RuneCountInString(value)
		return utf8.ValidString(value) && least <= n && n <= most
	}
}

func wholeNumber(least, most int) string {
	return fmt.Sprintf("a whole number from %d to %d", least, most)
}

// whole admits least to most, written as the number is printed.
func whole(least, most int) func(string) bool {
	return func(value string) bool {
		n, err := strconv.Atoi(value)
		return err == nil && strconv.Itoa(n) == value && least <= n && n <= most
	}
}

// Package message knows what a message says and what it costs: channels,
// templates with a place for the code, languages, and the segments that a
// text takes on the air.
//
// It is pure: no I/O, no clock. Which placeholders exist is a matter of the
// facades, which hand their own tokens to [Parse]; who speaks a text and in
// which voice is a matter of the carriers.
package message

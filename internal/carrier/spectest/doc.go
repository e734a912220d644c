// Package spectest sends a carrier's requests through the specification that
// the provider publishes. The specifications are other people's work and not
// part of this module: tests that use them have the build tag "specs" and
// "Specification" in their names, and run as
//
//	make test-specs SPECS=DIR
//
// where DIR holds twilio/twilio_api_v2010.json and so on. What the
// specifications accepted is kept as golden requests beside each carrier, which
// every run of the tests compares.
package spectest

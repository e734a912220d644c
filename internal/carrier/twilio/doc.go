// Package twilio carries SMS, WhatsApp messages and calls over Twilio's REST
// API (2010-04-01), and turns its status callbacks into receipts of package
// delivery.
//
// A submit is one POST. Twilio recognises no repetition, so a submit without an
// answer is Uncertain and never repeated. The dedupe reference travels in the
// status callback's query: receipts of a message whose id was lost with the answer
// are found by it.
//
// # Calls
//
// A call's log at Twilio keeps TwiML that was part of the request. The words are
// therefore fetched when the phone is picked up, from the receipt URL with the
// query "say": it holds them sealed with AES-256-GCM under a key derived from
// the account's token, so that any node answers without having made the call,
// and no URL holds a code. Only a fetch with Twilio's signature is answered.
//
// # Signatures
//
// Status callbacks and fetches carry X-Twilio-Signature: the HMAC-SHA1 of the
// public URL, query included, and of the form's parameters, under the account's
// token. The public URL is configuration and never taken from the Host header.
package twilio

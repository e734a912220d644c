// Package meta carries codes over WhatsApp by Meta's Cloud API: it sends
// authentication templates, takes the status webhooks, and stands behind the
// WhatsApp templates that API accounts submit, list and delete.
//
// A Carrier serves one or more WhatsApp business accounts, each with its
// business numbers. Which of them a message goes through follows from its step:
// AccountRef names the account, Sender the number, Template and Language the
// template. WhatsApp holds the text: only the code travels, once for the body
// and once for the button.
//
// # What a message meets
//
//	submitted ── 200, wamid ──▶ accepted ── webhook sent ─────────▶ (nothing final)
//	    │                          ├─────── webhook delivered, read ▶ delivered
//	    │                          └─────── webhook failed ─────────▶ undeliverable
//	    └── error ──▶ class of its code, see Config.Errors
//
// The Cloud API recognises no repetition, so a submit whose answer was lost is
// Uncertain. The dedupe reference travels as biz_opaque_callback_data for the
// operator's eyes; receipts are matched by the message id, the wamid.
//
// # Templates
//
// What WhatsApp says of a template is asked for when it is needed and not kept.
// What it does not know is kept as notes: how a name was spelled when it was
// submitted, when that was, and that it was deleted. A webhook that takes a
// template out of use is acted upon at once.
package meta

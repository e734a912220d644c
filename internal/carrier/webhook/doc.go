// Package webhook hands messages to the operator's own program: one signed POST
// a message, and receipts by signed POSTs that come back. It serves every
// channel, as what carries the message is the program's matter.
//
// Messages and receipts are signed as Standard Webhooks prescribe, with one
// secret. The reference of a delivery goes along as Idempotency-Key, and a
// receiver must act on it once only.
package webhook

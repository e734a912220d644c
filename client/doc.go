// Package client talks to the version 4 API of a Countersign server, or of any
// server that answers it: it sends one-time passwords, checks what people typed,
// and reads, lists and deletes what was sent.
//
//	c, err := client.New("https://otp.example.com", key)
//	…
//	id, err := c.Send(ctx, client.Message{To: "+4915112345678", Profile: "login", Priority: "sms-then-voice"})
//	…
//	status, err := c.Validate(ctx, id, typed)
//	if err == nil && status == client.Verified { … }
//
// A verdict is a result, not an error: a wrong code is WrongCode and no error.
// Errors are *Error for what the server refused, and whatever the connection
// ended with otherwise. Some of them leave open whether the request was carried
// out; one with an idempotency key can be repeated all the same:
//
//	verdict, err := c.Validate(ctx, id, typed, client.WithIdempotencyKey(key))
//
// Messages, OTPs and filters print without codes and numbers.
package client

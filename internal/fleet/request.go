package fleet

import (
	"github.com/countersign/countersign/internal/carrier/request"
	"github.com/countersign/countersign/internal/config"
)

func readRequest(r *config.Reader, name string) request.Config {
	c := request.Config{Name: name}
	r.Channels("channels", &c.Channels)
	r.Text("method", &c.Method)
	r.Text("url", &c.URL)
	r.TextMap("headers", &c.Headers)
	r.Text("content_type", &c.ContentType)
	r.Text("body", &c.Body)
	readSecrets(r, "secrets", &c.Secrets)
	r.TextMap("encodings", &c.Encodings)
	r.Text("sender", &c.Sender)
	r.Bool("include_code", &c.IncludeCode)
	r.Bool("allow_code_in_url", &c.CodeInURL)
	r.Bool("deduplicates", &c.Deduplicates)
	readCredentials(r, &c.Credentials)
	r.Ints("success_status", &c.SuccessStatus)
	r.Text("answer", &c.Answer)
	r.Text("success_pointer", &c.SuccessPointer)
	r.Texts("success_values", &c.SuccessValues)
	r.Text("ref_pointer", &c.RefPointer)
	r.Text("error_pointer", &c.ErrorPointer)
	r.Texts("retry_values", &c.RetryValues)
	r.Texts("permanent_values", &c.PermanentValues)
	r.Texts("config_values", &c.ConfigValues)
	r.Text("receipt_id", &c.ReceiptID)
	r.Text("receipt_ref", &c.ReceiptRef)
	r.Text("receipt_status", &c.ReceiptStatus)
	r.Text("receipt_reason", &c.ReceiptReason)
	r.Texts("receipt_dispatched", &c.Dispatched)
	r.Texts("receipt_delivered", &c.Delivered)
	r.Texts("receipt_undeliverable", &c.Undeliverable)
	r.Texts("receipt_timed_out", &c.TimedOut)
	r.Text("check_url", &c.CheckURL)
	r.Text("tls_ca_file", &c.CAFile)
	r.Text("tls_cert_file", &c.CertFile)
	r.Text("tls_key_file", &c.KeyFile)
	r.Bool("allow_private", &c.AllowPrivate)
	r.Bool("allow_plaintext", &c.AllowPlaintext)
	r.Duration("timeout", &c.Timeout)
	return c
}

func openRequest(c request.Config, e env) (*request.Carrier, error) {
	return request.New(c, request.Deps{ //nolint:wrapcheck // its caller finds the key
		Receive: e.receive, Log: e.log, Now: e.now, ReceiptURL: e.receiptURL, Version: e.version, Flights: &e.memory.flights,
	})
}

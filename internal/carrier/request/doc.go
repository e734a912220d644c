// Package request hands messages to HTTP gateways that the operator describes:
// one request a message, written from templates for URL, headers and body, an
// answer that pointers find their way in, and receipts whose fields have names
// of the operator's choice. It holds no knowledge of any provider.
//
// A placeholder's value is escaped for where it stands - in a path, a query, a
// form, a JSON string, a header - and what it holds is never searched for
// placeholders. Templates that could not be sent are refused when the
// configuration is read.
package request

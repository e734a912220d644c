// Package catalog holds what accounts configure: message templates, profiles,
// priorities, callback configurations, the WhatsApp configuration and
// applications. Names are unique within an account where a type says so, and
// nothing ever crosses accounts.
//
// An OTP that was sent keeps its own copy of what it needs; changing or
// deleting anything here touches later sends only.
package catalog

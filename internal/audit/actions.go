package audit

// Changes to what an account configures (P-07). The subject is an id, a channel
// and an id, or the names of settings; never a value.
const (
	ActionTemplateCreate = "template.create"
	ActionTemplateChange = "template.change"
	ActionTemplateDelete = "template.delete"

	ActionWhatsAppAccount = "whatsapp.account"         // the account's WhatsApp account was named
	ActionWhatsAppSubmit  = "whatsapp.template.submit" // subject: the template's name and language
	ActionWhatsAppDelete  = "whatsapp.template.delete" // subject: the template's name

	ActionProfileCreate  = "profile.create"
	ActionProfileChange  = "profile.change"
	ActionProfileDelete  = "profile.delete"
	ActionPriorityCreate = "priority.create"
	ActionPriorityChange = "priority.change"
	ActionPriorityDelete = "priority.delete"

	ActionApplicationCreate = "application.create"
	ActionApplicationChange = "application.change"
	ActionApplicationDelete = "application.delete"

	ActionCallbackCreate    = "callback.create"
	ActionCallbackChange    = "callback.change"
	ActionCallbackDelete    = "callback.delete"
	ActionCallbackTest      = "callback.test"       // a test event was sent
	ActionCallbackReplay    = "callback.replay"     // subject: the configuration and the callback
	ActionCallbackReplayAll = "callback.replay_all" // subject: the configuration
	ActionCallbackRotate    = "callback.rotate"     // a new signing secret

	ActionKeyCreate = "key.create"
	ActionKeyRevoke = "key.revoke"
	ActionSettings  = "account.set" // subject: the settings' names

	// ActionNotDone follows an entry whose change was refused or failed after it
	// was written down; the subject repeats the entry's action and subject.
	ActionNotDone = "not_done"
)

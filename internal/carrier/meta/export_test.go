package meta

import "github.com/countersign/countersign/internal/catalog"

// ReadWebhook reads a webhook for the fuzzer and returns how many statuses it
// has.
func ReadWebhook(raw []byte) (statuses int, err error) {
	hook, err := readWebhook(raw)
	for _, e := range hook.Entry {
		for _, c := range e.Changes {
			statuses += len(c.messages.Statuses)
		}
	}
	return statuses, err
}

// Listed is a template as WhatsApp lists it.
type Listed listed

// Template returns it in our words.
func (l Listed) Template() catalog.WhatsAppTemplate { return listed(l).template() }

// MessageID reads an answer to a message.
func MessageID(body []byte) string { return messageID(body) }

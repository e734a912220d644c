package meta

import (
	"time"

	"github.com/countersign/countersign/internal/catalog"
)

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

// MaxRemembered is how many keys a Memory holds.
const MaxRemembered = maxRemembered

// Memory is what a carrier remembers.
type Memory struct{ of memory[int] }

// Add remembers a key.
func (m *Memory) Add(key int, now time.Time, life time.Duration) { m.of.add(key, now, life) }

// Has reports whether a key is remembered.
func (m *Memory) Has(key int, now time.Time) bool { return m.of.has(key, now) }

// MaxReceipts is how many receipts are being recorded at a time.
const MaxReceipts = maxReceipts

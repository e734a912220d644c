package fleet

import (
	"errors"

	"github.com/countersign/countersign/internal/carrier/setting"
)

// kinds are the types of carriers that [[carrier]] knows, by the word for each.
func kinds() map[string]kind {
	return map[string]kind{
		"smpp":    kindOf(readSMPP, openSMPP),
		"twilio":  kindOf(readTwilio, openTwilio),
		"meta":    kindOf(readMeta, openMeta),
		"webhook": kindOf(readWebhook, openWebhook),
		"kannel":  kindOf(readKannel, openKannel),
		"request": kindOf(readRequest, openRequest),
	}
}

// key finds the key that an error of a carrier's package is about, and what is
// wrong with it; nil if it is about none.
func key(err error) (string, error) {
	if e, ok := errors.AsType[*setting.KeyError](err); ok {
		return e.Key, e.Err
	}
	return "", nil
}

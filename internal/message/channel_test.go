package message_test

import (
	"testing"

	"github.com/countersign/countersign/internal/message"
)

func TestEveryChannelIsKnownAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, c := range message.Channels() {
		if !c.Known() {
			t.Errorf("%q.Known() = false, want true", c)
		}
	}
	if got := len(message.Channels()); got != 5 {
		t.Errorf("%d channels, want 5", got)
	}
	for _, c := range []message.Channel{"", "sms", "Voice", "FAX", "SMS "} {
		if c.Known() {
			t.Errorf("%q.Known() = true, want false", c)
		}
	}
}

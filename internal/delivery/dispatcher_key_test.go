package delivery_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
)

func TestADeliveryWaitsForANodeThatHasItsKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, start := newMemory(), time.Now()
		c, pbx := accepting("c1"), accepting("pbx")
		settings := config(m, routes{message.SMS: {c}, message.Voice: {pbx}})
		open := settings.Open
		settings.Open = func(account, id string, sealed []byte) (otp.Code, error) {
			if id == "late" && time.Since(start) < 10*time.Second || id == "never" {
				return otp.Code{}, fmt.Errorf("open: %w", delivery.ErrKeyUnknown)
			}
			return open(account, id, sealed)
		}
		d, stop := run(t, settings)
		m.send("late", someone(t), 4*time.Minute, sms())
		m.send("never", someone(t), 4*time.Minute, sms(), voice())
		d.Wake()
		time.Sleep(10 * time.Minute)
		if at := c.times(start); len(at) != 1 || at[0] < 10*time.Second || at[0] > 12*time.Second {
			t.Errorf("messages after %v; want one, soon after 10 s", at)
		}
		want := []string{"SMS DISPATCHED", "SMS UNDELIVERABLE internal::500", "VOICE UNDELIVERABLE internal::500", "SMS TIMED_OUT"}
		if diff := cmp.Diff(want, m.told()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

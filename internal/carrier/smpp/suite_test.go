package smpp_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/carriertest"
	"github.com/countersign/countersign/internal/carrier/smpp"
	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
)

func TestSMPPIsACarrier(t *testing.T) {
	t.Parallel()
	carriertest.Run(t, func(t testing.TB, d carriertest.Deps) carriertest.Rig {
		s := newSMSC()
		var mu sync.Mutex
		var script []carriertest.Answer
		s.handle(pdu.SubmitSM, func(p *peer, q pdu.PDU) {
			mu.Lock()
			next := carriertest.Accept
			if len(script) > 0 {
				next, script = script[0], script[1:]
			}
			mu.Unlock()
			play(p, q, next)
		})
		rig := rigOf(t, s, d)
		rig.Script = func(answers ...carriertest.Answer) {
			mu.Lock()
			defer mu.Unlock()
			script = answers
		}
		return rig
	})
}

func play(p *peer, q pdu.PDU, a carriertest.Answer) {
	switch a {
	case carriertest.Accept:
		plain(p, q)
	case carriertest.Refuse:
		refuses(pdu.InvalidDest)(p, q)
	case carriertest.Misfit:
		refuses(pdu.InvalidSource)(p, q)
	case carriertest.Throttle:
		refuses(pdu.Throttled)(p, q)
	case carriertest.Broken:
		refuses(pdu.SystemError)(p, q)
	case carriertest.Silence:
	}
}

func rigOf(t testing.TB, s *smsc, d carriertest.Deps) carriertest.Rig {
	t.Helper()
	c, err := smpp.New(config(), smpp.Deps{Receive: d.Receive, Log: d.Log, Now: time.Now, Dial: s.dial})
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, c)
	decided(t, c)
	return carriertest.Rig{
		Carrier:    c,
		Stop:       stop,
		References: func() []string { return references(s) },
		Receipt: func(t testing.TB, ref string, news carriertest.News) carriertest.Verdict {
			t.Helper()
			return verdict(s.report(t, ref, statOf(news)))
		},
		Restart: func(t testing.TB, d carriertest.Deps) carriertest.Rig {
			t.Helper()
			s.drop()
			stop()
			s.drop()
			return rigOf(t, s, d)
		},
		Lacks: map[string]string{
			"Forge":   "receipts come over the bind, which the password opened",
			"Intrude": "receipts come over the bind and have no URL",
			"Rotate":  "receipts are not signed",
		},
	}
}

// verdict is what an answer to a receipt says.
func verdict(status pdu.Status) carriertest.Verdict {
	if status == pdu.OK {
		return carriertest.Taken
	}
	if status == pdu.TemporaryError {
		return carriertest.Again
	}
	return carriertest.Refused
}

// statOf returns the state of a receipt that has news.
func statOf(news carriertest.News) string {
	switch news {
	case carriertest.Arrived:
		return "DELIVRD"
	case carriertest.Failed:
		return "UNDELIV"
	case carriertest.Underway:
	}
	return "ENROUTE"
}

// references returns the user_message_reference of all submits.
func references(s *smsc) []string {
	var refs []string
	for _, m := range s.seen() {
		v, _ := pdu.Find(m.TLVs, pdu.UserMessageReference)
		refs = append(refs, hex.EncodeToString(v))
	}
	return refs
}

func TestACheckBindsAndUnbindsAndSendsNothing(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"transceiver", "pair"} {
		s := newSMSC()
		cfg := config()
		cfg.Mode = mode
		c, err := smpp.New(cfg, smpp.Deps{Receive: newDesk().receive, Log: discard(), Now: time.Now, Dial: s.dial})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		if err := c.Check(ctx); err != nil {
			t.Errorf("%s: Check = %v; want nil", mode, err)
		}
		if got := len(s.seen()); got != 0 {
			t.Errorf("%s: %d messages were sent; want none", mode, got)
		}
		s.handle(pdu.BindTransceiver, refuses(pdu.InvalidPassword))
		s.handle(pdu.BindReceiver, refuses(pdu.InvalidPassword))
		want := fmt.Sprintf("127.0.0.1:2775: bind_%s refused with 0x0e RINVPASWD", map[string]string{"pair": "receiver", "transceiver": mode}[mode])
		if err := c.Check(ctx); err == nil || err.Error() != want {
			t.Errorf("%s: Check = %v; want %s", mode, err, want)
		}
	}
}

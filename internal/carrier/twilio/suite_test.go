package twilio_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/carriertest"
	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/carrier/twilio"
)

func TestTwilioIsACarrier(t *testing.T) {
	t.Parallel()
	carriertest.Run(t, func(t testing.TB, d carriertest.Deps) carriertest.Rig {
		return rig(t, newUpstream(t), token, d)
	})
}

// rig is a carrier with a token at a double of Twilio.
func rig(t testing.TB, u *upstream, token string, d carriertest.Deps) carriertest.Rig {
	t.Helper()
	cfg := config()
	cfg.AuthToken = setting.NewSecret(token)
	c, err := twilio.New(cfg, twilio.Deps{
		Receive: d.Receive, Log: d.Log, Now: time.Now, HTTP: httpsubmit.Options{Dial: u.dial}, ReceiptURL: publicURL,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Run(ctx)
	}()
	stop := func() {
		cancel()
		<-ended
	}
	t.Cleanup(stop)
	send := func(t testing.TB, ref string, news carriertest.News, signed, asked string) carriertest.Verdict {
		t.Helper()
		form := url.Values{"MessageSid": {ref}, "AccountSid": {account}, "To": {recipient}, "From": {cfg.From}, "ApiVersion": {"2010-04-01"}}
		form.Set("MessageStatus", map[carriertest.News]string{
			carriertest.Arrived: "delivered", carriertest.Failed: "undelivered", carriertest.Underway: "sent",
		}[news])
		if news == carriertest.Failed {
			form.Set("ErrorCode", "30005")
		}
		query := "?d=" + dedupe
		return verdict(t, post(t, c, call{target: asked + query, body: form.Encode(), signature: sign(signed, publicURL+query, form)}).Code)
	}
	return carriertest.Rig{
		Carrier: c,
		Stop:    stop,
		Script: func(answers ...carriertest.Answer) {
			var script []answer
			for _, a := range answers {
				script = append(script, map[carriertest.Answer]answer{
					carriertest.Accept:   {},
					carriertest.Refuse:   refusal(http.StatusBadRequest, 21211),
					carriertest.Misfit:   refusal(http.StatusBadRequest, 21606),
					carriertest.Throttle: refusal(http.StatusTooManyRequests, 20429),
					carriertest.Broken:   refusal(http.StatusServiceUnavailable, 20503),
					carriertest.Silence:  {silent: true},
				}[a])
			}
			u.script(script...)
		},
		References: func() (refs []string) {
			for _, r := range u.requests() {
				callback, err := url.Parse(r.form.Get("StatusCallback"))
				if err != nil {
					t.Error(err)
					continue
				}
				refs = append(refs, callback.Query().Get("d"))
			}
			return refs
		},
		Receipt: func(t testing.TB, ref string, news carriertest.News) carriertest.Verdict {
			t.Helper()
			return send(t, ref, news, token, publicURL)
		},
		Restart: func(t testing.TB, d carriertest.Deps) carriertest.Rig {
			t.Helper()
			stop()
			return rig(t, u, token, d)
		},
		Forge: func(t testing.TB, ref string) carriertest.Verdict {
			t.Helper()
			return send(t, ref, carriertest.Arrived, "0123456789abcdef0123456789abcdef", publicURL)
		},
		Intrude: func(t testing.TB, ref string) carriertest.Verdict {
			t.Helper()
			return send(t, ref, carriertest.Arrived, token, "https://otp.example.com/carriers/twilio/receipts/another")
		},
		Rotate: func(t testing.TB, ref string) (renewed, outdated carriertest.Verdict) {
			t.Helper()
			stop()
			const fresh = "f1e1df1e1df1e1df1e1df1e1df1e1df1"
			r := rig(t, u, fresh, d)
			c = r.Carrier.(*twilio.Carrier)
			return send(t, ref, carriertest.Arrived, fresh, publicURL), send(t, ref, carriertest.Failed, token, publicURL)
		},
	}
}

func verdict(t testing.TB, status int) carriertest.Verdict {
	t.Helper()
	switch status {
	case http.StatusOK:
		return carriertest.Taken
	case http.StatusServiceUnavailable:
		return carriertest.Again
	case http.StatusForbidden:
		return carriertest.Refused
	}
	t.Errorf("a callback was answered with %d; want 200, 403 or 503", status)
	return 0
}

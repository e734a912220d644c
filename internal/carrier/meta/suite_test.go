package meta_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/carriertest"
	"github.com/countersign/countersign/internal/carrier/meta"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/delivery"
)

func TestTheCloudAPIIsACarrier(t *testing.T) {
	t.Parallel()
	carriertest.Run(t, func(t testing.TB, d carriertest.Deps) carriertest.Rig {
		t.Helper()
		return rigOf(t, newGraph(t), d)
	})
}

// dressed sends the suite's messages with a template.
type dressed struct{ *meta.Carrier }

func (c dressed) Submit(ctx context.Context, m delivery.Message) delivery.Result {
	m.Step = whatsAppStep()
	return c.Carrier.Submit(ctx, m)
}

func replyTo(a carriertest.Answer) reply {
	switch a {
	case carriertest.Accept:
	case carriertest.Refuse:
		return refusal(http.StatusBadRequest, 131026, 0)
	case carriertest.Misfit:
		return refusal(http.StatusUnauthorized, 190, 463)
	case carriertest.Throttle:
		return refusal(http.StatusBadRequest, 130429, 0)
	case carriertest.Broken:
		return refusal(http.StatusInternalServerError, 131000, 0)
	case carriertest.Silence:
		return reply{silent: true}
	}
	return reply{}
}

func rigOf(t testing.TB, g *graph, d carriertest.Deps) carriertest.Rig {
	t.Helper()
	begin := func(secret string) (*meta.Carrier, func(), string) {
		cfg := config(g)
		cfg.AppSecret = setting.NewSecret(secret)
		c, err := meta.New(cfg, meta.Deps{Receive: d.Receive, Log: d.Log, Now: time.Now})
		noError(t, err)
		stop := run(c)
		ours := httptest.NewServer(c.Receipts())
		t.Cleanup(ours.Close)
		t.Cleanup(stop)
		return c, stop, ours.URL
	}
	c, stop, url := begin(appSecret)
	return carriertest.Rig{
		Carrier: dressed{c},
		Stop:    stop,
		Script: func(answers ...carriertest.Answer) {
			for _, a := range answers {
				g.answer(replyTo(a))
			}
		},
		References: func() []string { return references(t, g) },
		Receipt: func(t testing.TB, ref string, news carriertest.News) carriertest.Verdict {
			t.Helper()
			return verdict(post(t, url, signed(appSecret, statusOf(ref, wordOf(news)))))
		},
		Restart: func(t testing.TB, d carriertest.Deps) carriertest.Rig {
			t.Helper()
			stop()
			return rigOf(t, g, d)
		},
		Forge: func(t testing.TB, ref string) carriertest.Verdict {
			t.Helper()
			return verdict(post(t, url, signed("another secret", statusOf(ref, "delivered"))))
		},
		Rotate: func(t testing.TB, ref string) (renewed, outdated carriertest.Verdict) {
			t.Helper()
			stop()
			_, _, url := begin("a new secret")
			return verdict(post(t, url, signed("a new secret", statusOf(ref, "delivered")))),
				verdict(post(t, url, signed(appSecret, statusOf(ref, "failed"))))
		},
		Lacks: map[string]string{"Intrude": "who serves the URL checks the token before the carrier sees a request"},
	}
}

func wordOf(news carriertest.News) string {
	switch news {
	case carriertest.Arrived:
		return "delivered"
	case carriertest.Failed:
		return "failed"
	case carriertest.Underway:
	}
	return "sent"
}

func verdict(status int) carriertest.Verdict {
	switch status {
	case http.StatusOK:
		return carriertest.Taken
	case http.StatusServiceUnavailable:
		return carriertest.Again
	case http.StatusUnauthorized, http.StatusForbidden:
		return carriertest.Refused
	}
	return 0
}

// references returns the callback data of all messages.
func references(t testing.TB, g *graph) []string {
	t.Helper()
	var refs []string
	for _, a := range g.requests(http.MethodPost) {
		var sent struct {
			Data string `json:"biz_opaque_callback_data"`
		}
		if err := json.Unmarshal([]byte(a.body), &sent); err != nil {
			t.Errorf("read %s: %v", a.body, err)
		}
		refs = append(refs, sent.Data)
	}
	return refs
}

// statusOf is a webhook with the status of one message.
func statusOf(ref, word string) string {
	trouble := ""
	if word == "failed" {
		trouble = `,"errors":[{"code":131049,"title":"Not delivered","message":"to 491712345678","error_data":{"details":"x"}}]`
	}
	return hook("messages", fmt.Sprintf(
		`{"messaging_product":"whatsapp","metadata":{"display_phone_number":"%s","phone_number_id":"%s"},`+
			`"statuses":[{"id":"%s","status":"%s","timestamp":"1777887000","recipient_id":"491712345678","biz_opaque_callback_data":"d"%s}]}`,
		business, phoneID, ref, word, trouble))
}

// hook is a webhook with one change.
func hook(field, value string) string {
	return fmt.Sprintf(`{"object":"whatsapp_business_account","entry":[{"id":"%s","changes":[{"field":"%s","value":%s}]}]}`, waba, field, value)
}

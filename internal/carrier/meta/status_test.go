package meta_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/meta"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

// told is a webhook with news of the template that the tests send.
func told(event string) letter {
	return signed(appSecret, hook("message_template_status_update", fmt.Sprintf(
		`{"event":"%s","message_template_id":594425479261596,"message_template_name":"login_wa","message_template_language":"en_US",`+
			`"message_template_category":"AUTHENTICATION","reason":"NONE","other_info":{"title":"FIRST_PAUSE"}}`, event)))
}

func TestATemplateThatIsTakenOutOfUseIsNotSentAnyMore(t *testing.T) {
	t.Parallel()
	g, d, at := newGraph(t), newDesk(), newClock()
	deps := d.deps()
	deps.Now = at.Now
	c := open(t, config(g), deps)
	ours := httptest.NewServer(c.Receipts())
	t.Cleanup(ours.Close)
	sent := func() delivery.Result {
		return c.Submit(t.Context(), text(t, func(m *delivery.Message) { m.Expires = at.Now().Add(time.Minute) }))
	}
	for _, event := range []string{"PAUSED", "DISABLED", "REJECTED", "PENDING_DELETION", "DELETED", "ARCHIVED", "paused"} {
		if got := post(t, ours.URL, told(event)); got != http.StatusOK {
			t.Fatalf("%s: status %d; want 200", event, got)
		}
		before := len(g.requests(""))
		if r := sent(); r.Class != delivery.Config || r.Failure.Code != "template" || len(g.requests("")) != before {
			t.Errorf("after %s Submit = %+v; want Config without a request", event, r)
		}
		for _, harmless := range []string{"FLAGGED", "PENDING", "IN_APPEAL"} {
			post(t, ours.URL, told(harmless))
		}
		if r := sent(); r.Class != delivery.Config {
			t.Errorf("after %s and others Submit = %+v; want Config still", event, r)
		}
		post(t, ours.URL, told("APPROVED"))
		if r := sent(); r.Class != delivery.Accepted {
			t.Errorf("after APPROVED Submit = %+v; want Accepted", r)
		}
	}
	d.mu.Lock()
	if len(d.changed) != 2*7*5 {
		t.Errorf("told of changes %d times; want account and reference for each news", len(d.changed))
	}
	for i, c := range d.changed {
		want := catalog.WhatsAppChange{AccountRef: []string{waba, ref}[i%2], Template: "login_wa", Language: "en_US", Gone: i%10 < 2}
		if c != want {
			t.Errorf("change %d: told of %+v; want %+v", i, c, want)
		}
	}
	d.mu.Unlock()

	post(t, ours.URL, told("PAUSED"))
	at.pass(5 * time.Minute)
	if r := sent(); r.Class != delivery.Accepted {
		t.Errorf("five minutes later Submit = %+v; want it tried", r)
	}
}

func TestAPollFindsThatATemplateIsBack(t *testing.T) {
	t.Parallel()
	h := newHolder(t)
	h.submit(t, copyCodeTemplate())
	h.answer(refusal(http.StatusBadRequest, 132015, 0))
	lasting := func(m *delivery.Message) { m.Expires = h.at.Now().Add(time.Minute) }
	for _, code := range []string{"132015", "template"} {
		if r := h.Submit(t.Context(), text(t, lasting)); r.Class != delivery.Config || r.Failure.Code != code {
			t.Errorf("Submit = %+v; want Config, %s", r, code)
		}
	}
	h.review("PAUSED")
	h.templates(t)
	if r := h.Submit(t.Context(), text(t, lasting)); r.Class != delivery.Config {
		t.Errorf("Submit while PAUSED is listed = %+v; want Config", r)
	}
	h.review("APPROVED")
	h.at.pass(time.Minute)
	h.templates(t)
	if r := h.Submit(t.Context(), text(t, lasting)); r.Class != delivery.Accepted {
		t.Errorf("Submit once APPROVED is listed = %+v; want Accepted", r)
	}
	noError(t, h.DeleteWhatsAppTemplate(t.Context(), "acme", ref, "Login_WA"))
	h.templates(t)
	if r := h.Submit(t.Context(), text(t, lasting)); r.Class != delivery.Config {
		t.Errorf("Submit after the deletion = %+v; want Config", r)
	}
}

func TestAListThatLagsDoesNotBringATemplateBack(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*testing.T, holder, string){
		"a webhook": func(t *testing.T, _ holder, url string) {
			t.Helper()
			post(t, url, told("PAUSED"))
		},
		"132001": spoiltByAnswer(132001),
		"132015": spoiltByAnswer(132015),
		"132016": spoiltByAnswer(132016),
	} {
		h := newHolder(t)
		ours := httptest.NewServer(h.Receipts())
		t.Cleanup(ours.Close)
		h.submit(t, copyCodeTemplate())
		h.review("APPROVED")
		spoil(t, h, ours.URL)
		h.templates(t)
		if r := h.send(t); r.Class != delivery.Config || r.Failure.Code != "template" {
			t.Errorf("%s: Submit after a list at once = %+v; want Config, template", name, r)
		}
		h.at.pass(time.Minute - 1)
		h.templates(t)
		if r := h.send(t); r.Class != delivery.Config || r.Failure.Code != "template" {
			t.Errorf("%s: Submit after a list within the minute = %+v; want Config, template", name, r)
		}
		h.at.pass(1)
		if r := h.send(t); r.Class != delivery.Config {
			t.Errorf("%s: Submit after the minute without a list = %+v; want Config", name, r)
		}
		h.templates(t)
		if r := h.send(t); r.Class != delivery.Accepted {
			t.Errorf("%s: Submit after a list a minute later = %+v; want Accepted", name, r)
		}
		spoil(t, h, ours.URL)
		post(t, ours.URL, told("APPROVED"))
		if r := h.send(t); r.Class != delivery.Accepted {
			t.Errorf("%s: Submit after a webhook that says APPROVED = %+v; want Accepted", name, r)
		}
	}
}

// spoiltByAnswer has a message refused with an error code.
func spoiltByAnswer(code int) func(*testing.T, holder, string) {
	return func(t *testing.T, h holder, _ string) {
		t.Helper()
		h.answer(refusal(http.StatusBadRequest, code, 0))
		if r := h.send(t); r.Class != delivery.Config || r.Failure.Code != strconv.Itoa(code) {
			t.Errorf("Submit = %+v; want Config, %d", r, code)
		}
	}
}

// send hands over a message that lasts a minute by the holder's clock.
func (h holder) send(t testing.TB) delivery.Result {
	t.Helper()
	return h.Submit(t.Context(), text(t, func(m *delivery.Message) { m.Expires = h.at.Now().Add(time.Minute) }))
}

func TestAFailureThatComesLaterIsLearntFrom(t *testing.T) {
	t.Parallel()
	g, d := newGraph(t), newDesk()
	c := open(t, config(g), d.deps())
	ours := httptest.NewServer(c.Receipts())
	t.Cleanup(ours.Close)
	later := func(code int) {
		post(t, ours.URL, signed(appSecret, hook("messages", fmt.Sprintf(
			`{"metadata":{"phone_number_id":"%s"},"statuses":[{"id":"wamid.1","status":"failed","recipient_id":"491712345678","errors":[{"code":%d}]}]}`, phoneID, code))))
	}
	later(131042)
	if r := c.Submit(t.Context(), text(t)); r.Class != delivery.Accepted || d.noticed(meta.OperatorTrouble) != 1 {
		t.Errorf("Submit = %+v, %d troubles; want Accepted and one", r, d.noticed(meta.OperatorTrouble))
	}
	later(131026)
	if r := c.Submit(t.Context(), text(t)); r.Class != delivery.Permanent || r.Failure.Code != "131026" {
		t.Errorf("Submit = %+v; want Permanent, as the person is not on WhatsApp", r)
	}
	later(131048)
	if r := c.Submit(t.Context(), text(t, func(m *delivery.Message) { m.Recipient = recipient(t, "+491712345679") })); r.Class != delivery.Config {
		t.Errorf("Submit = %+v; want Config, as the number rests", r)
	}
}

func TestThePlanAsksAgainOnceATemplateChanged(t *testing.T) {
	t.Parallel()
	g := newGraph(t)
	entries := catalog.New(catalog.Config{Now: time.Now})
	d := newDesk().deps()
	d.Changed = entries.WhatsAppChanged
	c := open(t, config(g), d)
	ours := httptest.NewServer(c.Receipts())
	t.Cleanup(ours.Close)
	noError(t, c.SubmitWhatsAppTemplate(t.Context(), "acme", ref, copyCodeTemplate()))
	g.review("APPROVED")
	usable := func(ctx context.Context) int {
		set, err := entries.ApprovedWhatsApp(ctx, c, "acme", "289A1C20-06c5-4964-b32d-24d214a78ae5")
		noError(t, err)
		if _, ok := set[catalog.Link{Channel: message.WhatsApp, Template: "Login_WA", Language: "en_US"}]; len(set) == 1 && !ok {
			t.Errorf("approved: %v; want the name as it was submitted", set)
		}
		return len(set)
	}
	if got := usable(t.Context()); got != 1 {
		t.Fatalf("%d templates can be sent; want 1", got)
	}
	g.review("PAUSED")
	if got := usable(t.Context()); got != 1 {
		t.Errorf("%d templates can be sent; want 1, as is remembered", got)
	}
	post(t, ours.URL, told("PAUSED"))
	if got := usable(t.Context()); got != 0 {
		t.Errorf("%d templates can be sent after the webhook; want none", got)
	}
}

func TestAFailureOfNoMessageOfOursTeachesNothing(t *testing.T) {
	t.Parallel()
	g, d := newGraph(t), newDesk()
	c := open(t, config(g), d.deps())
	ours := httptest.NewServer(c.Receipts())
	t.Cleanup(ours.Close)
	for _, code := range []int{131026, 131048, 131042} {
		post(t, ours.URL, signed(appSecret, hook("messages", fmt.Sprintf(
			`{"metadata":{"phone_number_id":"%s"},"statuses":[{"id":"wamid.unknown","status":"failed","recipient_id":"491712345678","errors":[{"code":%d}]}]}`, phoneID, code))))
	}
	if r := c.Submit(t.Context(), text(t)); r.Class != delivery.Accepted || d.noticed(meta.OperatorTrouble) != 0 {
		t.Errorf("Submit = %+v, %d troubles; want Accepted and none", r, d.noticed(meta.OperatorTrouble))
	}
}

package tyntecv4_test

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/countersign/countersign/internal/guard"
)

// sendExamples are those under "Send".
func sendExamples() []example {
	refused := func(with, field string) func(h *harness) {
		return func(h *harness) {
			h.send(with).cv(field)
			h.nothingSent()
		}
	}
	return []example{
		{14, "a generated code", func(h *harness) {
			id := h.accepted("")
			if !uuidForm.MatchString(id) {
				h.t.Errorf("id %q is no UUID", id)
			}
			h.texts(`^ACME code \d{6}, valid 3 min\.$`)
			equal(h.t, "recipient", h.sms.messages()[0].Recipient.Reveal(), number)
		}},
		{15, "a wanted language", func(h *harness) {
			id := h.accepted(`{"languageCode":"de"}`)
			h.texts(`^ACME-Code \d{6}$`)
			equal(h.t, "life", h.life(id), 5*time.Minute)
		}},
		{16, "a language that is not there", func(h *harness) {
			h.accepted(`{"languageCode":"fr"}`)
			h.texts(`^ACME code \d{6}, valid 3 min\.$`)
		}},
		{17, "an unknown language", refused(`{"languageCode":"EN"}`, "languageCode")},
		{18, "a supplied code", func(h *harness) {
			h.accepted(`{"otpCode":"1abc3r"}`)
			h.texts(`^ACME code 1abc3r, `)
		}},
		{19, "a supplied code with a capital", func(h *harness) {
			h.send(`{"otpCode":"1Abc3r"}`).cv("otpCode").says(`must match \"^[^A-Z]*$\"`)
			h.nothingSent()
		}},
		{20, "a supplied code that is too short", refused(`{"otpCode":"123"}`, "otpCode")},
		{21, "a supplied code that is too long", refused(`{"otpCode":"123456789012"}`, "otpCode")},
		{22, "a supplied code with other characters", func(h *harness) {
			h.accepted(`{"otpCode":"12-34 56"}`)
			h.texts(`^ACME code 12-34 56, `)
		}},
		{23, "a supplied code as a number", func(h *harness) {
			h.accepted(`{"otpCode":483920}`, asLenient())
			h.texts(`^ACME code 483920, `)
		}},
		{24, "a code that is null", func(h *harness) {
			h.accepted(`{"otpCode":null}`, asLenient())
			h.texts(`^ACME code \d{6}, `)
		}},
		{25, "nothing given", func(h *harness) {
			r := h.post("/otp", `{}`).cv("priorityName", "profileName", "to")
			equal(h.t, "violations", r.object()["violations"], any([]any{
				map[string]any{"field": "priorityName", "message": "must not be blank"},
				map[string]any{"field": "profileName", "message": "must not be blank"},
				map[string]any{"field": "to", "message": "must not be blank"},
			}))
		}},
		{26, "an unknown profile", refused(`{"profileName":"ghost"}`, "profileName")},
		{27, "an unknown profile and priority", func(h *harness) {
			h.send(`{"profileName":"ghost","priorityName":"ghost"}`).cv("priorityName", "profileName").says("does not exist")
		}},
		{28, "no template for the channel", refused(`{"priorityName":"viber-only"}`, "priorityName")},
		{29, "names are case-sensitive", refused(`{"profileName":"LOGIN"}`, "profileName")},
		{30, "a number with separators", recipient(`{"to":"0049 151 1234-5678"}`)},
		{31, "a number without plus", recipient(`{"to":"4915112345678"}`)},
		{32, "a number with letters", refused(`{"to":"+49abc"}`, "to")},
		{33, "a number that is too short", refused(`{"to":"+12345"}`, "to")},
		{34, "a Viber sender with a letter", refused(`{"senderViber":"12a4"}`, "senderViber")},
		{35, "a Viber sender that is too long", refused(`{"senderViber":"123456789"}`, "senderViber")},
		{36, "an unknown member", func(h *harness) { h.accepted(`{"colour":"blue"}`) }},
		{37, "member names are case-sensitive", func(h *harness) {
			h.post("/otp", `{"To":"`+number+`","profileName":"login","priorityName":"sms-only"}`).cv("to")
		}},
		{38, "a number that cannot exist", func(h *harness) {
			id := h.accepted(`{"to":"+0000000000000"}`)
			h.nothingSent()
			equal(h.t, "events", h.events(id), []string{"SMS UNDELIVERABLE"})
		}},
		{39, "letters and digits", func(h *harness) {
			h.accepted(`{"profileName":"strict"}`)
			h.texts(`^ACME code [a-hjkmnp-z2-9]{8}, `)
		}},
		{40, "the default sender", func(h *harness) {
			h.accepted("")
			equal(h.t, "sender", h.sms.messages()[0].Step.Sender, "VERIFY")
		}},
		{41, "a sender", func(h *harness) {
			h.accepted(`{"sender":"Tyntec GmbH"}`)
			equal(h.t, "sender", h.sms.messages()[0].Step.Sender, "Tyntec GmbH")
		}},
		{42, "the published sample", func(h *harness) {
			h.accepted(`{"caller":"Tyntec GmbH","sender":"Tyntec GmbH","languageCode":"en_US","otpCode":"1abc3r",
				"senderViber":"12345","senderWA":"000000000000","to":"+0000000000000"}`)
			h.nothingSent()
		}},
		{43, "the limit on sends", func(h *harness) {
			h = startWith(h.t, options{rules: guard.Compat(10)})
			for range 10 {
				h.accepted("")
			}
			r := h.send("").pr(http.StatusTooManyRequests)
			if wait, err := strconv.Atoi(r.header.Get("Retry-After")); err != nil || wait < 1 {
				h.t.Errorf("Retry-After %q, want at least 1", r.header.Get("Retry-After"))
			}
			equal(h.t, "messages", len(h.sms.messages()), 10)
		}},
		{44, "10000 codes", tenThousandCodes},
	}
}

// recipient wants the number of §15 however it is written.
func recipient(with string) func(h *harness) {
	return func(h *harness) {
		id := h.accepted(with)
		equal(h.t, "to", h.get("/otp/"+id).text("to"), number)
	}
}

// tenThousandCodes runs the dispatcher, whose workers share commits.
func tenThousandCodes(h *harness) {
	ctx, stop := context.WithCancel(h.t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- h.dispatcher.Run(ctx) }()
	const senders, each = 50, 200
	ids := make(chan string, senders*each)
	var wait sync.WaitGroup
	for range senders {
		wait.Go(func() {
			for range each {
				r := h.post("/otp", sendBody(h.t, `{"profileName":"strict"}`))
				if r.code != http.StatusAccepted {
					h.t.Errorf("answer %d %s", r.code, r.body)
					return
				}
				ids <- r.text("id")
			}
		})
	}
	wait.Wait()
	close(ids)
	seen := map[string]bool{}
	for id := range ids {
		seen[id] = true
	}
	equal(h.t, "different ids", len(seen), senders*each)
	for deadline := time.Now().Add(2 * time.Minute); len(h.sms.messages()) < senders*each; {
		if time.Now().After(deadline) {
			h.t.Fatalf("%d of %d messages after a minute", len(h.sms.messages()), senders*each)
		}
		time.Sleep(10 * time.Millisecond)
	}
	form := regexp.MustCompile(`^ACME code [a-hjkmnp-z2-9]{8}, valid 3 min\.$`)
	for _, m := range h.sms.messages() {
		if !form.MatchString(m.Text()) {
			h.t.Fatalf("text %q does not match %s", m.Text(), form)
		}
	}
	stop()
	h.must(<-ended)
}

// texts wants messages on SMS that match, one each.
func (h *harness) texts(patterns ...string) {
	h.t.Helper()
	got := []string{}
	for _, m := range h.sms.messages() {
		got = append(got, m.Text())
	}
	if len(got) != len(patterns) {
		h.t.Fatalf("texts %q; want as many as %q", got, patterns)
	}
	for i, p := range patterns {
		if !regexp.MustCompile(p).MatchString(got[i]) {
			h.t.Errorf("text %d is %q; want a match of %s", i, got[i], p)
		}
	}
}

// nothingSent wants carriers that were not called.
func (h *harness) nothingSent() {
	h.t.Helper()
	for _, c := range []*carrier{h.sms, h.voice, h.viber, h.whatsApp.carrier} {
		if n := len(c.messages()); n != 0 {
			h.t.Errorf("%s got %d messages", c.name, n)
		}
	}
}

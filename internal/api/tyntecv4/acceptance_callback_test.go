package tyntecv4_test

import (
	"net/http"

	"github.com/google/uuid"
)

const callbacks = "/configurations/callbacks"

// callbackExamples are those under "Callback configurations".
func callbackExamples() []example {
	const url = `"url":"https://client.example.com/e"`
	refused := func(body, field string) func(h *harness) {
		return func(h *harness) {
			h.post(callbacks, body).cv(field)
			equal(h.t, "configurations", len(h.get(callbacks).list()), 0)
		}
	}
	all := func(stories ...func(h *harness)) func(h *harness) {
		return func(h *harness) {
			for _, s := range stories {
				s(h)
			}
		}
	}
	// full runs a story with a configuration that has every member.
	full := func(story func(h *harness, id string)) func(h *harness) {
		return func(h *harness) {
			story(h, h.post(callbacks, `{`+url+`,"profileId":"`+h.P1+`","headers":{"X-Token":"s3cr3t"}}`).created())
		}
	}
	return []example{
		{178, "create", func(h *harness) {
			id := h.post(callbacks, `{`+url+`}`).created()
			equal(h.t, "configurations", h.get(callbacks).list(), []map[string]any{{"id": id, "url": "https://client.example.com/e"}})
		}},
		{179, "no URL", refused(`{}`, "url")},
		{180, "other URLs", all(refused(`{"url":"ftp://x/y"}`, "url"), refused(`{"url":"/e"}`, "url"), refused(`{"url":"https://x/e#f"}`, "url"))},
		{181, "no such profile", all(refused(`{`+url+`,"profileId":"nope"}`, "profileId"), refused(`{`+url+`,"profileId":"`+uuid.NewString()+`"}`, "profileId"))},
		{182, "a reserved header", refused(`{`+url+`,"headers":{"Host":"evil"}}`, "headers.Host")},
		{183, "a line break in a header", refused(`{`+url+`,"headers":{"X-A":"a\r\nX-B: b"}}`, "headers.X-A")},
		{184, "a URL twice", func(h *harness) {
			first, second := h.post(callbacks, `{`+url+`}`).created(), h.post(callbacks, `{`+url+`}`).created()
			equal(h.t, "configurations", h.get(callbacks).members("id"), []any{first, second})
		}},
		{185, "change the URL", full(func(h *harness, id string) {
			want := map[string]any{"id": id, "url": "https://client.example.com/f", "profileId": h.P1, "headers": map[string]any{"X-Token": "s3cr3t"}}
			equal(h.t, "answer", h.patch(callbacks+"/"+id, `{"url":"https://client.example.com/f"}`).status(http.StatusOK).object(), want)
			equal(h.t, "configurations", h.get(callbacks).list(), []map[string]any{want})
		})},
		{186, "change without URL", full(func(h *harness, id string) { h.patch(callbacks+"/"+id, `{"headers":{}}`).cv("url") })},
		{187, "clear the rest", full(func(h *harness, id string) {
			r := h.patch(callbacks+"/"+id, `{"url":"https://client.example.com/f","profileId":"","headers":{}}`).status(http.StatusOK)
			equal(h.t, "answer", r.object(), map[string]any{"id": id, "url": "https://client.example.com/f"})
		})},
		{188, "change what is not there", func(h *harness) {
			id := uuid.NewString()
			h.patch(callbacks+"/"+id, `{`+url+`}`).nr(id)
			h.patch(callbacks+"/nope", `{`+url+`}`).cv("id")
		}},
		{189, "delete", full(func(h *harness, id string) {
			h.delete(callbacks + "/" + id).empty(http.StatusOK)
			h.delete(callbacks + "/" + id).empty(http.StatusOK)
			h.delete(callbacks + "/nope").cv("id")
			equal(h.t, "configurations", len(h.get(callbacks).list()), 0)
		})},
		{190, "read one", full(func(h *harness, id string) {
			r := h.get(callbacks + "/" + id).pr(http.StatusMethodNotAllowed)
			equal(h.t, "Allow", r.header.Get("Allow"), "DELETE, PATCH")
		})},
	}
}

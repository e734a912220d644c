package tyntecv4_test

import (
	"net/http"
	"strings"
)

// keyExamples are those under "Key, media, paths".
func keyExamples() []example {
	noKey, keyB := header{"apiKey", ""}, header{"apiKey", "key-b"}
	return []example{
		{1, "no key", func(h *harness) { h.get("/otp", noKey).ua() }},
		{2, "an unknown key", func(h *harness) { h.get("/otp", header{"apiKey", "nope"}).fb() }},
		{3, "header names in any letter case", func(h *harness) {
			r := h.get("/priorities", noKey, header{"APIKEY", "key-a"})
			equal(h.t, "priorities", r.members("id"), []any{h.R1, h.R2, h.R3})
		}},
		{4, "a key in the query", func(h *harness) { h.get("/otp?apiKey=key-a", noKey).ua() }},
		{5, "another account's priority", func(h *harness) { h.get("/priorities/"+h.R1, keyB).nr(h.R1) }},
		{6, "a body that is not JSON by its type", func(h *harness) {
			h.post("/priorities", `{}`, header{"Content-Type", "text/plain"}).pr(http.StatusUnsupportedMediaType)
		}},
		{7, "a body that is not JSON", func(h *harness) { h.post("/priorities", `{"name":`).br() }},
		{8, "a body that is no object", func(h *harness) { h.post("/otp", `[]`).br() }},
		{9, "an unknown path", func(h *harness) { h.get("/nothing").pr(http.StatusNotFound) }},
		{10, "an unknown method", func(h *harness) {
			r := h.do(http.MethodPut, "/priorities/"+h.R1, `{}`).pr(http.StatusMethodNotAllowed)
			equal(h.t, "Allow", r.header.Get("Allow"), "DELETE, GET, PATCH")
		}},
		{11, "a trailing slash", func(h *harness) {
			with, without := h.get("/profiles/").status(http.StatusOK), h.get("/profiles")
			equal(h.t, "profiles", string(with.body), string(without.body))
			equal(h.t, "profiles", with.members("id"), []any{h.P1, h.P2})
		}},
		{12, "errors as problem+json", func(h *harness) {
			plain := h.post("/priorities", `{"name":`)
			problem := h.post("/priorities", `{"name":`, header{"Accept", "application/problem+json"}).br()
			equal(h.t, "media type", problem.header.Get("Content-Type"), "application/problem+json")
			equal(h.t, "media type", plain.header.Get("Content-Type"), "application/json")
			equal(h.t, "body", string(problem.body), string(plain.body))
		}},
		{13, "a body that is too large", func(h *harness) {
			h.post("/otp", sendBody(h.t, `{"colour":"`+strings.Repeat("b", 70<<10)+`"}`)).pr(http.StatusRequestEntityTooLarge)
		}},
	}
}

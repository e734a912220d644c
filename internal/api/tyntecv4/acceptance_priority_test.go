package tyntecv4_test

import (
	"net/http"

	"github.com/google/uuid"
)

// priorityExamples are those under "Priorities".
func priorityExamples() []example {
	const p = `{"name":"p","channelPriority":[{"channel":"VOICE","priority":9},{"channel":"SMS","priority":2}]}`
	refused := func(body, field string) func(h *harness) {
		return func(h *harness) {
			h.post("/priorities", body).cv(field)
			equal(h.t, "priorities", len(h.get("/priorities").list()), 3)
		}
	}
	channels := func(entries string) string { return `{"name":"q","channelPriority":[` + entries + `]}` }
	unchanged := func(body string) func(h *harness) {
		return func(h *harness) {
			before := h.get("/priorities/" + h.R2).status(http.StatusOK)
			h.patch("/priorities/"+h.R2, body).empty(http.StatusOK)
			equal(h.t, "priority", string(h.get("/priorities/"+h.R2).body), string(before.body))
		}
	}
	return []example{
		{93, "channels by rank", func(h *harness) {
			id := h.post("/priorities", p).created()
			equal(h.t, "priority", h.get("/priorities/"+id).object(), map[string]any{"id": id, "name": "p", "channelPriority": []any{
				map[string]any{"channel": "SMS", "priority": 2.0}, map[string]any{"channel": "VOICE", "priority": 9.0},
			}})
		}},
		{94, "a name twice", func(h *harness) {
			h.post("/priorities", p).created()
			h.post("/priorities", p).problem(http.StatusConflict, "Conflict", "priorityName", "p")
		}},
		{95, "no channels", refused(channels(``), "channelPriority")},
		{96, "three channels", refused(channels(`{"channel":"SMS","priority":1},{"channel":"VOICE","priority":2},{"channel":"VIBER","priority":3}`), "channelPriority")},
		{97, "a channel twice", refused(channels(`{"channel":"SMS","priority":1},{"channel":"SMS","priority":2}`), "channelPriority[1].channel")},
		{98, "a rank twice", refused(channels(`{"channel":"SMS","priority":1},{"channel":"VOICE","priority":1}`), "channelPriority[1].priority")},
		{99, "rank 0", refused(channels(`{"channel":"SMS","priority":0}`), "channelPriority[0].priority")},
		{100, "an unknown channel", refused(channels(`{"channel":"FAX","priority":1}`), "channelPriority[0].channel")},
		{101, "a blank name", func(h *harness) {
			h.post("/priorities", `{"name":"  ","channelPriority":[{"channel":"SMS","priority":1}]}`).cv("name").says("must not be blank")
		}},
		{102, "a change of nothing", unchanged(`{}`)},
		{103, "a change to no channels", unchanged(`{"channelPriority":[]}`)},
		{104, "another priority's name", func(h *harness) {
			h.patch("/priorities/"+h.R2, `{"name":"sms-only"}`).problem(http.StatusConflict, "Conflict", "priorityName", "sms-only")
		}},
		{105, "its own name", unchanged(`{"name":"sms-then-voice"}`)},
		{106, "a change of what is not there", func(h *harness) {
			id := uuid.NewString()
			h.patch("/priorities/"+id, `{"name":"x"}`).nr(id)
		}},
		{107, "find by name", func(h *harness) {
			equal(h.t, "found", h.get("/priorities?name=sms-only").members("id"), []any{h.R1})
		}},
		{108, "names match as a whole", func(h *harness) {
			equal(h.t, "body", string(h.get("/priorities?name=sms").status(http.StatusOK).body), "[]")
		}},
		{109, "delete twice", func(h *harness) {
			h.delete("/priorities/" + h.R3).empty(http.StatusOK)
			h.delete("/priorities/" + h.R3).empty(http.StatusOK)
			h.get("/priorities/" + h.R3).nr(h.R3)
		}},
	}
}

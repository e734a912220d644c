package meta_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// graph is a double of the Graph API on a real socket.
type graph struct {
	*httptest.Server
	free chan struct{} // closed when those who are kept waiting may go

	mu        sync.Mutex // guards what follows
	script    []reply
	asked     []asked
	templates []map[string]any
	display   string // number of every phone number id
	apps      int
	ids       int
}

// asked is a request that was read.
type asked struct {
	method, target string
	header         http.Header
	body           string
}

// reply is how the next request is answered: not at all if silent.
type reply struct {
	status int
	header http.Header
	body   string
	silent bool
}

// refusal is an error as the Graph API writes it.
func refusal(status, code, subcode int) reply {
	return reply{status: status, body: fmt.Sprintf(
		`{"error":{"message":"(#%d) 483916 to 491712345678","type":"OAuthException","code":%d,"error_subcode":%d,"error_data":{"details":"483916"},"fbtrace_id":"A1"}}`,
		code, code, subcode)}
}

func newGraph(t testing.TB) *graph {
	t.Helper()
	g := &graph{free: make(chan struct{}), display: "+49 30 123456", apps: 1}
	g.Server = httptest.NewServer(http.HandlerFunc(g.serve))
	t.Cleanup(g.Close)
	t.Cleanup(func() { close(g.free) })
	return g
}

func (g *graph) answer(replies ...reply) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.script = append(g.script, replies...)
}

// requests returns what was read, of a method or, for "", all.
func (g *graph) requests(method string) []asked {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(g.asked), func(a asked) bool { return method != "" && a.method != method })
}

func (g *graph) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	g.mu.Lock()
	g.asked = append(g.asked, asked{r.Method, r.URL.RequestURI(), r.Header.Clone(), string(body)})
	var next *reply
	if len(g.script) > 0 {
		next, g.script = &g.script[0], g.script[1:]
	}
	g.mu.Unlock()
	switch {
	case next != nil && next.silent:
		select {
		case <-g.free:
		case <-r.Context().Done():
		}
		return
	case next != nil && next.status != 0:
		maps.Copy(w.Header(), next.header)
		write(w, next.status, next.body)
		return
	case r.Header.Get("Authorization") != "Bearer "+accessKey:
		write(w, http.StatusUnauthorized, refusal(0, 190, 463).body)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.route(w, r, body)
}

func write(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func (g *graph) route(w http.ResponseWriter, r *http.Request, body []byte) {
	g.ids++
	switch path := strings.TrimPrefix(r.URL.Path, "/v23.0/"); {
	case r.Method == http.MethodPost && path == phoneID+"/messages":
		write(w, http.StatusOK, fmt.Sprintf(
			`{"messaging_product":"whatsapp","contacts":[{"input":"491712345678","wa_id":"491712345678"}],"messages":[{"id":"wamid.%d","message_status":"accepted"}]}`, g.ids))
	case path == waba+"/message_templates":
		g.serveTemplates(w, r, body)
	case r.Method == http.MethodGet && path == waba+"/subscribed_apps":
		list := slices.Repeat([]string{`{"whatsapp_business_api_data":{"id":"1","name":"App"}}`}, g.apps)
		write(w, http.StatusOK, `{"data":[`+strings.Join(list, ",")+`]}`)
	case r.Method == http.MethodGet && path == phoneID:
		write(w, http.StatusOK, fmt.Sprintf(`{"id":"%s","display_phone_number":"%s"}`, phoneID, g.display))
	default:
		write(w, http.StatusBadRequest, refusal(0, 100, 33).body)
	}
}

func (g *graph) serveTemplates(w http.ResponseWriter, r *http.Request, body []byte) {
	q := r.URL.Query()
	switch r.Method {
	case http.MethodPost:
		var made map[string]any
		if err := json.Unmarshal(body, &made); err != nil {
			write(w, http.StatusBadRequest, refusal(0, 100, 0).body)
			return
		}
		for _, other := range g.templates {
			if other["name"] == made["name"] && other["language"] == made["language"] {
				write(w, http.StatusBadRequest, refusal(0, 100, 2388024).body)
				return
			}
		}
		made["id"], made["status"] = strconv.Itoa(g.ids), "PENDING"
		g.templates = append([]map[string]any{asListed(made)}, g.templates...) // newest first
		write(w, http.StatusOK, fmt.Sprintf(`{"id":"%d","status":"PENDING","category":"AUTHENTICATION"}`, g.ids))
	case http.MethodDelete:
		before := len(g.templates)
		g.templates = slices.DeleteFunc(g.templates, func(t map[string]any) bool { return t["name"] == q.Get("name") })
		if len(g.templates) == before {
			write(w, http.StatusNotFound, refusal(0, 100, 0).body)
			return
		}
		write(w, http.StatusOK, `{"success":true}`)
	default:
		g.list(w, q.Get("name"), q.Get("after"), q.Get("limit"))
	}
}

func (g *graph) list(w http.ResponseWriter, name, after, limit string) {
	var found []map[string]any
	for _, t := range g.templates {
		if strings.Contains(t["name"].(string), name) {
			found = append(found, t)
		}
	}
	from, _ := strconv.Atoi(after) // "" is 0
	size, _ := strconv.Atoi(limit)
	to := min(from+size, len(found))
	answer := map[string]any{"data": append([]map[string]any{}, found[from:to]...)}
	if to < len(found) {
		answer["paging"] = map[string]any{
			"cursors": map[string]string{"before": after, "after": strconv.Itoa(to)},
			"next":    "https://graph.example/next?access_token=" + accessKey,
		}
	}
	text, err := json.Marshal(answer)
	if err != nil {
		panic(err)
	}
	write(w, http.StatusOK, string(text))
}

// asListed returns a submission as WhatsApp lists it afterwards: with its own
// words, and the button as a URL.
func asListed(made map[string]any) map[string]any {
	parts := made["components"].([]any)
	advice, _ := parts[0].(map[string]any)["add_security_recommendation"].(bool)
	minutes := parts[1].(map[string]any)["code_expiration_minutes"].(float64)
	button := parts[2].(map[string]any)["buttons"].([]any)[0].(map[string]any)
	body := "*{{1}}* is your verification code."
	if advice {
		body += " For your security, do not share this code."
	}
	label, ok := button["text"].(string)
	if !ok {
		label = "Copy code"
	}
	link := fmt.Sprintf("https://www.whatsapp.com/otp/code/?otp_type=%s&code_expiration_minutes=%v&code=otp{{1}}", button["otp_type"], minutes)
	if apps, ok := button["supported_apps"].([]any); ok {
		app := apps[0].(map[string]any)
		link = fmt.Sprintf("https://www.whatsapp.com/otp/code/?otp_type=%s&cta_display_name=Autofill&package_name=%s&signature_hash=%s&code=otp{{1}}",
			button["otp_type"], app["package_name"], strings.ReplaceAll(app["signature_hash"].(string), "/", "%2F"))
	}
	return map[string]any{
		"id": made["id"], "name": made["name"], "language": made["language"], "status": made["status"], "category": made["category"],
		"components": []any{
			map[string]any{"type": "BODY", "text": body, "add_security_recommendation": advice},
			map[string]any{"type": "FOOTER", "text": fmt.Sprintf("This code expires in %v minutes.", minutes), "code_expiration_minutes": minutes},
			map[string]any{"type": "BUTTONS", "buttons": []any{map[string]any{"type": "URL", "text": label, "url": link}}},
		},
	}
}

// review gives every template a status.
func (g *graph) review(status string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range g.templates {
		t["status"] = status
	}
}

package endtoend_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/countersign/countersign/internal/secret"
)

// graph is a double of Meta's Graph API with one account and one number.
type graph struct {
	*httptest.Server

	mu       sync.Mutex // guards what follows
	template map[string]any
	sent     []string // bodies of messages
}

func startGraph(t *testing.T) *graph {
	t.Helper()
	g := &graph{}
	g.Server = httptest.NewServer(http.HandlerFunc(g.serve))
	t.Cleanup(g.Close)
	return g
}

func (g *graph) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Header.Get("Authorization") != "Bearer token" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	answer := any(map[string]any{"success": true})
	switch r.Method + " " + r.URL.Path {
	case "POST /v23.0/555/messages":
		g.sent = append(g.sent, string(body))
		answer = map[string]any{"messages": []any{map[string]any{"id": fmt.Sprint("wamid.", len(g.sent))}}}
	case "POST /v23.0/777/message_templates":
		err = json.Unmarshal(body, &g.template)
		g.template["status"] = "PENDING"
		answer = map[string]any{"id": "1", "status": "PENDING"}
	case "GET /v23.0/777/message_templates":
		list := []any{}
		if g.template != nil {
			list = append(list, g.template)
		}
		answer = map[string]any{"data": list}
	case "DELETE /v23.0/777/message_templates":
		g.template = nil
	default:
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	text, err := json.Marshal(answer)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
	}
	_, _ = w.Write(text) // to who may have gone
}

// review gives the template a status.
func (g *graph) review(status string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.template["status"] = status
}

func (g *graph) messages() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.sent...)
}

// hook posts a webhook of Meta's and returns the status of the answer.
func (j *journey) hook(path, key, field, value string) int {
	j.t.Helper()
	body := fmt.Sprintf(`{"object":"whatsapp_business_account","entry":[{"id":"777","changes":[{"field":"%s","value":%s}]}]}`, field, value)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(body))
	req, err := http.NewRequestWithContext(j.t.Context(), http.MethodPost, j.url+path, strings.NewReader(body))
	if err != nil {
		j.t.Fatal(err)
	}
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := j.client.Do(req)
	if err != nil {
		j.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

const whatsAppTOML = `public_url = "https://otp.example"

[[carrier]]
name         = "whatsapp"
type         = "meta"
base_url     = "%s"
token        = "env:WHATSAPP_TOKEN"
app_secret   = "env:WHATSAPP_APP_SECRET"
verify_token = "env:WHATSAPP_VERIFY_TOKEN"

[[carrier.accounts]]
id      = "777"
numbers = { "4930123456" = "555" }
refs    = ["289a1c20-06c5-4964-b32d-24d214a78ae5"]

[[route]]
channels = ["WHATSAPP"]
carriers = ["whatsapp"]
`

func TestATemplateIsReviewedAtWhatsAppAndACodeTravelsWithIt(t *testing.T) {
	t.Parallel()
	root, err := secret.NewRoot(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := secret.NewKeyring(root)
	if err != nil {
		t.Fatal(err)
	}
	g := startGraph(t)
	j := travel(t, fmt.Sprintf(whatsAppTOML, g.URL), "COUNTERSIGN_SECRET_KEY="+root.Reveal(), "COUNTERSIGN_SENDER_WA=+4930123456",
		"WHATSAPP_TOKEN=token", "WHATSAPP_APP_SECRET=app secret", "WHATSAPP_VERIFY_TOKEN=our word")
	path := "/carriers/whatsapp/receipts/" + keys.ReceiptTokens("whatsapp")[0]
	if got := j.must(200, "GET", path+"?hub.mode=subscribe&hub.verify_token=our+word&hub.challenge=4711", ""); got != "4711" {
		t.Errorf("the handshake was answered with %q; want the challenge", got)
	}
	j.must(403, "GET", path+"?hub.mode=subscribe&hub.verify_token=another&hub.challenge=4711", "")

	j.must(201, "POST", "/2fa/v4/configurations/channels/whatsapp", `{"whatsAppAccountId":"289a1c20-06c5-4964-b32d-24d214a78ae5"}`)
	j.must(201, "POST", "/2fa/v4/templates/whatsapp", `{"name":"Login_WA","language":"en","codeExpirationTime":5}`)
	j.must(400, "POST", "/2fa/v4/templates/whatsapp", `{"name":"login_wa","language":"en"}`)
	j.must(201, "POST", "/2fa/v4/profiles", `{"name":"wa","channels":[{"type":"WHATSAPP","templates":[{"name":"Login_WA"}]}]}`)
	j.must(201, "POST", "/2fa/v4/priorities", `{"name":"wa","channelPriority":[{"channel":"WHATSAPP","priority":1}]}`)
	send := func(status int) (otp string) {
		t.Helper()
		text := j.must(status, "POST", "/2fa/v4/otp", `{"to":"`+numbers()+`","profileName":"wa","priorityName":"wa"}`)
		var created struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal([]byte(text), &created); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return created.ID
	}
	send(400) // while it is pending
	g.review("APPROVED")
	const news = `{"event":"%s","message_template_name":"login_wa","message_template_language":"en"}`
	if got := j.hook(path, "app secret", "message_template_status_update", fmt.Sprintf(news, "APPROVED")); got != 200 {
		t.Errorf("news of the template was answered with %d; want 200", got)
	}
	if got := j.must(200, "GET", "/2fa/v4/templates/whatsapp?name=Login_WA", ""); !strings.Contains(got, `"status":"APPROVED"`) {
		t.Errorf("listed: %s; want it APPROVED under the name that was submitted", got)
	}

	otp := send(202)
	j.told(otp, "DISPATCHED")
	sent := g.messages()
	if len(sent) != 1 || strings.Count(sent[0], `"name":"login_wa"`) != 1 {
		t.Fatalf("WhatsApp read %v; want one message with the template", sent)
	}
	var message struct {
		Template struct {
			Components []struct {
				Parameters []struct {
					Text string `json:"text"`
				} `json:"parameters"`
			} `json:"components"`
		} `json:"template"`
	}
	if err := json.Unmarshal([]byte(sent[0]), &message); err != nil || len(message.Template.Components) != 2 {
		t.Fatalf("%s: %v", sent[0], err)
	}
	body, button := message.Template.Components[0].Parameters[0].Text, message.Template.Components[1].Parameters[0].Text
	if !code.MatchString(body) || body != button {
		t.Errorf("the code is %q in the body and %q in the button", body, button)
	}
	const delivered = `{"metadata":{"phone_number_id":"555"},"statuses":[{"id":"wamid.1","status":"delivered"}]}`
	for key, want := range map[string]int{"a stranger's": 403, "app secret": 200} {
		if got := j.hook(path, key, "messages", delivered); got != want {
			t.Errorf("a receipt signed with %q was answered with %d; want %d", key, got, want)
		}
	}
	j.told(otp, "DISPATCHED", "DELIVERED")
	if answer := j.must(200, "POST", "/2fa/v4/otp/"+otp+"/validate", `{"otpCode":"`+body+`"}`); !strings.Contains(answer, "VERIFIED") {
		t.Errorf("the code was answered with %s; want VERIFIED", answer)
	}

	g.review("PAUSED")
	j.hook(path, "app secret", "message_template_status_update", fmt.Sprintf(news, "PAUSED"))
	send(400) // at once, though what was approved is remembered for minutes
	j.must(204, "DELETE", "/2fa/v4/templates/whatsapp/Login_WA", "")
	j.must(204, "DELETE", "/2fa/v4/templates/whatsapp/Login_WA", "")
	if got := j.must(200, "GET", "/2fa/v4/templates/whatsapp", ""); !strings.Contains(got, `"status":"DELETION_PENDING"`) {
		t.Errorf("listed: %s; want it DELETION_PENDING though WhatsApp has it no more", got)
	}
	if strings.Contains(j.log.String(), body) {
		t.Errorf("the log holds the code:\n%s", j.log)
	}
}

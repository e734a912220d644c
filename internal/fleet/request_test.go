package fleet_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/fleet"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
)

var exampleHost = regexp.MustCompile(`https://[a-z.]+`)

// Every gateway that the page describes is played: what it reads, what it
// answers and what it reports are what the page says.
func TestTheGatewaysOfThePageWork(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(pages + "/request.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := tomlBlock.FindAllStringSubmatch(string(page), -1)
	const at = "https://otp.example.com/base/carriers/"
	const escaped = "https%3A%2F%2Fotp.example.com%2Fbase%2Fcarriers%2F"
	type answer struct {
		status int
		body   string
		want   delivery.Class
		says   string // the reference, or the failure's code
	}
	type report struct {
		method, query, body string
		status              int
		want                delivery.ReceiptState // 0: none
	}
	plays := []struct {
		reads   string
		answers []answer
		reports []report
	}{
		{
			reads: "POST /v1/messages\nBearer aaaaaaaa\napplication/json\n" +
				`{"messages": [{"to": "4915112345678", "from": "Acme", "text": "Code 482913 & \"more\"", "validity": 60}], "dlr_url": "` + at + `gateway/receipts/new-gateway"}`,
			answers: []answer{
				{202, `{"messages": [{"id": "a-91827"}]}`, delivery.Accepted, "a-91827"},
				{400, `{"error": {"code": "no_credit"}}`, delivery.Config, "no_credit"},
				{400, `{"error": {"code": "bad_number"}}`, delivery.Permanent, "bad_number"},
				{429, ``, delivery.Retry, "429"},
			},
			reports: []report{
				{"POST", "", `{"message": {"id": "a-91827", "status": "sent"}}`, 200, 0},
				{"POST", "", `{"message": {"id": "a-91827", "status": "delivered"}}`, 200, delivery.ReceiptDelivered},
				{"POST", "", `{"message": {"id": "a-91827", "status": "expired"}}`, 200, delivery.ReceiptTimedOut},
				{"POST", "", `{"message": {"id": "a-91827", "status": "opened"}}`, 400, 0},
			},
		},
		{
			reads: "POST /submit\n\napplication/x-www-form-urlencoded\n" +
				"user=acme&password=aaaaaaaa&to=%2B4915112345678&from=Acme&message=Code+482913+%26+%22more%22&unicode=0&clientref=d1&dlr=" + escaped + "bulk%2Freceipts%2Fnew-bulk",
			answers: []answer{
				{200, `{"status": 0}`, delivery.Accepted, "d1"},
				{200, `{"status": 8}`, delivery.Retry, "8"},
				{200, `{"status": 9}`, delivery.Config, "9"},
				{200, `{"status": 13}`, delivery.Permanent, "13"},
				{200, `<html>`, delivery.Config, "answer"},
			},
			reports: []report{
				{"POST", "", "clientref=d1&state=ENROUTE", 200, 0},
				{"POST", "", "clientref=d1&state=DELIVRD&err=000", 200, delivery.ReceiptDelivered},
				{"GET", "clientref=d1&state=UNDELIV&err=027", "", 200, delivery.ReceiptUndeliverable},
				{"POST", "", "state=DELIVRD", 400, 0},
			},
		},
		{
			reads: "GET /http/send?user=acme&key=aaaaaaaa&to=4915112345678&text=Code%20482913%20%26%20%22more%22\n\n\n",
			answers: []answer{
				{200, "OK: 12345", delivery.Accepted, "12345"},
				{200, "ERR: 105, Invalid number", delivery.Permanent, "105"},
				{200, "ERR: 001, Authentication failed", delivery.Config, "001"},
			},
			reports: []report{{"GET", "id=12345&status=1", "", 404, 0}},
		},
	}
	if len(examples) != len(plays) {
		t.Fatalf("the page has %d examples; want %d", len(examples), len(plays))
	}
	for i, play := range plays {
		var read string
		next := play.answers[0]
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			read = r.Method + " " + r.URL.RequestURI() + "\n" + r.Header.Get("Authorization") + "\n" + r.Header.Get("Content-Type") + "\n" + strings.TrimSpace(string(body))
			w.WriteHeader(next.status)
			_, _ = io.WriteString(w, next.body)
		}))
		t.Cleanup(s.Close)
		text := exampleHost.ReplaceAllString(examples[i][1], s.URL) + "allow_private = true\n"
		var environ []string
		for _, m := range environIn.FindAllStringSubmatch(text, -1) {
			environ = append(environ, m[2]+"="+secretFor(m[1]))
		}
		given, _ := settings(t, text, "auto", environ...)
		d, now := deps(), time.Now()
		d.Now = func() time.Time { return now }
		var received []delivery.Receipt
		d.Receive = func(_ context.Context, r delivery.Receipt) (bool, error) {
			received = append(received, r)
			return true, nil
		}
		f, err := fleet.New(given, d)
		if err != nil {
			t.Fatal(err)
		}
		carrier := f.Router().Route(message.SMS, number(t), "")[0]
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		for _, a := range play.answers {
			next = a
			r := carrier.Submit(t.Context(), delivery.Message{
				Dedupe: "d1", Recipient: number(t), Code: otp.NewCode("482913"), Expires: now.Add(time.Minute), Try: 1,
				Step: delivery.Step{
					Channel: message.SMS, Sender: "Acme",
					Text: message.Parse(`Code {c} & "more"`, []message.Placeholder{{Token: "{c}", Code: true}}),
				},
			})
			if got := r.Ref + r.Failure.Code; r.Class != a.want || got != a.says {
				t.Errorf("example %d: %d %s is %+v; want %v, %s", i+1, a.status, a.body, r, a.want, a.says)
			}
		}
		if diff := cmp.Diff(play.reads, read); diff != "" {
			t.Errorf("example %d (-want +got):\n%s", i+1, diff)
		}
		for _, p := range play.reports {
			received = nil
			req := httptest.NewRequestWithContext(t.Context(), p.method, "/?"+p.query, strings.NewReader(p.body))
			req.SetPathValue("carrier", carrier.Name())
			req.SetPathValue("token", "new-"+carrier.Name())
			w := httptest.NewRecorder()
			f.Receipts().ServeHTTP(w, req)
			var state delivery.ReceiptState
			if len(received) == 1 {
				state = received[0].State
			}
			if w.Code != p.status || state != p.want || len(received) > 1 {
				t.Errorf("example %d: %s %s%s is answered with %d and heard as %+v; want %d, %v", i+1, p.method, p.query, p.body, w.Code, received, p.status, p.want)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v; want nil", err)
		}
	}
}

func TestAListOfNumbersIsReadAndNamedIfItIsNone(t *testing.T) {
	t.Parallel()
	const base = "[[carrier]]\nname = \"r\"\ntype = \"request\"\nurl = \"https://gateway.example\"\nbody = '{\"to\":\"{to}\",\"text\":\"{text}\"}'\n"
	for more, want := range map[string]string{
		"success_status = [200, 409]\n":   "",
		"success_status = 204\n":          "",
		"success_status = [\"200\"]\n":    `:6: carrier "r": success_status: expected a list of whole numbers`,
		"success_status = [99999999999]":  `:6: carrier "r": success_status: expected a list of whole numbers`,
		"success_status = [99]\n":         `:6: carrier "r": success_status: has 99`,
		"headers = { A = \"{x}\" }\n":     `:6: carrier "r": headers: A has {x}, which is no placeholder`,
		"content_type = \"form\"\n":       "",
		"secrets = { key = \"hunter2\" }": `:6: carrier "r": secrets: expected "env:NAME"`,
	} {
		s, path := settings(t, base+more, "auto")
		_, err := fleet.New(s, deps())
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), path+want)) || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s gives %v; want %s", more, err, want)
		}
	}
}

package tyntecv4_test

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/api/tyntecv4"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/store/testdb"
	"github.com/countersign/countersign/internal/verify"
)

var update = flag.Bool("update", false, "rewrite the files under testdata")

var anyUUID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// transcript is what was answered, octet by octet, but for ids, which are
// numbered.
type transcript struct {
	text strings.Builder
	ids  map[string]string
}

func (s *transcript) add(r *response) {
	if s.ids == nil {
		s.ids = map[string]string{}
	}
	var headers strings.Builder
	for _, name := range []string{"Content-Type", "Allow", "Retry-After", "X-Result-Truncated"} {
		if v := r.header.Get(name); v != "" {
			fmt.Fprintf(&headers, "%s: %s\n", name, v)
		}
	}
	whole := fmt.Sprintf("%s\n%d\n%s%s\n\n", strings.TrimSpace(r.request), r.code, headers.String(), r.body)
	s.text.WriteString(anyUUID.ReplaceAllStringFunc(whole, func(id string) string {
		if id == whatsAppAccount {
			return id
		}
		if s.ids[id] == "" {
			s.ids[id] = fmt.Sprintf("<id %d>", len(s.ids)+1)
		}
		return s.ids[id]
	}))
}

func (s *transcript) compare(t *testing.T, name string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(s.text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), s.text.String()); diff != "" {
		t.Errorf("%s (-want +got), rewrite it with -update:\n%s", path, diff)
	}
}

func TestResultsOctetByOctet(t *testing.T) {
	t.Parallel()
	h := start(t)
	var s transcript
	for _, r := range []*response{
		h.send(`{"otpCode":"483920"}`), h.get("/otp"), h.get("/otp?otpStatus=VERIFIED"), h.get("/otp/" + h.otpIDs()[0]),
		h.post("/otp/"+h.otpIDs()[0]+"/validate", `{"otpCode":"483920"}`), h.delete("/otp/" + h.otpIDs()[0]),
		h.post(callbacks, `{"url":"https://x.example/?a=1&b=<2>","profileId":"`+h.P1+`","headers":{"X-Token":"s3cr3t"}}`), h.get(callbacks),
		h.get("/priorities"), h.get("/priorities/" + h.R2), h.patch("/priorities/"+h.R2, `{}`),
		h.get("/profiles"), h.get("/profiles/" + h.P1), h.get("/templates"), h.get("/templates/voice/" + h.T3),
		h.post(whatsAppPath, whatsAppConfig), h.get(whatsAppPath), h.post(whatsAppTemplates, newLoginWA), h.get(whatsAppTemplates),
		h.delete(whatsAppTemplates + "/login_wa"),
	} {
		s.add(r)
	}
	s.compare(t, "results.golden")
}

// otpIDs returns the ids of all OTPs.
func (h *harness) otpIDs() []string {
	h.t.Helper()
	all := []string{}
	for _, id := range h.get("/otp").members("otpId") {
		s, _ := id.(string)
		all = append(all, s)
	}
	return all
}

func TestErrorsOctetByOctet(t *testing.T) {
	t.Parallel()
	b := &broken{}
	h := startWith(t, options{
		rules:  guard.Compat(1),
		store:  func(s testdb.Store) (verify.Store, catalog.Store) { b.Store = s; return s, &unbroken{b} },
		config: func(c *tyntecv4.Config) { c.Log = nil },
	})
	h.accepted("")
	var s transcript
	const absent = "/otp/not-a-uuid"
	for _, r := range []*response{
		h.post("/priorities", `{"channelPriority":[]}`),                                                      // CV
		h.post("/priorities", `{"name":`), h.post("/priorities", `[]`), h.post("/priorities", `{"name":{}}`), // BR
		h.get(absent, header{"apiKey", ""}), h.get(absent, header{"apiKey", "nope"}), // UA, FB
		h.get(whatsAppTemplates),           // MW
		h.get(absent), h.get(whatsAppPath), // NR
		h.get("/templates/sms/x"), h.post(whatsAppTemplates, newLoginWA), // NT
		h.patch("/priorities/"+h.R2, `{"name":"sms-only"}`),                                                           // CP
		h.patch("/templates/sms/"+h.T1, `{"name":"login_sms_de"}`),                                                    // CT
		h.post("/profiles/"+h.P1+"/templates", `{"channels":[{"type":"SMS","templates":[{"name":"login_sms_en"}]}]}`), // CL
		h.post(whatsAppPath, whatsAppConfig), h.post(whatsAppPath, whatsAppConfig),                                    // CW
		h.get("/nothing"), h.do(http.MethodPut, "/priorities", ""), h.get("/nothing", header{"Accept", "application/problem+json"}), // PR
		h.post("/otp", `{}`, header{"Content-Type", "text/plain"}), h.send(""), // PR
		h.fail(b, errors.New("any")), h.fail(b, verify.ErrOverloaded), h.fail(b, verify.ErrUnavailable), h.fail(b, verify.ErrOutcomeUnknown), // IX, PR
		h.failWhatsApp(), // IX
	} {
		s.add(r)
	}
	s.compare(t, "errors.golden")
}

// fail reads templates from a store that answers with err.
func (h *harness) fail(b *broken, err error) *response {
	h.t.Helper()
	b.err = err
	defer func() { b.err = nil }()
	return h.get("/templates")
}

// failWhatsApp submits a template while WhatsApp is not reachable.
func (h *harness) failWhatsApp() *response {
	h.t.Helper()
	h.whatsApp.fails(catalog.ErrWhatsAppUnreachable)
	return h.post(whatsAppTemplates, newLoginWA)
}

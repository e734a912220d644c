package meta_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/meta"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/delivery"
)

var update = flag.Bool("update", false, "write the golden requests anew")

// everyRequest lists what the carrier can ask for, each in a story of its own.
var everyRequest = []struct {
	name   string
	change func(*meta.Config)
	do     func(t testing.TB, c *meta.Carrier)
}{
	{"send", nil, send()},
	{"send_without_callback_data", func(c *meta.Config) { c.NoCallbackData = true }, send()},
	{"send_from_the_only_number", nil, send(func(m *delivery.Message) { m.Step.Sender, m.Step.AccountRef = "", "" })},
	{"template_copy_code", nil, submit(copyCodeTemplate())},
	{"template_one_tap", nil, submit(oneTapTemplate())},
	{"template_zero_tap", func(c *meta.Config) { c.Accounts[0].ZeroTapTermsAccepted = true }, submit(oneTapTemplate())},
	{"list", nil, func(t testing.TB, c *meta.Carrier) {
		t.Helper()
		_, err := c.WhatsAppTemplates(t.Context(), "acme", ref)
		noError(t, err)
	}},
	{"delete", nil, func(t testing.TB, c *meta.Carrier) {
		t.Helper()
		submit(copyCodeTemplate())(t, c)
		noError(t, c.DeleteWhatsAppTemplate(t.Context(), "acme", ref, "Login_WA"))
	}},
	{"check", nil, func(t testing.TB, c *meta.Carrier) {
		t.Helper()
		noError(t, c.Check(t.Context()))
	}},
}

func send(change ...func(*delivery.Message)) func(testing.TB, *meta.Carrier) {
	return func(t testing.TB, c *meta.Carrier) {
		t.Helper()
		m := text(t, append(change, func(m *delivery.Message) { m.Dedupe = "0b8a7f4e-6a3e-4b1f-9a44-0d6f1f6b2a11" })...)
		if r := c.Submit(t.Context(), m); r.Class != delivery.Accepted {
			t.Fatalf("Submit = %+v; want Accepted", r)
		}
	}
}

func submit(n catalog.WhatsAppTemplate) func(testing.TB, *meta.Carrier) {
	return func(t testing.TB, c *meta.Carrier) {
		t.Helper()
		noError(t, c.SubmitWhatsAppTemplate(t.Context(), "acme", ref, n))
	}
}

func copyCodeTemplate() catalog.WhatsAppTemplate {
	return catalog.WhatsAppTemplate{Name: "Login_WA", Language: "en_US", Minutes: 3, SecurityRecommendation: true}
}

func oneTapTemplate() catalog.WhatsAppTemplate {
	return catalog.WhatsAppTemplate{
		Name: "tap", Language: "de", Minutes: 90, OneTap: true, CopyButtonText: "Kopieren & los", AutofillButtonText: "Einsetzen",
		PackageName: "com.example.acme", SignatureHash: "K8a%2FAINcGX7",
	}
}

// dump writes a request as it was read, without what the connection adds.
func dump(a asked) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\n", a.method, a.target)
	var lines []string
	for key, values := range a.header {
		if key != "Content-Length" && key != "Accept-Encoding" {
			lines = append(lines, fmt.Sprintf("%s: %s\n", key, strings.Join(values, ", ")))
		}
	}
	slices.Sort(lines)
	b.WriteString(strings.Join(lines, "") + "\n")
	if a.body != "" {
		b.WriteString(a.body + "\n")
	}
	return b.String()
}

func TestRequestsAreTheOnesThatTheSpecificationAccepted(t *testing.T) {
	t.Parallel()
	for _, c := range everyRequest {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newGraph(t)
			cfg := config(g)
			if c.change != nil {
				c.change(&cfg)
			}
			c.do(t, open(t, cfg, newDesk().deps()))
			var got []string
			for _, a := range g.requests("") {
				got = append(got, dump(a))
			}
			compare(t, c.name, strings.Join(got, "###\n"))
		})
	}
}

func compare(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name+".http")
	if *update {
		noError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		noError(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	noError(t, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

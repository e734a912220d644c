//go:build specs

package meta_test

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/carrier/spectest"
)

// published is Meta's document with one patch: the pattern of a button's index
// is a slip that refuses "0", though the document's own examples have it.
func published(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(spectest.File(t, "meta/business-messaging-api_v23.0.yaml"))
	noError(t, err)
	const slip, meant = "pattern: ^[2-6, 11-14]$", "pattern: ^[0-9]$"
	if !strings.Contains(string(text), slip) {
		t.Fatalf("the document has no %q any more: the patch is not needed", slip)
	}
	file := filepath.Join(t.TempDir(), "meta.yaml")
	noError(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), slip, meant)), 0o600))
	return file
}

// TestThePublishedSpecificationTakesEveryRequest replays what the carrier asks
// a double for, byte for byte.
func TestThePublishedSpecificationTakesEveryRequest(t *testing.T) {
	t.Parallel()
	prism := spectest.Prism(t, published(t))
	for _, c := range everyRequest {
		g := newGraph(t)
		cfg := config(g)
		if c.change != nil {
			c.change(&cfg)
		}
		c.do(t, open(t, cfg, newDesk().deps()))
		for _, a := range g.requests("") {
			if status, answer := replay(t, prism, a); status != http.StatusOK {
				t.Errorf("%s: %s %s was answered with %d: %s", c.name, a.method, a.target, status, answer)
			}
		}
	}
}

// TestThePublishedSpecificationRefusesBrokenMessages shows that it looks.
func TestThePublishedSpecificationRefusesBrokenMessages(t *testing.T) {
	t.Parallel()
	prism := spectest.Prism(t, published(t))
	g := newGraph(t)
	send()(t, open(t, config(g), newDesk().deps()))
	good := g.requests(http.MethodPost)[0]
	for _, broken := range [][2]string{
		{`"recipient_type":"individual"`, `"recipient_type":"crowd"`},
		{`"policy":"deterministic",`, ``},
		{`"sub_type":"url"`, `"sub_type":"copy_code"`},
		{`"index":"0"`, `"index":"x"`},
		{`"to":"491712345678",`, ``},
	} {
		bad := good
		bad.body = strings.Replace(good.body, broken[0], broken[1], 1)
		if status, _ := replay(t, prism, bad); bad.body == good.body || status < 400 {
			t.Errorf("with %s instead of %s: status %d; want it refused", broken[1], broken[0], status)
		}
	}
	anonymous := good
	anonymous.header = good.header.Clone()
	anonymous.header.Del("Authorization")
	if status, _ := replay(t, prism, anonymous); status != http.StatusUnauthorized {
		t.Errorf("without a token: status %d; want 401", status)
	}
}

func replay(t testing.TB, base string, a asked) (status int, answer string) {
	t.Helper()
	target, err := url.Parse(base + a.target)
	noError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), a.method, target.String(), strings.NewReader(a.body))
	noError(t, err)
	req.Header = a.header.Clone()
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	noError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	noError(t, err)
	return res.StatusCode, string(text)
}

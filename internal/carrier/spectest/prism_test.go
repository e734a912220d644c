//go:build specs

package spectest_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/spectest"
)

const spec = `openapi: 3.0.3
info: {title: Letters, version: "1"}
paths:
  /letters:
    post:
      requestBody:
        required: true
        content:
          application/x-www-form-urlencoded:
            schema:
              type: object
              required: [To]
              properties: {To: {type: string}, Weight: {type: integer}}
      responses:
        "201": {description: taken, content: {application/json: {schema: {type: object}, example: {id: L1}}}}
`

func TestPrismTellsRequestsThatASpecificationAllowsFromOthers(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "letters.yaml")
	if err := os.WriteFile(file, []byte(spec), 0o600); err != nil {
		t.Fatal(err)
	}
	base := spectest.Prism(t, file)
	client := &http.Client{Timeout: 30 * time.Second}
	for _, c := range []struct {
		form url.Values
		want int
	}{
		{url.Values{"To": {"Ada"}, "Weight": {"20"}}, http.StatusCreated},
		{url.Values{"To": {"Ada"}, "Weight": {"heavy"}}, http.StatusUnprocessableEntity},
		{url.Values{"Weight": {"20"}}, http.StatusUnprocessableEntity},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/letters", strings.NewReader(c.form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != c.want {
			t.Errorf("%v was answered with %d; want %d", c.form, res.StatusCode, c.want)
		}
	}
}

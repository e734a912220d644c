package connector_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/connector"
)

func files(t *testing.T, host string) map[string][]byte {
	t.Helper()
	all, err := connector.Package(host)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string][]byte{}
	for _, f := range all {
		byName[f.Name] = f.Content
	}
	return byName
}

func definition(t *testing.T) openapi2.T {
	t.Helper()
	var doc openapi2.T
	if err := json.Unmarshal(files(t, "codes.example.org:8443")["apiDefinition.swagger.json"], &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// P-22 of the connector's acceptance examples.
func TestTheDefinitionIsThatOfThePublishedConnectorForThisServer(t *testing.T) {
	t.Parallel()
	doc := definition(t)
	if doc.Swagger != "2.0" || doc.Host != "codes.example.org:8443" || doc.BasePath != "/" || !slices.Equal(doc.Schemes, []string{"https"}) {
		t.Errorf("swagger %q, host %q, base path %q, schemes %v", doc.Swagger, doc.Host, doc.BasePath, doc.Schemes)
	}
	if s := doc.SecurityDefinitions["api_key"]; s == nil || s.Type != "apiKey" || s.In != "header" || s.Name != "apikey" {
		t.Errorf("security %+v", s)
	}
	want := map[string][]string{
		"POST /2fa/v1/otp SendOTP": {
			"number* string", "text string", "pinLength integer", "via string", "applicationId string", "language string",
			"country string", "otpCode string", "Sender string", "Caller string",
		},
		"POST /2fa/v1/otp/{otpID}/check VerifyOTP": {"otpID* string", "otpCode string"},
		"POST /2fa/v1/otp/{otpID} ResendOTP":       {"otpID* string", "via string", "Sender string", "Caller string"},
		"DELETE /2fa/v1/otp/{otpID} DeleteOTP":     {"otpID* string"},
		"GET /2fa/v1/otp/{otpID} StatusOTP":        {"otpID* string"},
	}
	got := map[string][]string{}
	for path, item := range doc.Paths {
		for method, op := range item.Operations() {
			name := method + " " + path + " " + op.OperationID
			for _, p := range op.Parameters {
				required := ""
				if p.Required {
					required = "*"
				}
				got[name] = append(got[name], p.Name+required+" "+strings.Join(*p.Type, " "))
				if where := map[bool]string{true: "path", false: "query"}[p.Name == "otpID"]; p.In != where {
					t.Errorf("%s: %s is in %s", name, p.Name, p.In)
				}
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
	var outputs []string
	for name, p := range doc.Definitions["OTP"].Value.Properties {
		outputs = append(outputs, name+" "+strings.Join(*p.Value.Type, " ")+" "+p.Value.Format)
	}
	slices.Sort(outputs)
	if diff := cmp.Diff([]string{
		"accountId string ", "applicationId string ", "attemptCount integer int32", "created integer int64", "expire integer int64",
		"number string ", "otpId string ", "otpStatus string ", "referenceId string ", "timestampCreated string ", "timestampExpire string ",
	}, outputs); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
}

func TestTheDefinitionIsValid(t *testing.T) {
	t.Parallel()
	doc := definition(t)
	// The converter resolves what is referred to; version 3 has a validator.
	converted, err := openapi2conv.ToV3(&doc)
	if err != nil {
		t.Fatal(err)
	}
	if err := converted.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths {
		for method, op := range item.Operations() {
			succeeds := 0
			for status := range op.Responses.Map() {
				if strings.HasPrefix(status, "2") {
					succeeds++
				}
			}
			if succeeds != 1 || op.Summary == "" || op.Description == "" {
				t.Errorf("%s %s: %d successes, summary %q", method, path, succeeds, op.Summary)
			}
			for _, p := range op.Parameters {
				if p.Extensions["x-ms-summary"] == nil || p.Description == "" {
					t.Errorf("%s %s: %s has no label or description", method, path, p.Name)
				}
			}
		}
	}
}

func TestThePackageIsForOneHost(t *testing.T) {
	t.Parallel()
	for _, host := range []string{
		"codes.example.org", "codes.example.org:8443", "203.0.113.7", "203.0.113.7:1", "[2001:db8::1]:443", "[::ffff:203.0.113.7]", "localhost:65535",
		"Codes.Example.org.", "xn--bcher-kva.example", "a--b.1st.example", strings.Repeat("a", 63) + ".example",
	} {
		all := files(t, host)
		if len(all) != 4 {
			t.Errorf("%s: %d files", host, len(all))
		}
		for name, content := range all {
			if bytes.Contains(content, []byte("otp.example.com")) || name != "icon.png" && !bytes.Contains(content, []byte(host)) {
				t.Errorf("%s: %s is for another host", host, name)
			}
		}
		if !json.Valid(all["apiDefinition.swagger.json"]) || !json.Valid(all["apiProperties.json"]) {
			t.Errorf("%s: files that are no JSON", host)
		}
	}
	for _, none := range []string{
		"", " ", "https://codes.example.org", "codes.example.org/", "codes.example.org:", ":443", "a b", `a"b`, "a\nb", "u@a", "a:b:c", "a?b", "[a]", "a%41",
		"x:70000", "x:65536", "x:0", "x:-1", "x:+1", ".", "..", ".a", "a..b", "a...", "a-.b", "-a.b", "a.-", "a_b", "999.1.1.1", "1.2.3", "1.2.3.4.5", "1.2.3.4.", "7", "a.7",
		"[203.0.113.7]", "[fe80::1%25eth0]", "[2001:db8::1", "2001:db8::1", "1:2:3", "b\u00fccher.example",
		strings.Repeat("a", 70) + ".example", strings.Repeat("a.", 127) + "example",
	} {
		if _, err := connector.Package(none); !errors.Is(err, connector.ErrHost) {
			t.Errorf("%q: %v, want ErrHost", none, err)
		}
	}
}

func TestThePropertiesAskForTheKeyOnly(t *testing.T) {
	t.Parallel()
	var p struct {
		Properties struct {
			ConnectionParameters map[string]struct {
				Type         string `json:"type"`
				UIDefinition struct {
					DisplayName string `json:"displayName"`
				} `json:"uiDefinition"`
			} `json:"connectionParameters"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(files(t, "codes.example.org")["apiProperties.json"], &p); err != nil {
		t.Fatal(err)
	}
	key := p.Properties.ConnectionParameters["api_key"]
	if len(p.Properties.ConnectionParameters) != 1 || key.Type != "securestring" || key.UIDefinition.DisplayName != "apikey" {
		t.Errorf("%+v", p)
	}
}

func TestTheIconIsASquarePictureOfTheBrand(t *testing.T) {
	t.Parallel()
	content := files(t, "codes.example.org")["icon.png"]
	img, err := png.Decode(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	if b := img.Bounds(); b.Dx() != b.Dy() || b.Dx() < 100 || b.Dx() > 230 || len(content) > 1<<20 {
		t.Errorf("icon of %v, %d octets", b, len(content))
	}
	at := func(x, y int) [3]uint32 {
		r, g, b, _ := img.At(x, y).RGBA()
		return [3]uint32{r >> 8, g >> 8, b >> 8}
	}
	if at(0, 0) != [3]uint32{0x1f, 0x4e, 0x5f} || at(80, 40) != [3]uint32{0xff, 0xff, 0xff} {
		t.Errorf("corner %x, shield %x", at(0, 0), at(80, 40))
	}
	if !bytes.Contains(files(t, "codes.example.org")["apiProperties.json"], []byte(`"#1f4e5f"`)) {
		t.Error("iconBrandColor is another colour than the icon's")
	}
}

func TestWriteMakesTheDirectoryAndReplacesFiles(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "connector")
	for _, host := range []string{"one.example.org", "two.example.org"} {
		written, err := connector.Write(dir, host)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range written {
			got, err := os.ReadFile(filepath.Join(dir, f.Name))
			if err != nil || !bytes.Equal(got, f.Content) || f.Name != "icon.png" && !strings.Contains(string(got), host) {
				t.Errorf("%s: %v", f.Name, err)
			}
		}
	}
	if _, err := connector.Write(dir, "not a host"); !errors.Is(err, connector.ErrHost) {
		t.Errorf("Write = %v, want ErrHost", err)
	}
	if _, err := connector.Write(filepath.Join(dir, "README.md"), "one.example.org"); err == nil {
		t.Error("Write into a file succeeded")
	}
}

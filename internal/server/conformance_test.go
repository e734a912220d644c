package server_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/server"
)

func TestTheConsoleTellsWhatSettingsLoosen(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                          "",
		"callback_allow_private = true":             "callbacks may go to loopback and private addresses (callback_allow_private)",
		"allow_query_key = true":                    "API keys are read from the query of URLs too (allow_query_key)",
		"sends_per_recipient = 0":                   "how much may be sent to one recipient is not limited (sends_per_recipient)",
		"sends_per_recipient = 9":                   "",
		"sends_per_recipient = 11":                  "more than 10 sends to one recipient are accepted in 10 minutes (sends_per_recipient)",
		"retention = \"721h\"":                      "OTPs and recipients are kept for more than 30 days (retention)",
		"retention = \"720h\"":                      "",
		"[v4]\nmax_attempts = 11":                   "profiles may allow more than 10 attempts (v4.max_attempts)",
		"[v4]\nmax_minutes = 121":                   "codes may live for more than 120 minutes (v4.max_minutes)",
		"[v4]\nmax_minutes = 5":                     "",
		"[v4]\nlist_limit = 1001":                   "lists have more than 1000 OTPs (v4.list_limit)",
		"[v4]\ncallback_headers = 21":               "callbacks may have more than 20 headers (v4.callback_headers)",
		"[v4]\ncallback_header_value_length = 2049": "headers of callbacks may have more than 2048 characters (v4.callback_header_value_length)",
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "countersign.toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if want != "" {
			want = "Not conformant: " + want + "."
		}
		if got := strings.Join(server.Looser(fileSettings(t, dir, "COUNTERSIGN_CONFIG="+file)), "\n"); got != want {
			t.Errorf("%q: %q; want %q", text, got, want)
		}
	}
}

package config_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/config"
)

func TestEverySettingIsDocumentedAsItIs(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range config.Settings() {
		normal := "none"
		if s.Default != "" {
			normal = "`" + s.Default + "`"
		}
		row := fmt.Sprintf("| `%s` | %s | %s | %s |\n", s.Name, normal, s.Meaning, s.Expected)
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/operating.md lacks the row\n%s", row)
		}
	}
}

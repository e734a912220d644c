package config_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/config"
)

// A path that is written wrongly would begin a new deployment with a new root key.
func TestAPathWithWhatCameAlongByMistakeIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ setting, value string }{
		{"data_dir", "/x/d\r"},
		{"data_dir", "/x/d\n"},
		{"data_dir", " /x/d"},
		{"data_dir", "/x/d "},
		{"data_dir", `"/x/d"`},
		{"data_dir", `'/x/d'`},
		{"data_dir", "/x/\x00d"},
		{"database_url", "sqlite:/x/x.db\r"},
		{"database_url", "sqlite: /x/x.db"},
		{"database_url", `sqlite:"/x/x.db"`},
		{"database_url", `"sqlite:/x/x.db"`},
		{"public_url", "https://otp.example.com/ "},
		{"public_url", " https://otp.example.com/"},
	} {
		_, err := config.Load(config.Sources{Environ: []string{"COUNTERSIGN_" + strings.ToUpper(c.setting) + "=" + c.value}})
		if err == nil || !strings.Contains(err.Error(), "COUNTERSIGN_"+strings.ToUpper(c.setting)) || !strings.Contains(err.Error(), "without quotes or blanks around it") {
			t.Errorf("%s = %q: Load = %v; want it refused and why", c.setting, c.value, err)
		}
	}
}

func TestAPathMayHaveBlanksAndQuotesInside(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/x/my data/d", `/x/"d"/e`, "/x/it's", `"`} {
		c, err := config.Load(config.Sources{Environ: []string{"COUNTERSIGN_DATA_DIR=" + path, "COUNTERSIGN_DATABASE_URL=sqlite:" + path}})
		if err != nil || c.DataDir != path || c.DatabasePath != path {
			t.Errorf("%q: Load = %q, %q, %v", path, c.DataDir, c.DatabasePath, err)
		}
	}
}

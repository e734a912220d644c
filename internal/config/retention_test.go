package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/config"
)

func TestNothingIsKeptForLessThanAMinuteOrMoreThanTenYears(t *testing.T) {
	t.Parallel()
	for value, ok := range map[string]bool{
		"1s": false, "59s": false, "59.999s": false, "1m": true, "60s": true, "87600h": true, "87600h0m1s": false, "-1h": false,
	} {
		got, err := config.Load(config.Sources{Environ: []string{"COUNTERSIGN_RETENTION=" + value}})
		switch {
		case ok && err != nil:
			t.Errorf("retention %s = %v; want it taken", value, err)
		case !ok && (err == nil || !strings.Contains(err.Error(), "a duration from 1m to 87600h")):
			t.Errorf("retention %s = %v, %v; want it refused with its bounds", value, got.Retention, err)
		case ok && (got.Retention < time.Minute || got.Retention > 87600*time.Hour):
			t.Errorf("retention %s is read as %v", value, got.Retention)
		}
	}
}

package postgres_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/store/postgres"
)

func TestAParameterThatCannotBeUsedIsNamed(t *testing.T) {
	t.Parallel()
	for parameter, want := range map[string]string{
		"pool_max_conns=0":                      "pool_max_conns",
		"pool_max_conns=-1":                     "pool_max_conns",
		"pool_max_conns=hunter2":                "pool_max_conns",
		"pool_max_conn_lifetime=hunter2":        "pool_max_conn_lifetime",
		"pool_health_check_period=1":            "pool_health_check_period",
		"connect_timeout=hunter2":               "connect_timeout",
		"target_session_attrs=hunter2":          "target_session_attrs",
		"target_session_attrs=standby":          "target_session_attrs: a standby takes no writes",
		"target_session_attrs=read-only":        "target_session_attrs: a standby takes no writes",
		"target_session_attrs=prefer-standby":   "target_session_attrs: a standby takes no writes",
		"default_query_exec_mode=hunter2":       "default_query_exec_mode",
		"statement_cache_capacity=hunter2":      "statement_cache_capacity",
		"channel_binding=hunter2":               "channel_binding",
		"sslcertmode=hunter2":                   "sslcertmode",
		"sslmode=hunter2":                       "sslmode",
		"port=hunter2":                          "port",
		"application_name=`: &pool_max_conns=0": "pool_max_conns: this value",
	} {
		url := "postgres://u:hunter2@db.invalid/x?" + parameter
		_, err := postgres.Open(t.Context(), config(url))
		if !errors.Is(err, postgres.ErrURL) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Open(%q) = %v; want ErrURL that names %q and quotes no value", url, err, want)
		}
	}
}

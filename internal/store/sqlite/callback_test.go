package sqlite_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/store/testdb"
)

func openCallbacks(t testing.TB, wall func() time.Time) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Config{
		Path: testdb.Blank(t), Migrate: true, Wall: wall,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestCallbackQueueKeepsItsPromises(t *testing.T) {
	t.Parallel()
	storetest.RunCallbacks(t, func(t testing.TB, wall func() time.Time) storetest.CallbackStore {
		t.Helper()
		return openCallbacks(t, wall)
	})
}

// Without these a dead endpoint's backlog would slow every claim (W-07).
func TestClaimsSeekInsteadOfReadingTheQueue(t *testing.T) {
	t.Parallel()
	s := openCallbacks(t, nil)
	for _, c := range []struct{ name, plan, want string }{
		{"a few", s.PlanOfDueConfigs(t), "callbacks_due_idx (due_at>? AND due_at<?)"},
		{"next configuration", s.PlanOfDueConfigs(t), "callbacks_waiting_idx (account_id=? AND config_id>?)"},
		{"its earliest", s.PlanOfDueConfigs(t), "callbacks_waiting_idx (account_id=? AND config_id=? AND due_at>?)"},
		{"its due ones", s.PlanOfClaimable(t), "callbacks_waiting_idx (account_id=? AND config_id=? AND due_at>? AND due_at<?)"},
		{"earlier events", s.PlanOfClaimable(t), "callbacks_order_idx (account_id=? AND otp=? AND config_id=? AND event_seq<?)"},
	} {
		if !strings.Contains(c.plan, c.want) {
			t.Errorf("%s: plan is\n%swant in it %q", c.name, c.plan, c.want)
		}
	}
	// It has what waits and no dead letters, which may be many (W-07).
	if plan := s.PlanOfDueConfigs(t); strings.Contains(plan, "callbacks_config_idx") {
		t.Errorf("configurations with due callbacks are looked for among those with dead letters; the plan is\n%s", plan)
	}
}

// Configurations of other profiles may be thousands, and every event would wait
// for them in the only writer.
func TestAnEventReadsTheConfigurationsThatWantItOnly(t *testing.T) {
	t.Parallel()
	const want = "callback_configs_profile_idx (account_id=? AND profile_id=?)"
	if plan := openCallbacks(t, nil).PlanOfConfigs(t); !strings.Contains(plan, want) {
		t.Errorf("plan is\n%swant in it %q", plan, want)
	}
}

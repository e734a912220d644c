package postgres_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/postgres"
	"github.com/countersign/countersign/internal/store/storetest"
)

// What came after the other node looked would else wait for the next poll.
func TestWhatAnotherNodeJustClaimsForIsLookedAtAgainSoon(t *testing.T) {
	t.Parallel()
	url := pgtest.Ready(t)
	wall := &storetest.Wall{}
	box := storetest.NewOutbox(t, open(t, url, wall.Now))
	held, _ := box.Configure(storetest.Acme, catalog.Callback{URL: "https://a.example"})
	free, _ := box.Configure(storetest.Acme, catalog.Callback{URL: "https://b.example"})
	box.Send(storetest.Acme).Dispatch()
	other, err := raw(t, url).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Exec(t.Context(), "SELECT 1 FROM callback_configs WHERE id = $1 FOR NO KEY UPDATE", held); err != nil {
		t.Fatal(err)
	}
	claim := callback.Claim{Node: "n1", Limit: 10, PerConfig: 8, Lease: time.Minute}
	posts, next, err := box.ClaimCallbacks(t.Context(), claim)
	if err != nil || len(posts) != 1 || posts[0].ConfigID != free {
		t.Fatalf("beside another node claimed %+v, %v; want one of the configuration that is free", posts, err)
	}
	if want := wall.Now().Add(postgres.HeldAgain); !next.Equal(want) {
		t.Errorf("next %s, want %s", next, want)
	}
	if err := other.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	posts, next, err = box.ClaimCallbacks(t.Context(), claim)
	if err != nil || len(posts) != 1 || posts[0].ConfigID != held || !next.Equal(wall.Now().Add(claim.Lease)) {
		t.Errorf("after the other node claimed %d, next %s, %v; want one of the other configuration and the end of the lease", len(posts), next, err)
	}
}

func TestCallbacksAreClaimedAndRecordedWithoutPreparedStatements(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"cache_describe", "describe_exec", "exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			wall := &storetest.Wall{}
			box := storetest.NewOutbox(t, open(t, pgtest.URL(t)+"&default_query_exec_mode="+mode, wall.Now))
			for range 3 {
				box.Configure(storetest.Acme, catalog.Callback{URL: "https://a.example"})
			}
			box.Send(storetest.Acme).Dispatch()
			posts, _, err := box.ClaimCallbacks(t.Context(), callback.Claim{Node: "n1", Limit: 10, PerConfig: 8, Lease: time.Minute})
			if err != nil || len(posts) != 3 {
				t.Fatalf("claimed %d, %v; want 3", len(posts), err)
			}
			err = box.RecordPosts(t.Context(), []callback.Outcome{
				{ID: posts[0].ID, ConfigID: posts[0].ConfigID, Received: true, Status: 200},
				{ID: posts[1].ID, ConfigID: posts[1].ConfigID, Problem: "timeout", RetryAt: wall.Now().Add(time.Second)},
				{ID: posts[2].ID, ConfigID: posts[2].ConfigID, Status: 410},
			})
			if err != nil {
				t.Fatal(err)
			}
			letters, err := box.Letters(t.Context(), storetest.Acme, false, 10)
			if err != nil || len(letters) != 2 || letters[0].Dead == letters[1].Dead {
				t.Errorf("letters %+v, %v; want one that waits and one that is dead", letters, err)
			}
		})
	}
}

// A queue that was empty when the plan was made may be long a minute later
// (W-07).
func TestClaimsAndRecordsFindCallbacksByTheirKeys(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	open(t, url, nil)
	// By how many conditions each index is searched at least.
	conditions := map[string]int{
		"callbacks_lease_idx":   0, // all leases are counted
		"callbacks_waiting_idx": 4, "callbacks_config_idx": 4, "callbacks_order_idx": 4, "callbacks_pkey": 2, "callbacks_id_idx": 1,
		"callback_configs_id_key": 2, "accounts_pkey": 1, "otps_pkey": 2, "events_pkey": 3,
	}
	for name, statement := range postgres.Claims() {
		plan := planByKeys(t, url, statement)
		lines := strings.Split(plan+"\n", "\n")
		for i, line := range lines[:len(lines)-1] {
			if strings.Contains(line, "Seq Scan") || strings.Contains(line, "Bitmap") {
				t.Errorf("%s reads by%s; the plan is\n%s", name, line, plan)
			}
			_, used, ok := strings.Cut(line, " using ")
			if !ok {
				continue
			}
			index, _, _ := strings.Cut(used, " ")
			want, known := conditions[index]
			got := 0
			if _, cond, ok := strings.Cut(lines[i+1], "Index Cond: "); ok {
				got = strings.Count(cond, " AND ") + 1
			}
			if !known || got < want {
				t.Errorf("%s searches %s by %d conditions, want %d of an index that it should use; the plan is\n%s", name, index, got, want, plan)
			}
		}
	}
}

// Configurations of other profiles, and those that have dead letters only, may be
// thousands (W-07).
func TestConfigurationsThatAreNotConcernedAreNotRead(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	open(t, url, nil)
	wanted := map[string]map[string]bool{
		"selectConfigs":    {"callback_configs_profile_idx": true},
		"selectDueConfigs": {"callbacks_due_idx": true, "callbacks_waiting_idx": true, "callbacks_lease_idx": true},
	}
	for name, statement := range postgres.Seeks() {
		conn := raw(t, url)
		if _, err := conn.Exec(t.Context(), "SET plan_cache_mode = force_generic_plan"); err != nil {
			t.Fatal(err)
		}
		plan, err := keptPlan(t.Context(), conn, statement)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(plan) {
			if strings.Contains(line, "Seq Scan") {
				t.Errorf("%s reads by%s; the plan is\n%s", name, line, plan)
			}
			_, used, ok := strings.Cut(line, " using ")
			if index, _, _ := strings.Cut(used, " "); ok && !wanted[name][index] {
				t.Errorf("%s uses %s, want one of %v; the plan is\n%s", name, index, wanted[name], plan)
			}
		}
	}
}

// planByKeys is the plan that is kept for a statement after byKeys.
func planByKeys(t *testing.T, url, statement string) (plan string) {
	t.Helper()
	err := pgx.BeginFunc(t.Context(), raw(t, url), func(tx pgx.Tx) (err error) {
		if _, err := tx.Exec(t.Context(), postgres.ByKeys); err != nil {
			return err
		}
		plan, err = keptPlan(t.Context(), tx, statement)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

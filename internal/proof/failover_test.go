package proof_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/stolen"
)

// underLoad runs the chronicle's clients beside what story does to their
// database, and judges what they were told.
func underLoad(t *testing.T, c *chronicle, name string, story func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); c.run(ctx, 12) }()
	story()
	cancel()
	<-ended
	c.judge(t, name)
}

// works waits until every node has done something that it was asked for since,
// and returns how long after since that was.
func (c *chronicle) works(since time.Time) time.Duration {
	c.fleet.t.Helper()
	eventually(c.fleet.t, "an answer of every node", patience, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		for i := range c.fleet.nodes {
			if !c.lastGood[c.fleet.node(i)].After(since) {
				return false
			}
		}
		return true
	})
	return time.Since(since)
}

// rest lets the load go on.
func rest(d time.Duration) { time.Sleep(d) }

// databaseOf is a connection string of the nodes' database on one server.
func databaseOf(c *pgtest.Cluster) string { return c.URL() }

// nodesOf counts the connections of nodes that work on a server, those that
// only look whether it was promoted left out.
const nodesOf = `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'countersign'`

// failOver takes primaries away under load, promotes their standbys and lets
// the old ones come back as if nobody had told them (D-04, D-05, D-06). Every
// other primary is killed, the first one unless it is to stand still: that one
// keeps its connections and thaws with them.
func failOver(t *testing.T, failovers int, still bool, calm time.Duration) {
	t.Helper()
	pair := pgtest.StartPair(t)
	machine := stolen.Start(t)
	slowest := time.Duration(0) // without what the machine took
	for n := range failovers {
		// The database stays through them all, and so does its key.
		f := newFleet(t, pair.URL(), 3, append(nodeSettings(), "COUNTERSIGN_SECRET_KEY="+burstKey)...)
		c := newChronicle(f)
		c.configure()
		underLoad(t, c, "failover", func() {
			rest(calm)
			still := still != (n%2 == 1)
			if still {
				pair.Primary.Freeze(t)
			} else {
				pair.Primary.Kill(t)
			}
			rest(300 * time.Millisecond)
			promoted, span := time.Now(), machine.Begin()
			old := pair.FailOver(t)
			back := c.works(promoted) - span.Taken()
			slowest = max(slowest, back)
			rest(calm / 2)

			// The old primary comes back as it was, and takes writes without
			// asking anybody.
			pair.Gate(old).Shut()
			if still {
				old.Thaw(t)
			} else {
				old.StartAgain(t)
			}
			old.SetSynchronous(t, "")
			rest(200 * time.Millisecond) // what had reached it before is done or undone
			looked := open(t, databaseOf(old))
			before := count(t, looked, "SELECT count(*) FROM otps") + count(t, looked, "SELECT count(*) FROM events")
			pair.Gate(old).Open()
			f.kill(0)
			f.start(0) // one that never saw the failover
			pair.Gate(pair.Primary).Shut()
			rest(time.Second) // nodes lose the new primary and look for one
			pair.Gate(pair.Primary).Open()
			c.works(time.Now())
			rest(calm)
			after := count(t, looked, "SELECT count(*) FROM otps") + count(t, looked, "SELECT count(*) FROM events")
			if connected := count(t, looked, nodesOf); after != before || connected > 0 {
				t.Errorf("the old primary has %d new rows and %d connections of nodes; want none (D-06)", after-before, connected)
			}
			old.Stop(t)
			t.Logf("failover %d: works again %v after the promotion", n+1, back.Round(time.Millisecond))
		})
		sound(t, open(t, databaseOf(pair.Primary)))
		for i := range f.nodes {
			f.take(i).kill()
		}
		if n+1 < failovers {
			pair.Follow(t)
		}
	}
	within(t, fmt.Sprintf("the slowest of %d failovers, from the promotion to work,", failovers), slowest, 10*time.Second, "D-06")
}

func TestAFailoverLosesNothingAndTheOldPrimaryIsRefused(t *testing.T) {
	t.Parallel()
	failOver(t, 1, false, 2*time.Second)
}

func TestAPrimaryThatStoodStillIsRefusedAfterItsFailover(t *testing.T) {
	t.Parallel()
	failOver(t, 1, true, 2*time.Second)
}

// stopStandby stops the standby amid commits, once to go on and once to take
// over from a primary that died while commits waited (V-07).
func stopStandby(t *testing.T, rounds int, stopped time.Duration) {
	t.Helper()
	pair := pgtest.StartPair(t)
	f := newFleet(t, pair.URL(), 3, nodeSettings()...)
	c := newChronicle(f)
	c.configure()
	underLoad(t, c, "standby stopped", func() {
		for range rounds {
			rest(time.Second)
			pair.Standby.Freeze(t)
			rest(stopped)
			thawed := time.Now()
			pair.Standby.Thaw(t)
			t.Logf("standby stopped for %v: every node works again %v after", stopped, c.works(thawed).Round(time.Millisecond))
		}
		rest(time.Second)
		pair.Standby.Freeze(t)
		waiting, primary := 0, open(t, pair.Primary.AdminURL())
		eventually(t, "a commit that waits for the standby that is stopped", patience, func() bool {
			waiting = count(t, primary, `SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`)
			return waiting > 0
		})
		rest(time.Second)
		pair.Primary.Kill(t)
		pair.Standby.Thaw(t)
		promoted := time.Now()
		pair.FailOver(t)
		t.Logf("a primary killed while %d commits waited: every node works again %v after the promotion", waiting, c.works(promoted).Round(time.Millisecond))
		rest(2 * time.Second)
	})
	sound(t, open(t, databaseOf(pair.Primary)))
}

func TestNoAcknowledgedChangeIsForgottenWhenTheStandbyStops(t *testing.T) {
	t.Parallel()
	stopStandby(t, 1, 2*time.Second)
}

// outage takes the database away for a while (D-07 for PostgreSQL).
func outage(t *testing.T, outages int, away time.Duration) {
	t.Helper()
	cluster := pgtest.Start(t)
	f := newFleet(t, cluster.URL(), 3, nodeSettings()...)
	c := newChronicle(f)
	c.configure()
	pids := make([]int, len(f.nodes))
	for i := range pids {
		pids[i] = f.node(i).cmd.Process.Pid
	}
	underLoad(t, c, "outage", func() {
		for n := range outages {
			rest(2 * time.Second)
			if n%2 == 0 {
				cluster.Kill(t)
			} else {
				cluster.Stop(t)
			}
			gone := time.Now()
			rest(away / 2)
			for i := range f.nodes {
				p := f.node(i)
				if status, body, err := p.do(t.Context(), "GET", "/readyz", "", nil); err != nil || status != 503 {
					t.Errorf("readyz without a database = %d %s, %v; want 503", status, body, err)
				}
				if status, _, err := p.do(t.Context(), "GET", "/livez", "", nil); err != nil || status != 200 {
					t.Errorf("livez without a database = %d, %v; want 200", status, err)
				}
			}
			rest(away - time.Since(gone))
			cluster.StartAgain(t)
			returned := time.Now()
			t.Logf("outage of %v: every node works again %v after", returned.Sub(gone).Round(time.Millisecond), c.works(returned).Round(time.Millisecond))
		}
		rest(2 * time.Second)
	})
	for i, pid := range pids {
		if f.node(i).cmd.Process.Pid != pid || f.node(i).cmd.ProcessState != nil {
			t.Errorf("node %d was restarted", i)
		}
	}
	if c.refused == 0 {
		t.Error("no call was refused while the database was away")
	}
	sound(t, open(t, cluster.URL()))
}

func TestNodesOutliveTheirDatabase(t *testing.T) {
	t.Parallel()
	outage(t, 2, 3*time.Second)
}

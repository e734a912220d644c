//go:build soak

package proof_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What an overloaded node is held to (D-08).
const (
	wantGoodput  = 0.9                    // of the capacity
	wantAccepted = 500 * time.Millisecond // p99
	wantRefused  = 20 * time.Millisecond  // p99
)

// How overload slows the database down.
const (
	leastPause   = 0.003 // seconds that the insertion of an OTP waits
	mostPause    = 0.015
	machineShare = 6 // how many times what the slow database does the machine could do
	// longestTick is the longest time whose requests are asked for at once.
	longestTick = 50 * time.Millisecond
	// controlEvery is how many sends there are for each request to the control.
	controlEvery = 8
	// controlShare is how many times as long as the control's answers refusals
	// may take, where the machine lets even those take longer than wanted.
	controlShare = 1.5
)

// slowly makes a node's insertion of an OTP take so many seconds more.
type slowly func(h hindered, t *testing.T, pause float64)

// slowNodes are one on each store.
var slowNodes = []struct {
	name  string
	start func(*testing.T) hindered
	slow  slowly
}{{"PostgreSQL", onPostgres, hindered.slowPostgres}, {"SQLite", onSQLite, hindered.slowSQLite}}

// slowPostgres lets the database sleep.
func (h hindered) slowPostgres(t *testing.T, pause float64) {
	t.Helper()
	change(t, h.db, fmt.Sprintf(`CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(%f); RETURN NEW; END $$;
		CREATE TRIGGER slowly BEFORE INSERT ON otps FOR EACH ROW EXECUTE FUNCTION slowly()`, pause))
}

// slowSQLite lets the database count: SQLite cannot sleep. It is a part of the
// node, so one of the processors has its hands full.
func (h hindered) slowSQLite(t *testing.T, pause float64) {
	t.Helper()
	const some = 100
	fill := `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO slowly SELECT i FROM n`
	change(t, h.db, `CREATE TABLE slowly (i INTEGER PRIMARY KEY)`)
	change(t, h.db, fmt.Sprintf(fill, some))
	const pairs = `SELECT count(*) FROM slowly a, slowly b`
	took := time.Hour // for some²
	for range 5 {
		begun := time.Now()
		count(t, h.db, pairs)
		took = min(took, time.Since(begun))
	}
	change(t, h.db, `DELETE FROM slowly`)
	change(t, h.db, fmt.Sprintf(fill, int(some*math.Sqrt(pause/took.Seconds()))))
	change(t, h.db, `CREATE TRIGGER slowly BEFORE INSERT ON otps BEGIN `+pairs+`; END`)
}

// bareEnv makes this binary the control of overload.
const bareEnv = "COUNTERSIGN_PROOF_BARE"

func init() { //nolint:gochecknoinits // before the tests' own main
	if os.Getenv(bareEnv) != "" {
		bare()
	}
}

// bare refuses everything, at once, until its input ends. How long its answers
// take is what the machine and the generator of the load take.
func bare() {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println("http://" + l.Addr().String())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"error":"refused"}`)
	}))
}

// control is a process with a handler that does nothing but refuse.
func control(t *testing.T) *process {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0])
	cmd.Env = append(os.Environ(), bareEnv+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 2048}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = in.Close()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("the control did not start")
	}
	return &process{t: t, url: strings.TrimSpace(lines.Text()), client: &http.Client{Timeout: patience, Transport: transport}}
}

// rush is what came of a load.
type rush struct {
	mu            sync.Mutex // guards what follows
	done, refused []time.Duration
	problems      int
}

func (r *rush) note(begun time.Time, a answer, err error, good int) {
	took := time.Since(begun)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil && a.status == good:
		r.done = append(r.done, took)
	case err == nil && (a.status == http.StatusServiceUnavailable || a.status == http.StatusTooManyRequests):
		r.refused = append(r.refused, took)
	default:
		r.problems++
	}
}

// overloaded asks a node for twice what its database can write, and shows that
// it goes on doing what it can, quickly, that it refuses the rest at once, and
// that checks are not refused for sends (D-08). The database is made slow, so
// that what it can do is known and the machine's processors are not what ends
// first: slower on a slower machine, where it takes longer until it has too much
// to do. Where the machine answers nobody in time, refusals are compared with
// those of a control that was asked in the same moments.
func overloaded(t *testing.T, p hindered, slow slowly, span time.Duration) {
	t.Helper()
	p.client.Transport.(*http.Transport).MaxIdleConnsPerHost = 2048
	other := control(t)
	var checkable []string
	for i := range 200 {
		id, accepted, err := p.sendTo(t.Context(), fmt.Sprintf("+49153%07d9", i))
		if err != nil || !accepted {
			t.Fatalf("a send = %v, %v", accepted, err)
		}
		checkable = append(checkable, id)
	}
	var number atomic.Int64
	send := func(p *process, r *rush) {
		begun := time.Now()
		a, err := p.makeAdvised(context.WithoutCancel(t.Context()), v1{key: fleetKey}.send(fmt.Sprintf("+49154%07d9", number.Add(1)), rightCode))
		r.note(begun, a, err, http.StatusOK)
	}

	// The capacity: so many callers that each waits for the answer.
	closed := func(span time.Duration) float64 {
		var r rush
		var callers sync.WaitGroup
		begun := time.Now()
		for range 48 {
			callers.Go(func() {
				for time.Since(begun) < span {
					send(p.process, &r)
				}
			})
		}
		callers.Wait()
		if r.problems > 0 {
			t.Fatalf("%d answers that should not be", r.problems)
		}
		return float64(len(r.done)) / time.Since(begun).Seconds()
	}
	closed(time.Second) // connections are found
	unhindered := closed(time.Second)
	pause := min(max(2*machineShare/unhindered, leastPause), mostPause)
	span = max(span, time.Duration(float64(span)*pause/leastPause))
	slow(p, t, pause)
	closed(time.Second) // the pace is found
	capacity := closed(span / 2)

	var sends, checks, controls rush
	var calls sync.WaitGroup
	begun := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	asked, checked, gone := 0, 0, 0.0
	for last := begun; time.Since(begun) < span; {
		<-tick.C
		// What the machine kept it from asking is not asked in one rush.
		gone += min(time.Since(last), longestTick).Seconds()
		last = time.Now()
		for ; float64(asked) < 2*capacity*gone; asked++ {
			calls.Go(func() { send(p.process, &sends) })
			if asked%controlEvery == 0 {
				calls.Go(func() { send(other, &controls) })
			}
		}
		for ; float64(checked) < 50*gone; checked++ {
			id := checkable[checked%len(checkable)]
			calls.Go(func() {
				begun := time.Now()
				a, err := p.makeAdvised(context.WithoutCancel(t.Context()), v1{key: fleetKey}.check(id, wrongCode))
				if a.status == http.StatusUnauthorized || a.status == http.StatusForbidden || a.status == http.StatusGone {
					a.status = http.StatusOK // whatever it says of the code, it was checked
				}
				checks.note(begun, a, err, http.StatusOK)
			})
		}
	}
	calls.Wait()
	took := time.Since(begun)
	// What it could do in those moments is what it can do before and after.
	after := closed(span / 2)
	goodput := float64(len(sends.done)) / took.Seconds() / min(capacity, after)
	t.Logf("%.0f sends/s without pauses, of %.1f ms; with them %.0f before and %.0f after; asked for %.0f/s: %.0f %% of it done, p99 %v; %d refused, p99 %v, the control's %d %v; %d checks beside, %d refused, p99 %v",
		unhindered, 1000*pause, capacity, after, float64(asked)/took.Seconds(), 100*goodput, quantile(sends.done, 0.99).Round(time.Millisecond),
		len(sends.refused), quantile(sends.refused, 0.99).Round(time.Millisecond), len(controls.refused), quantile(controls.refused, 0.99).Round(time.Millisecond), len(checks.done), len(checks.refused), quantile(checks.done, 0.99).Round(time.Millisecond))
	if sends.problems+checks.problems+controls.problems > 0 {
		t.Errorf("%d answers were neither done nor a refusal with Retry-After", sends.problems+checks.problems+controls.problems)
	}
	if len(sends.refused) == 0 {
		t.Error("nothing was refused: this was no overload")
	}
	if len(checks.refused) > 0 {
		t.Errorf("%d checks were refused for sends, want none", len(checks.refused))
	}
	if goodput < wantGoodput {
		t.Errorf("%.0f %% of the capacity was done, want %.0f %%", 100*goodput, 100*wantGoodput)
	}
	if quantile(sends.refused, 0.5) >= quantile(sends.done, 0.5) {
		t.Errorf("half of the refusals took %v and more, half of what was done %v: a refusal waits for nothing", quantile(sends.refused, 0.5), quantile(sends.done, 0.5))
	}
	if p99 := quantile(sends.done, 0.99); p99 > wantAccepted {
		t.Errorf("p99 of accepted sends is %v, want %v", p99, wantAccepted)
	}
	bare := quantile(controls.refused, 0.99)
	most := max(wantRefused, time.Duration(controlShare*float64(bare)))
	if p99 := quantile(sends.refused, 0.99); p99 > most {
		t.Errorf("p99 of refusals is %v, of the control's %v; want %v", p99, bare, most)
	}
}

func TestSoakAnOverloadedNodeDoesWhatItCan(t *testing.T) { //nolint:paralleltest // others would be part of the load
	for _, c := range slowNodes { //nolint:paralleltest // as above
		t.Run(c.name, func(t *testing.T) { overloaded(t, c.start(t), c.slow, 30*time.Second) })
	}
}

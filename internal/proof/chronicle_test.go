package proof_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/otp"
)

// nodeTerms are what the nodes' histories are made of; nodeSettings make nodes
// keep to them. No window is shorter than a history.
func nodeTerms() terms {
	rules := guard.Compat(9)
	return terms{allowed: 3, life: 30 * time.Second, rules: rules}
}

func nodeSettings() []string {
	return []string{"COUNTERSIGN_SENDS_PER_RECIPIENT=9", "COUNTERSIGN_SANDBOX_LIMITS=true", "COUNTERSIGN_LOG_LEVEL=warn"}
}

// asks sends a request to some node, and says to which.
type asks func(context.Context, call) (answer, *process, error)

// chronicle is what clients of a fleet were told, by the version 1 API: its
// answers tell most.
type chronicle struct {
	fleet *fleet
	terms terms
	ask   asks
	pause time.Duration // between two calls of a client, about
	// patient clients wait for every answer; of others, some leave early.
	patient bool

	clock  atomic.Int64 // orders calls and returns
	people atomic.Int64 // numbers them

	mu        sync.Mutex // guards what follows
	history   []porcupine.Operation
	present   []*customer // who is asked for now
	problems  []error
	counts    [unknown + 1]int
	refused   int                    // calls that are known to have changed nothing
	refusals  map[string]int         // those, by what was answered
	late      int                    // those whose answer took as long as a node waits for its database
	unadvised int                    // refusals without Retry-After
	repeated  int                    // calls that were repeated with their Idempotency-Key
	slowest   time.Duration          // answer
	lastGood  map[*process]time.Time // when the latest call that a node has done was begun
}

// customer is a recipient with the OTPs that were sent to it.
type customer struct {
	index  int
	number string
	ids    []string // by cell; "" while its send is under way, or nobody knows its id
	calls  int
}

const (
	customersAtOnce  = 20
	callsPerCustomer = 60 // more would mostly meet limits
	// longestRest of a client between two calls.
	longestRest = 500 * time.Millisecond
	// requestTime is how long a node waits for its database.
	requestTime = 10 * time.Second
	// repeats bounds how long a client repeats a call with an Idempotency-Key.
	repeats = 20 * time.Second
)

func newChronicle(f *fleet) *chronicle {
	c := &chronicle{fleet: f, terms: nodeTerms(), pause: 20 * time.Millisecond, refusals: map[string]int{}, lastGood: map[*process]time.Time{}}
	c.ask = c.some
	// Other chronicles of this fleet have other recipients.
	c.people.Store(mathrand.Int64N(9_000) * 10_000)
	return c
}

// configure makes the nodes' terms those of the chronicle's.
func (c *chronicle) configure() {
	c.fleet.t.Helper()
	c.fleet.any().must(200, "POST", fmt.Sprintf("/2fa/v1/application/default?attempts=%d&expire=%d", c.terms.allowed, int(c.terms.life.Seconds())), "")
}

// some asks any node that is up.
func (c *chronicle) some(ctx context.Context, what call) (answer, *process, error) {
	p := c.fleet.any()
	if p == nil {
		return answer{}, nil, errNobody
	}
	a, err := p.makeAdvised(ctx, what)
	return a, p, err
}

var (
	errNobody    = errors.New("no node is up")
	errUnadvised = errors.New("a refusal without Retry-After")
)

// makeAdvised is make that wants a Retry-After with every refusal.
func (p *process) makeAdvised(ctx context.Context, c call) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, c.method, p.url+c.path, strings.NewReader(c.body))
	if err != nil {
		return answer{}, err
	}
	for name, value := range c.header {
		req.Header.Set(name, value)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	var body json.RawMessage
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		return answer{}, err
	}
	a := answer{resp.StatusCode, body}
	if (a.status == http.StatusServiceUnavailable || a.status == http.StatusTooManyRequests) && resp.Header.Get("Retry-After") == "" {
		return a, errUnadvised
	}
	return a, nil
}

// run lets clients call until ctx ends.
func (c *chronicle) run(ctx context.Context, clients int) {
	var all sync.WaitGroup
	for id := range clients {
		all.Go(func() {
			for ctx.Err() == nil {
				begun := time.Now()
				c.call(context.WithoutCancel(ctx), id)
				if c.pause > 0 {
					// They rest longer where the machine is slow, or they would ask
					// for all that it can do.
					own := time.Duration(mathrand.Int64N(int64(2 * c.pause)))
					time.Sleep(max(own, min(3*time.Since(begun), longestRest)))
				}
			}
		})
	}
	all.Wait()
}

// choose picks what to call. Its customer's cell is taken.
func (c *chronicle) choose() (in input, who *customer, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.present) < customersAtOnce {
		c.present = append(c.present, c.newcomer())
	}
	i := mathrand.IntN(len(c.present))
	if who = c.present[i]; who.calls >= callsPerCustomer {
		who = c.newcomer()
		c.present[i] = who
	}
	who.calls++
	in = input{recipient: who.index, op: opCheck}
	switch n := mathrand.IntN(100); {
	case len(who.ids) == 0 || n < 16 && len(who.ids) < cells:
		in.op, in.cell = opSend, len(who.ids)
		who.ids = append(who.ids, "")
	default:
		in.cell = max(0, len(who.ids)-1-mathrand.IntN(3))
		switch {
		case n < 24:
			in.op = opResend
		case n < 38:
			in.op = opGet
		case n < 41:
			in.op = opDelete
		default:
			in.right = n < 46
		}
	}
	return in, who, who.ids[in.cell]
}

func (c *chronicle) newcomer() *customer {
	n := int(c.people.Add(1))
	return &customer{index: n, number: fmt.Sprintf("+49151%08d9", n)}
}

// skew is more than the clocks of this process and the database can differ on
// one machine.
const skew = 5 * time.Millisecond

// call makes one random call and records it.
func (c *chronicle) call(ctx context.Context, client int) {
	in, who, id := c.choose()
	if id == "" && in.op != opSend {
		return // nobody knows it yet
	}
	what := c.request(in, who, id)
	once := mathrand.IntN(4) == 0 && in.op != opGet
	if once {
		what.header["Idempotency-Key"] = uuid.NewString()
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	if !c.patient && mathrand.IntN(100) == 0 { // a caller that leaves early
		cancel()
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), time.Duration(1+mathrand.IntN(8_000))*time.Microsecond)
		once = false
	}
	defer cancel()
	begun := time.Now()
	in.lo = begun.Add(-skew).UnixMicro()
	called := c.clock.Add(1)
	out, made, err := c.do(ctx, in, what)
	for once && (out.outcome == unknown && err == nil || errors.Is(err, errNothingDone)) && time.Since(begun) < repeats {
		time.Sleep(100 * time.Millisecond)
		c.note(func() { c.repeated++ })
		before := out.outcome == unknown && err == nil
		out, made, err = c.do(ctx, in, what)
		if before && errors.Is(err, errNothingDone) { // this time nothing; what was before is not known
			out, err = output{outcome: unknown}, nil
		}
	}
	returned := c.clock.Add(1)
	in.hi = time.Now().Add(skew).UnixMicro()
	if out.outcome == unknown {
		returned, in.hi = math.MaxInt64, math.MaxInt64/2 // it may yet happen
	}
	c.note(func() {
		switch {
		case errors.Is(err, errNothingDone):
			c.refused++
			c.refusals[err.Error()]++
			if time.Since(begun) >= requestTime {
				c.late++
			}
			return
		case errors.Is(err, errUnadvised):
			c.unadvised++
			return
		case err != nil:
			c.problems = append(c.problems, err)
			return
		}
		if out.outcome == unknown && in.op == opGet {
			return // nobody saw anything and nothing was to be changed
		}
		if made != "" {
			who.ids[in.cell] = made
		}
		if out.outcome == done {
			c.slowest = max(c.slowest, time.Since(begun))
		}
		c.counts[out.outcome]++
		c.history = append(c.history, porcupine.Operation{ClientId: client, Input: in, Call: called, Output: out, Return: returned})
	})
	if err != nil {
		time.Sleep(20 * time.Millisecond) // no client asks a sick server as fast as it can
	}
}

func (c *chronicle) note(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// request is a call of the version 1 API.
func (c *chronicle) request(in input, who *customer, id string) call {
	header := map[string]string{"apiKey": fleetKey}
	path := "/2fa/v1/otp/" + id
	switch in.op {
	case opSend:
		query := url.Values{"number": {who.number}, "otpCode": {rightCode}, "via": {"SMS"}}
		return call{http.MethodPost, "/2fa/v1/otp?" + query.Encode(), "", header}
	case opResend:
		return call{http.MethodPost, path + "?via=SMS", "", header}
	case opGet:
		return call{http.MethodGet, path, "", header}
	case opDelete:
		return call{http.MethodDelete, path, "", header}
	case opCheck:
	}
	code := wrongCode
	if in.right {
		code = rightCode
	}
	return call{http.MethodPost, path + "/check?otpCode=" + code, "", header}
}

// do makes a call and reads what it was told: what became of it, and the id of
// what was sent.
func (c *chronicle) do(ctx context.Context, in input, what call) (out output, id string, err error) {
	begun := time.Now()
	a, by, err := c.ask(ctx, what)
	if err != nil {
		if errors.Is(err, errUnadvised) {
			return output{}, "", err
		}
		if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" || errors.Is(err, errNobody) {
			return output{}, "", errors.Join(errNothingDone, err)
		}
		return output{outcome: unknown}, "", nil // no answer, or half of one
	}
	var said struct {
		Message  string `json:"message"`
		Code     string `json:"code"`
		ID       string `json:"otpId"`
		State    string `json:"otpStatus"`
		Attempts int    `json:"attemptCount"`
		Expire   int64  `json:"expire"`
	}
	if err := json.Unmarshal(a.body, &said); err != nil {
		return output{}, "", a.strange("a call")
	}
	switch {
	case a.status == http.StatusServiceUnavailable && strings.Contains(said.Message, "not known"):
		return output{outcome: unknown}, "", nil
	case a.status == http.StatusServiceUnavailable:
		return output{}, "", errors.Join(errNothingDone, a.strange("a call after "+time.Since(begun).Round(time.Millisecond).String()+" of "+by.url))
	case a.status == http.StatusNotFound && said.Code == "1921":
		return output{outcome: notFound}, "", nil
	case a.status == http.StatusUnauthorized && said.Code == "1930":
		return output{outcome: ended}, "", nil
	case a.status == http.StatusTooManyRequests:
		return output{outcome: throttled}, "", nil
	case said.State == "":
		return output{}, "", a.strange("a call")
	}
	out = output{outcome: done, attempts: said.Attempts, expires: said.Expire * 1000}
	for s := otp.Active; s <= otp.TooManyAttempts; s++ {
		if s.String() == said.State {
			out.state = s
		}
	}
	if in.op == opCheck {
		switch a.status {
		case http.StatusAccepted:
			out.verdict = otp.Right
		case http.StatusUnauthorized:
			out.verdict = otp.Wrong
		case http.StatusForbidden:
			out.verdict = otp.Spent
			if out.state == otp.Expired {
				out.verdict = otp.Late
			}
		case http.StatusGone:
			out.verdict = otp.Closed
		default:
			return output{}, "", a.strange("a check")
		}
	} else if a.status != http.StatusOK {
		return output{}, "", a.strange("a call")
	}
	c.note(func() { c.lastGood[by] = begun })
	return out, said.ID, nil
}

// fits says whether some order of all calls fits the model.
func (c *chronicle) fits(t testing.TB) porcupine.CheckResult {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	result, info := porcupine.CheckOperationsVerbose(c.terms.model(), c.history, patience)
	if result == porcupine.Illegal && testing.Verbose() {
		f, err := os.CreateTemp("", "countersign-history-*.html") //nolint:usetesting // it is to be looked at afterwards
		if err == nil {
			defer f.Close()
			if porcupine.Visualize(c.terms.model(), info, f) == nil {
				t.Logf("the history is drawn in %s", f.Name())
			}
		}
	}
	return result
}

// judge fails the test unless all that clients were told fits.
func (c *chronicle) judge(t testing.TB, name string) {
	t.Helper()
	result := c.fits(t)
	c.mu.Lock()
	defer c.mu.Unlock()
	t.Logf("%s: %d calls of %d recipients, %d done, %d limited, %d with unknown outcome, %d refused with nothing done, %d repeated with their Idempotency-Key; slowest answer %v",
		name, len(c.history), customersAtOnce+len(c.history)/callsPerCustomer, c.counts[done], c.counts[throttled], c.counts[unknown], c.refused, c.repeated, c.slowest.Round(time.Millisecond))
	if result != porcupine.Ok {
		t.Errorf("the history of %d calls is %s, want some order that fits (D-05)\n%s", len(c.history), result, c.fleet.logs())
	}
	if c.unadvised > 0 {
		t.Errorf("%d refusals had no Retry-After", c.unadvised)
	}
	for i, err := range c.problems {
		if i < 5 {
			t.Errorf("an answer that should not be: %v", err)
		}
	}
	if len(c.problems) > 5 {
		t.Errorf("and %d more\n%s", len(c.problems)-5, c.fleet.logs())
	}
}

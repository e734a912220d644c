package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/admission"
	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/metrics"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/upkeep"
	"github.com/countersign/countersign/internal/verify"
)

var (
	_ delivery.Observer = metrics.Deliveries{}
	_ callback.Observer = metrics.Callbacks{}
	_ sqlite.Observer   = metrics.Commits{}
)

// store answers every call with err and checks with verdict.
type store struct {
	verify.Store

	err     error
	verdict otp.Verdict
}

func (s *store) CreateOTP(context.Context, verify.NewOTP) (verify.Record, error) {
	return verify.Record{}, s.err
}

func (s *store) AddDelivery(context.Context, verify.NewDelivery) (verify.Record, error) {
	return verify.Record{}, s.err
}

func (s *store) CountAttempt(context.Context, verify.Attempt) (verify.Checked, error) {
	return verify.Checked{Verdict: s.verdict}, s.err
}

// queue answers every recording with err.
type queue struct {
	delivery.Store

	err error
}

func (q queue) RecordSubmits(context.Context, []delivery.SubmitOutcome) (bool, error) {
	return false, q.err
}

func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("a scrape = %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// has fails the test for each line that a scrape lacks.
func has(t *testing.T, m *metrics.Metrics, lines ...string) {
	t.Helper()
	text := scrape(t, m)
	for _, line := range lines {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("metrics lack %s", line)
		}
	}
}

var (
	newOTP  = verify.NewOTP{Ref: verify.Ref{Origin: "v4"}, Plan: delivery.Plan{Steps: []delivery.Step{{Channel: message.SMS}}}}
	attempt = verify.Attempt{Ref: verify.Ref{Origin: "v4"}}
)

func TestTheMetricsAreThoseThatAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(countersign_[a-z_]+)` \\| (\\w+) \\|([^|]*)\\|").FindAllStringSubmatch(string(page), -1) {
		labels := regexp.MustCompile("`([a-z]+)`").FindAllStringSubmatch(row[3], -1)
		names := make([]string, len(labels))
		for i, l := range labels {
			names[i] = l[1]
		}
		slices.Sort(names)
		documented = append(documented, row[1]+" "+row[2]+" "+strings.Join(names, " "))
	}
	slices.Sort(documented)

	// Something of every kind, so that every metric with labels shows.
	m := metrics.New("1.2.3")
	m.Watch(func(context.Context) (upkeep.Queues, error) { return upkeep.Queues{}, nil }, slog.New(slog.DiscardHandler))
	counted := m.Store(&store{verdict: otp.Right}, time.Now)
	_, _ = counted.CreateOTP(t.Context(), newOTP)
	_, _ = counted.AddDelivery(t.Context(), verify.NewDelivery{})
	_, _ = counted.CountAttempt(t.Context(), attempt)
	m.Refused(admission.Send)
	m.Deliveries().Handed(message.SMS, time.Second)
	m.Deliveries().Submitted(message.SMS, "sandbox", delivery.Accepted, time.Second)
	m.Deliveries().Received("sandbox", delivery.ReceiptDelivered, true)
	told := m.Carriers(func() []delivery.CircuitState { return []delivery.CircuitState{{Carrier: "direct"}} })
	told.Bound("direct", "1 bind_transceiver", true)
	told.Noticed("direct", "throttled")
	told.ReceiptRefused("", "token")
	m.Callbacks().Posted(callback.ResultReceived, time.Second)
	m.Requests(http.NotFoundHandler(), time.Now).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))

	if d := cmp.Diff(documented, shown(scrape(t, m))); d != "" {
		t.Errorf("metrics (-docs/operating.md +shown):\n%s", d)
	}
}

// shown lists the metrics with type and labels, those of the run-time left out.
func shown(text string) []string {
	var out []string
	for _, family := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)\n(\S+)`).FindAllStringSubmatch(text, -1) {
		if strings.HasPrefix(family[1], "countersign_go_") || strings.HasPrefix(family[1], "countersign_process_") {
			continue
		}
		var labels []string
		for _, l := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(family[3], -1) {
			if l[1] != "le" {
				labels = append(labels, l[1])
			}
		}
		slices.Sort(labels)
		out = append(out, family[1]+" "+family[2]+" "+strings.Join(labels, " "))
	}
	slices.Sort(out)
	return out
}

func TestSendsAndChecksAreCountedByWhatTheyCameTo(t *testing.T) {
	t.Parallel()
	m := metrics.New("")
	s := &store{}
	counted := m.Store(s, time.Now)
	for err, name := range map[error]string{
		nil:                            "accepted",
		&verify.LimitError{Limit: "x"}: "throttled",
		verify.ErrNotFound:             "not_found",
		verify.ErrEnded:                "ended",
		verify.ErrIDTaken:              "id_taken",
		verify.ErrIdempotencyMismatch:  "idempotency_mismatch",
		verify.ErrIdempotencyRunning:   "idempotency_running",
		verify.ErrOverloaded:           "overloaded",
		verify.ErrUnavailable:          "unavailable",
		verify.ErrOutcomeUnknown:       "outcome_unknown",
		errors.New("else"):             "error",
	} {
		s.err = err
		if _, got := counted.CreateOTP(t.Context(), newOTP); !errors.Is(got, err) {
			t.Errorf("CreateOTP = %v; want the store's %v", got, err)
		}
		_, _ = counted.AddDelivery(t.Context(), verify.NewDelivery{Ref: verify.Ref{Origin: "v1"}})
		has(t, m, `countersign_sends_total{channel="SMS",origin="v4",result="`+name+`"} 1`, `countersign_resends_total{origin="v1",result="`+name+`"} 1`)
		if err != nil {
			_, _ = counted.CountAttempt(t.Context(), attempt)
			has(t, m, `countersign_checks_total{origin="v4",outcome="`+name+`"} 1`)
		}
	}
	s.err = nil
	for verdict, name := range map[otp.Verdict]string{
		otp.Right: "verified", otp.Wrong: "wrong_code", otp.Spent: "too_many_attempts", otp.Late: "expired", otp.Closed: "closed",
	} {
		s.verdict = verdict
		_, _ = counted.CountAttempt(t.Context(), attempt)
		has(t, m, `countersign_checks_total{origin="v4",outcome="`+name+`"} 1`)
	}
}

func TestCallersThatGoAwayAreNotCountedAsTheDatabasesFault(t *testing.T) {
	t.Parallel()
	slow := errors.New("the request took too long")
	for name, c := range map[string]struct {
		end    error // what the call's context ended with, nil if it did not
		err    error
		result string
	}{
		"gone before the work began":           {context.Canceled, fmt.Errorf("%w: %w", verify.ErrUnavailable, context.Canceled), "abandoned"},
		"gone while something was read":        {context.Canceled, fmt.Errorf("read: %w", context.Canceled), "abandoned"},
		"gone while the work was done":         {context.Canceled, fmt.Errorf("%w: %w", verify.ErrOutcomeUnknown, context.Canceled), "outcome_unknown"},
		"gone, but the disk failed before":     {context.Canceled, fmt.Errorf("%w: disk full", verify.ErrUnavailable), "unavailable"},
		"there until the time was up":          {slow, fmt.Errorf("%w: %w", verify.ErrUnavailable, slow), "unavailable"},
		"there while the store itself gave up": {nil, fmt.Errorf("%w: %w", verify.ErrUnavailable, context.Canceled), "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, end := context.WithCancelCause(t.Context())
			defer end(nil)
			if c.end != nil {
				end(c.end)
			}
			m := metrics.New("")
			counted := m.Store(&store{err: c.err}, time.Now)
			_, _ = counted.CreateOTP(ctx, newOTP)
			_, _ = counted.AddDelivery(ctx, verify.NewDelivery{Ref: verify.Ref{Origin: "v1"}})
			_, _ = counted.CountAttempt(ctx, attempt)
			has(
				t, m, `countersign_sends_total{channel="SMS",origin="v4",result="`+c.result+`"} 1`,
				`countersign_resends_total{origin="v1",result="`+c.result+`"} 1`, `countersign_checks_total{origin="v4",outcome="`+c.result+`"} 1`,
			)
		})
	}
}

func TestReceiptsThatComeWithAnAnswerAreCountedOnceTheyAreRecorded(t *testing.T) {
	t.Parallel()
	m := metrics.New("")
	outcomes := []delivery.SubmitOutcome{
		{Carrier: "a", Result: delivery.Result{Class: delivery.Accepted, Receipt: &delivery.Receipt{State: delivery.ReceiptUndeliverable}}},
		{Result: delivery.Result{Class: delivery.Accepted}},
	}
	if _, err := m.DeliveryStore(queue{err: verify.ErrUnavailable}).RecordSubmits(t.Context(), outcomes); !errors.Is(err, verify.ErrUnavailable) {
		t.Errorf("RecordSubmits = %v; want the store's error", err)
	}
	if _, err := m.DeliveryStore(queue{}).RecordSubmits(t.Context(), outcomes); err != nil {
		t.Error(err)
	}
	has(t, m, `countersign_receipts_total{carrier="a",known="true",state="undeliverable"} 1`)
}

func TestQueuesThatCannotBeMeasuredLeaveAGap(t *testing.T) {
	t.Parallel()
	m := metrics.New("")
	var broken bool
	m.Watch(func(context.Context) (upkeep.Queues, error) {
		if broken {
			return upkeep.Queues{}, errors.New("disk gone")
		}
		return upkeep.Queues{Deliveries: 3, DeliveryAge: 1500 * time.Millisecond, Callbacks: 2, CallbackAge: time.Minute, DeadCallbacks: 1}, nil
	}, slog.New(slog.DiscardHandler))
	has(t, m,
		"countersign_delivery_queue_depth 3", "countersign_delivery_queue_age_seconds 1.5",
		"countersign_callback_queue_depth 2", "countersign_callback_queue_age_seconds 60", "countersign_callback_dead_letters 1")
	broken = true
	if text := scrape(t, m); strings.Contains(text, "queue_depth") || !strings.Contains(text, "countersign_build_info") {
		t.Error("a scrape without the database must lack the queues and nothing else")
	}
}

func TestRequestsAreCountedByRouteNotByURL(t *testing.T) {
	t.Parallel()
	m := metrics.New("")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /otp/{id}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") == "teapot" {
			w.WriteHeader(http.StatusTeapot)
		}
		_ = http.NewResponseController(w).Flush()
	})
	h := m.Requests(mux, time.Now)
	for _, path := range []string{"/otp/4915112345678", "/otp/teapot", "/elsewhere/4915112345678"} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	}
	has(t, m,
		`countersign_http_requests_total{route="GET /otp/{id}",status="200"} 1`,
		`countersign_http_requests_total{route="GET /otp/{id}",status="418"} 1`,
		`countersign_http_requests_total{route="none",status="404"} 1`)
	if strings.Contains(scrape(t, m), "4915112345678") {
		t.Error("metrics hold a number from a URL")
	}
}

func TestCarriersAreToldByCircuitLinksNoticesAndRefusals(t *testing.T) {
	t.Parallel()
	m := metrics.New("")
	told := m.Carriers(func() []delivery.CircuitState {
		return []delivery.CircuitState{{Carrier: "a"}, {Carrier: "b", Open: true}, {Carrier: "c", Open: true, Operator: true}}
	})
	told.Bound("a", "1 bind_transceiver", true)
	told.Bound("b", "1 bind_transceiver", true)
	told.Bound("b", "1 bind_transceiver", false)
	told.Bound("gone", "1 bind_transceiver", true)
	told.Bound("a", "2 bind_transceiver", true)
	told.Gone("gone", "1 bind_transceiver")
	told.Gone("a", "2 bind_transceiver")
	told.Noticed("a", "throttled")
	told.ReceiptRefused("", "token")
	told.ReceiptRefused("a", "forged")
	has(
		t, m,
		`countersign_carrier_circuit{carrier="a"} 0`, `countersign_carrier_circuit{carrier="b"} 1`, `countersign_carrier_circuit{carrier="c"} 2`,
		`countersign_carrier_link{carrier="a",link="1 bind_transceiver"} 1`, `countersign_carrier_link{carrier="b",link="1 bind_transceiver"} 0`,
		`countersign_carrier_notices_total{carrier="a",notice="throttled"} 1`,
		`countersign_carrier_receipts_refused_total{carrier="none",reason="token"} 1`, `countersign_carrier_receipts_refused_total{carrier="a",reason="forged"} 1`,
	)
	if all := scrape(t, m); strings.Contains(all, `"gone"`) || strings.Contains(all, `"2 bind_transceiver"`) {
		t.Error("a link that is gone still shows")
	}
}

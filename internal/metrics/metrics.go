// Package metrics counts what a server does, for Prometheus. It implements the
// observers that the services declare; they know nothing of it. Labels hold
// names from fixed lists and from the operator's configuration, never a
// number, an address, a code, an account or a URL.
package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/countersign/countersign/internal/upkeep"
)

const namespace = "countersign"

// scrapeTimeout bounds what a scrape may ask the database.
const scrapeTimeout = 3 * time.Second

// Metrics holds every metric of a server. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	requests       *prometheus.CounterVec
	requestSeconds *prometheus.HistogramVec

	sends        *prometheus.CounterVec
	sendSeconds  prometheus.Histogram
	resends      *prometheus.CounterVec
	checks       *prometheus.CounterVec
	checkSeconds prometheus.Histogram
	refused      *prometheus.CounterVec

	deliveries     *prometheus.CounterVec
	submitSeconds  *prometheus.HistogramVec
	handoffSeconds *prometheus.HistogramVec
	receipts       *prometheus.CounterVec
	timeouts       prometheus.Counter
	lost           prometheus.Counter

	callbacks       *prometheus.CounterVec
	callbackSeconds prometheus.Histogram

	commitCallers prometheus.Histogram
	commitSeconds prometheus.Histogram
}

// New returns metrics in a registry of their own. Set the source of queues with
// Watch once the store is open.
func New(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),

		requests:       counters("http_requests_total", "Requests by route pattern and status.", "route", "status"),
		requestSeconds: histograms("http_request_seconds", "Time to answer a request by route pattern.", fast(), "route"),

		sends:        counters("sends_total", "Sends by facade, first channel and result.", "origin", "channel", "result"),
		sendSeconds:  histogram("send_seconds", "Time the database took for a Send.", fast()),
		resends:      counters("resends_total", "Resends by facade and result.", "origin", "result"),
		checks:       counters("checks_total", "Checks by facade and outcome.", "origin", "outcome"),
		checkSeconds: histogram("check_seconds", "Time the database took for a Check.", fast()),
		refused:      counters("refused_total", "Sends and checks that were refused when they arrived, because the database would not have come to them soon.", "work"),

		deliveries:     counters("deliveries_total", "Submits by channel, carrier and result.", "channel", "carrier", "result"),
		submitSeconds:  histograms("submit_seconds", "Time a carrier took to answer a submit.", slow(), "carrier"),
		handoffSeconds: histograms("handoff_seconds", "Time from accepting a send to handing it to a carrier for the first time.", slow(), "channel"),
		receipts:       counters("receipts_total", "Receipts by carrier, state and whether their delivery was known.", "carrier", "state", "known"),
		timeouts:       counter("receipt_timeouts_total", "Waits for a receipt that came to their end."),
		lost:           counter("submits_unrecorded_total", "Submits whose outcome could not be recorded in time, so that they are repeated."),

		callbacks:       counters("callbacks_total", "Attempts to post a callback by result.", "result"),
		callbackSeconds: histogram("callback_seconds", "Time a callback's receiver took to answer.", slow()),

		commitCallers: histogram("commit_callers", "Callers whose work one commit carried.", prometheus.ExponentialBuckets(1, 2, 11)),
		commitSeconds: histogram("commit_seconds", "Time a group commit took.", fast()),
	}
	m.registry.MustRegister(
		m.requests, m.requestSeconds, m.sends, m.sendSeconds, m.resends, m.checks, m.checkSeconds,
		m.refused, m.deliveries, m.submitSeconds, m.handoffSeconds, m.receipts, m.timeouts, m.lost,
		m.callbacks, m.callbackSeconds, m.commitCallers, m.commitSeconds, buildInfo(version),
	)
	prometheus.WrapRegistererWithPrefix(namespace+"_", m.registry).MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Watch adds the queues' depth and age, asked at every scrape. It is called at
// most once.
func (m *Metrics) Watch(queues func(context.Context) (upkeep.Queues, error), log *slog.Logger) {
	m.registry.MustRegister(newQueueCollector(queues, log))
}

// Handler answers GET /metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 2 * scrapeTimeout})
}

// fast are bounds for what takes a fraction of a millisecond to a second.
func fast() []float64 {
	return []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5}
}

// slow are bounds for what waits for others.
func slow() []float64 { return []float64{.001, .005, .02, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60} }

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func histogram(name, help string, bounds []float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: bounds})
}

func histograms(name, help string, bounds []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: bounds}, labels)
}

func buildInfo(version string) prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Always 1; the label says which version runs.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	g.Set(1)
	return g
}

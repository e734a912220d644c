package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/countersign/countersign/internal/delivery"
)

// Carriers observes the carriers; it is a fleet.Observer.
type Carriers struct {
	links    *prometheus.GaugeVec
	notices  *prometheus.CounterVec
	refusals *prometheus.CounterVec
}

// Carriers adds what is told of carriers. circuits is asked at every scrape. It
// is called at most once.
func (m *Metrics) Carriers(circuits func() []delivery.CircuitState) Carriers {
	c := Carriers{
		links: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Name: "carrier_link", Help: "Connections that carriers keep: 1 if up, else 0.",
		}, []string{"carrier", "link"}),
		notices:  counters("carrier_notices_total", "What carriers count, by carrier and notice.", "carrier", "notice"),
		refusals: counters("carrier_receipts_refused_total", "Receipts over HTTP that were not taken, by carrier and reason.", "carrier", "reason"),
	}
	m.registry.MustRegister(c.links, c.notices, c.refusals, newCircuitCollector(circuits))
	return c
}

// ReceiptRefused counts a receipt that was not taken.
func (c Carriers) ReceiptRefused(carrier, reason string) {
	if carrier == "" {
		carrier = "none"
	}
	c.refusals.WithLabelValues(carrier, reason).Inc()
}

// Noticed counts what a carrier noticed.
func (c Carriers) Noticed(carrier, notice string) {
	c.notices.WithLabelValues(carrier, notice).Inc()
}

// Bound sets whether a connection is up.
func (c Carriers) Bound(carrier, link string, up bool) {
	value := 0.
	if up {
		value = 1
	}
	c.links.WithLabelValues(carrier, link).Set(value)
}

// Gone forgets a connection that is kept no longer.
func (c Carriers) Gone(carrier, link string) {
	c.links.DeleteLabelValues(carrier, link)
}

// circuitCollector asks how the carriers' circuits are at every scrape.
type circuitCollector struct {
	ask  func() []delivery.CircuitState
	desc *prometheus.Desc
}

func newCircuitCollector(ask func() []delivery.CircuitState) circuitCollector {
	return circuitCollector{ask, prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "carrier_circuit"),
		"0 if the carrier gets messages, 1 if it failed and is skipped, 2 if the operator must act.", []string{"carrier"}, nil)}
}

// Describe implements prometheus.Collector.
func (c circuitCollector) Describe(out chan<- *prometheus.Desc) { out <- c.desc }

// Collect implements prometheus.Collector.
func (c circuitCollector) Collect(out chan<- prometheus.Metric) {
	for _, s := range c.ask() {
		value := 0.
		switch {
		case s.Operator:
			value = 2
		case s.Open:
			value = 1
		}
		out <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, value, s.Carrier)
	}
}

package metrics

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/countersign/countersign/internal/upkeep"
)

// queueCollector asks for the queues at every scrape. When it cannot, it tells
// nothing: a gap is more honest than a stale number.
type queueCollector struct {
	ask func(context.Context) (upkeep.Queues, error)
	log *slog.Logger

	deliveries, deliveryAge, callbacks, callbackAge, dead *prometheus.Desc
}

func newQueueCollector(ask func(context.Context) (upkeep.Queues, error), log *slog.Logger) *queueCollector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, nil, nil)
	}
	return &queueCollector{
		ask: ask, log: log,
		deliveries:  desc("delivery_queue_depth", "Deliveries that wait to be handed to a carrier."),
		deliveryAge: desc("delivery_queue_age_seconds", "How long the oldest due delivery has been waiting."),
		callbacks:   desc("callback_queue_depth", "Callbacks that wait to be posted."),
		callbackAge: desc("callback_queue_age_seconds", "How long the oldest due callback has been waiting."),
		dead:        desc("callback_dead_letters", "Dead letters kept."),
	}
}

// Describe implements prometheus.Collector.
func (c *queueCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.deliveries, c.deliveryAge, c.callbacks, c.callbackAge, c.dead} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *queueCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	q, err := c.ask(ctx)
	if err != nil {
		c.log.WarnContext(ctx, "queues cannot be measured", slog.Any("err", err))
		return
	}
	gauge := func(d *prometheus.Desc, v float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	gauge(c.deliveries, float64(q.Deliveries))
	gauge(c.deliveryAge, q.DeliveryAge.Seconds())
	gauge(c.callbacks, float64(q.Callbacks))
	gauge(c.callbackAge, q.CallbackAge.Seconds())
	gauge(c.dead, float64(q.DeadCallbacks))
}

package relay

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	connections      prometheus.Gauge
	handshakes       *prometheus.CounterVec
	handshakeSeconds prometheus.Histogram
	ends             *prometheus.CounterVec
	seconds          prometheus.Histogram
	bytes, messages  [2]prometheus.Counter // by direction: up, down
	vecs             [2]*prometheus.CounterVec
	crowded, starved prometheus.Counter
	upstreamsLoaded  prometheus.Gauge
}

// The directions, as indices.
const (
	up   = iota // page to upstream
	down        // upstream to page
)

func newMetrics() *metrics {
	opts := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "connectsocket", Subsystem: "relay", Name: name, Help: help}
	}
	m := &metrics{
		connections: prometheus.NewGauge(prometheus.GaugeOpts(opts("connections", "Pages held now, in a handshake or connected."))),
		handshakes:  prometheus.NewCounterVec(opts("handshakes_total", "Handshakes by outcome."), []string{"outcome"}),
		handshakeSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "connectsocket", Subsystem: "relay", Name: "handshake_seconds",
			Help:    "From a page's request to its answer.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 9),
		}),
		ends: prometheus.NewCounterVec(opts("ends_total", "Ends of connections by cause."), []string{"cause"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "connectsocket", Subsystem: "relay", Name: "connection_seconds",
			Help:    "From a page's answer to the end of its connection.",
			Buckets: prometheus.ExponentialBuckets(0.1, 8, 8),
		}),
		vecs: [2]*prometheus.CounterVec{
			prometheus.NewCounterVec(opts("bytes_total", "Bytes of frames forwarded, by direction."), []string{"direction"}),
			prometheus.NewCounterVec(opts("messages_total", "Messages forwarded, by direction."), []string{"direction"}),
		},
	}
	m.crowded = prometheus.NewCounter(opts("crowded_total", "Connections closed before their upgrade, because too many waited."))
	m.starved = prometheus.NewCounter(opts("descriptors_exhausted_total", "Times that no file descriptor could be had."))
	m.upstreamsLoaded = prometheus.NewGauge(prometheus.GaugeOpts(opts("upstreams_loaded", "1 if the file of upstreams is in force as it is, 0 if it is wrong and an older one is.")))
	m.upstreamsLoaded.Set(1)
	for i, direction := range []string{"up", "down"} {
		m.bytes[i] = m.vecs[0].WithLabelValues(direction)
		m.messages[i] = m.vecs[1].WithLabelValues(direction)
	}
	return m
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.connections, m.handshakes, m.handshakeSeconds, m.ends, m.seconds, m.vecs[0], m.vecs[1],
		m.crowded, m.starved, m.upstreamsLoaded}
}

// Describe implements prometheus.Collector.
func (r *Relay) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range r.metrics.collectors() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (r *Relay) Collect(ch chan<- prometheus.Metric) {
	r.followUpstreams()
	for _, c := range r.metrics.collectors() {
		c.Collect(ch)
	}
}

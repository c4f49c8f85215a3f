package relay

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// outcomes are those that a handshake can have.
var outcomes = []string{
	"open",
	"origin", "upgrade", "body", "full", "address_full", "rate", "address_rate", "draining",
	"no_offer", "bad_offer", "page_gone", "policy", "upstream_full", "upstream_rate", "unauthorized", "authorize_failed",
	"dns", "refused", "tls", "timeout", "network", "proxy", "status", "handshake", "descriptors",
}

// causes are those that the end of a connection can have.
var causes = []string{
	"page_closed", "page_dropped", "page_protocol", "page_stalled", "page_lost",
	"upstream_closed", "upstream_dropped", "upstream_protocol", "upstream_stalled", "upstream_lost",
	"idle", "lifetime", "drained",
}

type metrics struct {
	connections       prometheus.Gauge
	handshakes        *prometheus.CounterVec   // by outcome
	handshakeSeconds  *prometheus.HistogramVec // by outcome
	ends              *prometheus.CounterVec   // by cause
	connectionSeconds *prometheus.HistogramVec // by cause
	bytes, messages   [2]prometheus.Counter    // by direction: up, down
	crowded, starved  prometheus.Counter
	upstreamsLoaded   prometheus.Gauge

	all []prometheus.Collector
}

// The directions, as indices.
const (
	up   = iota // page to upstream
	down        // upstream to page
)

// newMetrics makes the metrics of a relay with these limits. All of their series are there from the start, so that a rate over
// the first of something is right.
func newMetrics(cfg *Config) *metrics {
	m := &metrics{}
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "connectsocket", Subsystem: "relay", Name: name, Help: help}
	}
	gauge := func(value float64, name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts(opts(name, help)))
		g.Set(value)
		m.all = append(m.all, g)
		return g
	}
	counter := func(label string, values []string, name, help string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts(opts(name, help)), []string{label})
		for _, v := range values {
			c.WithLabelValues(v)
		}
		m.all = append(m.all, c)
		return c
	}
	histogram := func(label string, values []string, buckets []float64, name, help string) *prometheus.HistogramVec {
		o := opts(name, help)
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: o.Namespace, Subsystem: o.Subsystem, Name: o.Name, Help: o.Help, Buckets: buckets,
		}, []string{label})
		for _, v := range values {
			h.WithLabelValues(v)
		}
		m.all = append(m.all, h)
		return h
	}

	m.connections = gauge(0, "connections", "Pages held now, in a handshake or connected.")
	m.handshakes = counter("outcome", outcomes, "handshakes_total", "Handshakes by outcome.")
	m.handshakeSeconds = histogram("outcome", outcomes, prometheus.ExponentialBuckets(0.001, 4, 9),
		"handshake_seconds", "From a page's request to its answer.")
	m.ends = counter("cause", causes, "ends_total", "Ends of connections by cause.")
	m.connectionSeconds = histogram("cause", causes, prometheus.ExponentialBuckets(0.1, 8, 8),
		"connection_seconds", "From a page's answer to the end of its connection.")
	directions := []string{"up", "down"}
	bytes := counter("direction", directions, "bytes_total", "Bytes of frames forwarded, by direction.")
	messages := counter("direction", directions, "messages_total", "Messages forwarded, by direction.")
	for i, d := range directions {
		m.bytes[i], m.messages[i] = bytes.WithLabelValues(d), messages.WithLabelValues(d)
	}
	m.crowded = prometheus.NewCounter(prometheus.CounterOpts(opts("crowded_total", "Connections closed before their upgrade, because too many waited.")))
	m.starved = prometheus.NewCounter(prometheus.CounterOpts(opts("descriptors_exhausted_total", "Times that no file descriptor could be had.")))
	m.all = append(m.all, m.crowded, m.starved)
	m.upstreamsLoaded = gauge(1, "upstreams_loaded", "1 if the file of upstreams is in force as it is, 0 if it is wrong and an older one is.")

	gauge(float64(cfg.MaxConns), "max_connections", "The limit of connections.")
	gauge(float64(cfg.MaxConnsPerAddr), "max_connections_per_address", "The limit of connections of one address.")
	gauge(cfg.HandshakeRate, "max_handshakes_per_second", "The limit of handshakes.")
	gauge(cfg.HandshakeRatePerAddr, "max_handshakes_per_second_per_address", "The limit of handshakes of one address.")
	gauge(float64(cfg.MaxMessage), "max_message_bytes", "The limit of a message's size.")
	return m
}

// handshake counts one that took this long.
func (m *metrics) handshake(outcome string, took time.Duration) {
	m.handshakes.WithLabelValues(outcome).Inc()
	m.handshakeSeconds.WithLabelValues(outcome).Observe(took.Seconds())
}

// end counts the end of a connection that lasted this long.
func (m *metrics) end(cause string, took time.Duration) {
	m.ends.WithLabelValues(cause).Inc()
	m.connectionSeconds.WithLabelValues(cause).Observe(took.Seconds())
}

// Describe implements prometheus.Collector.
func (r *Relay) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range r.metrics.all {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (r *Relay) Collect(ch chan<- prometheus.Metric) {
	r.followUpstreams()
	for _, c := range r.metrics.all {
		c.Collect(ch)
	}
}

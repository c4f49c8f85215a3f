// Package relay connects web pages to WebSocket servers with what a browser cannot do itself: request headers of the
// page's choice, TCP and compression options, and the reason of a failed handshake.
//
// A page opens a WebSocket to the relay with the subprotocol [Subprotocol] and sends one text message:
//
//	{"url": "wss://…", "header": {…}, "protocols": […], "tcpNoDelay": true, "perMessageDeflate": false, "timeout": 60000}
//
// The relay checks its policy, dials, and answers one text message,
//
//	{"open": true, "protocol": "…", "header": {…}, "profile": {…}}
//	{"open": false, "errMsg": "connectSocket:fail …", "status": 401, "header": {…}}
//
// the second followed by a normal close. From then on messages pass both ways as they stand, streamed, until either side
// closes; code and reason pass through, a side that vanishes without a close makes the other vanish without one. Where the
// upstream compresses (RFC 7692), its messages are expanded, and the page's of 512 bytes or more compressed, on the way.
//
// A close by the relay itself carries one of these codes (RFC 6455 section 7.4.1), with a reason:
//
//	1001  the relay is shutting down; a connection has reached its upstream's idle or total time
//	1002  a peer broke the protocol
//	1003  the first message is not text
//	1007  the first message is not the JSON object above; a compressed message cannot be expanded
//	1008  no first message in time; a peer took nothing for [Config.WriteStall]
//	1009  the first message exceeds 64 KiB; a message exceeds [Config.MaxMessage]
//	1011  a peer answers no pings
package relay

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Subprotocol is what a page must offer in its handshake with the relay.
const Subprotocol = "connectsocket.relay.v1"

// maxOffer is the largest first message, in bytes.
const maxOffer = 64 << 10

// Config is what an operator decides. The zero value of a limit is its default; the zero value of a list allows nothing.
type Config struct {
	// Allow lists the upstreams that pages may reach: "host:port", "host" (the scheme's own port) or "*.suffix", with a
	// port or without, after "wss://" if they may not be reached by ws. Only a host listed by its full name may have an address that is not public.
	Allow []string
	// Upstreams names a file of more upstreams, JSON: an object from upstreams, as in Allow, to what is said of each:
	//
	//	origins     list of the pages that may reach it, as in Origins; default those
	//	header      object of headers that the relay sets; ${NAME} in a value stands for that environment variable
	//	cookies     true: the cookies that the page's browser sends to the relay are passed on
	//	ca          PEM file of the authorities to trust instead of the system's
	//	cert, key   PEM files of the relay's certificate for this upstream
	//	proxy       URL of a forward proxy: http or https, which serve wss only, or socks5; ${NAME} as above
	//	maxConns    connections held at once
	//	handshakes  handshakes per second, with bursts of as many
	//	idle        the longest time without a message, as "10m"
	//	lifetime    the longest time from the handshake to the end
	//
	// Names of files are relative to the file. An entry comes before the same upstream in Allow, a full name before a suffix,
	// and a longer suffix before a shorter. The file is read again when it, or one that it names, has changed; connections
	// keep what held at their handshake. One that is wrong is logged and leaves the old one in force.
	Upstreams string
	// Origins lists the pages that may use the relay: "https://app.example", "https://*.app.example", or "*" for any.
	Origins []string
	// DenyHeaders lists request headers that pages may not set, beside those that belong to the connection or to proxies: a
	// name, or the beginning of one and "*".
	DenyHeaders []string
	// TrustedProxies are the peers whose X-Forwarded-For names the client.
	TrustedProxies []netip.Prefix
	// ProxyProtocol has the trusted proxies begin each connection with a PROXY header, version 1 or 2, which names the client.
	// Others may not send one. It holds for the listener that Guard returns.
	ProxyProtocol bool
	// Authorize is the URL of the operator's own endpoint, which is asked about each page before its upstream is connected: a
	// GET with the page's Cookie, Authorization, Origin and User-Agent, its address as X-Forwarded-For, the connection's id as
	// X-Request-Id and the upstream, without the query, as X-Upstream. 2xx lets it pass, and its headers named Upstream-… are
	// added for the upstream, without that prefix; 401 and 403 refuse it, with the first line of a text/plain body as the
	// reason; anything else refuses it too. Empty: nobody is asked.
	Authorize string
	// NoForwarded, NoRequestID and NoTrace keep from upstreams the page's address and scheme (X-Forwarded-For, -Proto), the
	// connection's id (X-Request-Id), and the trace that the page's handshake belongs to (traceparent and tracestate, W3C
	// Trace Context).
	NoForwarded, NoRequestID, NoTrace bool
	// NoCompression has upstreams connected without compression, whatever pages ask for.
	NoCompression bool

	MaxConns             int     // connections in all, and as many that wait for their upgrade; default 10000
	MaxConnsPerAddr      int     // the same of one IPv4 address or IPv6 /64; default 100
	HandshakeRate        float64 // handshakes per second, with bursts of as many; default 200
	HandshakeRatePerAddr float64 // handshakes per second of one address, with bursts of MaxConnsPerAddr; default 50
	MaxMessage           int64   // bytes of one message; default 64 MiB

	AuthorizeTimeout time.Duration // for the answer of Authorize; default 5 s

	OfferTimeout time.Duration // for the first message; default 10 s
	DialTimeout  time.Duration // the most a page may ask for; default 60 s
	WriteStall   time.Duration // for a peer to take one chunk (128 KiB at most); default 60 s
	PingInterval time.Duration // silence before a ping, and again before giving up; default 25 s

	Logger   *slog.Logger  // default slog.Default()
	Resolver *net.Resolver // default net.DefaultResolver
	TLS      *tls.Config   // for wss upstreams; default the system's roots
}

// setDefaults completes c, or says which limit makes no sense.
func (c *Config) setDefaults() error {
	var err error
	limit := func(name string, bad bool) {
		if bad && err == nil {
			err = fmt.Errorf("%s is not a positive limit", name)
		}
	}
	limit("MaxConns", orDefault(&c.MaxConns, 10_000))
	limit("MaxConnsPerAddr", orDefault(&c.MaxConnsPerAddr, 100))
	limit("HandshakeRate", orDefault(&c.HandshakeRate, 200) || !(c.HandshakeRate <= maxRate))
	limit("HandshakeRatePerAddr", orDefault(&c.HandshakeRatePerAddr, 50) || !(c.HandshakeRatePerAddr <= maxRate))
	limit("MaxMessage", orDefault(&c.MaxMessage, 64<<20))
	limit("AuthorizeTimeout", orDefault(&c.AuthorizeTimeout, 5*time.Second))
	limit("OfferTimeout", orDefault(&c.OfferTimeout, 10*time.Second))
	limit("DialTimeout", orDefault(&c.DialTimeout, time.Minute))
	limit("WriteStall", orDefault(&c.WriteStall, time.Minute))
	limit("PingInterval", orDefault(&c.PingInterval, 25*time.Second))
	for _, d := range []time.Duration{c.AuthorizeTimeout, c.OfferTimeout, c.DialTimeout, c.WriteStall, c.PingInterval} {
		if d < time.Millisecond && err == nil {
			err = fmt.Errorf("a time limit of %v is too short to be kept", d)
		}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return err
}

// maxRate is the largest rate that still means something.
const maxRate = math.MaxInt32

// orDefault reports whether *v is negative, and sets it to def if it is zero.
func orDefault[T int | int64 | float64 | time.Duration](v *T, def T) (negative bool) {
	if *v == 0 {
		*v = def
	}
	return *v < 0
}

// Relay is an http.Handler that serves pages, and a prometheus.Collector of what it does. Its methods may be called
// concurrently. It holds goroutines only while it holds connections; Drain ends them.
type Relay struct {
	cfg     Config
	policy  atomic.Pointer[policy]
	rate    *rate.Limiter
	metrics *metrics

	ctx    context.Context // bounds the handshakes; cancelled by Drain at its deadline
	cancel context.CancelFunc

	started time.Time
	now     atomic.Int64 // a coarse clock, in nanoseconds since started; kept by sweep, so that no chunk pays for a timer

	upstreams  upstreamsWatch
	authorizer *authorizer // nil: nobody is asked

	refusals *rate.Limiter // of refused pages, those that are logged
	starved  atomic.Int64  // when descriptors last ran out, as now; 0 before

	mu       sync.Mutex
	held     int // connections, from their admission to their end
	waiting  int // connections that http.Server holds
	clients  map[netip.Prefix]*client
	crowded  int // the number of clients at which the idle ones are forgotten
	pairs    map[*pair]struct{}
	sweeping bool          // a sweep is due
	draining chan struct{} // nil until Drain; closed once held is 0
}

// New returns a Relay, or an error that names the pattern or limit of cfg that makes no sense.
func New(cfg Config) (*Relay, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	r := &Relay{
		cfg:     cfg,
		rate:    rate.NewLimiter(rate.Limit(cfg.HandshakeRate), max(1, int(cfg.HandshakeRate))),
		metrics: newMetrics(&cfg),
		clients: map[netip.Prefix]*client{},
		pairs:   map[*pair]struct{}{},
		started: time.Now(),

		refusals: rate.NewLimiter(50, 50),
	}
	if cfg.Authorize != "" {
		var err error
		if r.authorizer, err = newAuthorizer(cfg.Authorize, cfg.AuthorizeTimeout); err != nil {
			return nil, err
		}
	}
	r.upstreams.file.name = cfg.Upstreams
	if err := r.loadUpstreams(); err != nil {
		return nil, err
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r, nil
}

// ServeHTTP serves one page. It returns once the upstream is connected or has failed; the connection itself goes on
// without it, and without the http.Server that called it.
func (r *Relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	began := time.Now()
	r.followUpstreams()
	addr, id := r.clientAddr(req), rand.Text()
	outcome := "open"
	if f := r.admit(req, addr); f != nil {
		outcome = f.outcome
		w.Header().Set(requestID, id)
		r.turnAway(w, f)
		r.logRefusal(req, addr, id, outcome)
	} else if f := r.connect(w, req, addr, id); f != nil {
		outcome = f.outcome
		r.leave(addr)
	}
	r.metrics.handshake(outcome, time.Since(began))
}

// turnAway answers a page before its upgrade. It does not wait for what the page may still send.
func (r *Relay) turnAway(w http.ResponseWriter, f *failure) {
	w.Header().Set("Connection", "close")
	http.NewResponseController(w).SetReadDeadline(aLongTimeAgo)
	http.Error(w, f.reason, f.status)
}

// admit decides on a page before its upgrade, and counts it in if it returns nil.
func (r *Relay) admit(req *http.Request, addr netip.Prefix) *failure {
	if req.ContentLength != 0 || len(req.TransferEncoding) > 0 {
		return &failure{outcome: "body", status: http.StatusBadRequest, reason: "a WebSocket handshake has no body"}
	}
	if !slices.ContainsFunc(req.Header.Values("Sec-WebSocket-Protocol"), func(v string) bool {
		return slices.ContainsFunc(strings.Split(v, ","), func(p string) bool { return strings.TrimSpace(p) == Subprotocol })
	}) {
		return &failure{outcome: "upgrade", status: http.StatusBadRequest, reason: "expected a WebSocket handshake offering the subprotocol " + Subprotocol}
	}
	if origins := req.Header.Values("Origin"); len(origins) != 1 || !r.policy.Load().served.has(origins[0]) {
		return &failure{outcome: "origin", status: http.StatusForbidden, reason: "this page's origin may not use the relay"}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.client(addr)
	switch {
	case r.draining != nil:
		return &failure{outcome: "draining", status: http.StatusServiceUnavailable, reason: "the relay is shutting down"}
	case c.held >= r.cfg.MaxConnsPerAddr:
		return &failure{outcome: "address_full", status: http.StatusTooManyRequests, reason: "too many connections from this address"}
	case !c.rate.Allow():
		return &failure{outcome: "address_rate", status: http.StatusTooManyRequests, reason: "too many handshakes from this address, try again later"}
	case r.held >= r.cfg.MaxConns:
		return &failure{outcome: "full", status: http.StatusServiceUnavailable, reason: "the relay is full"}
	case !r.rate.Allow():
		return &failure{outcome: "rate", status: http.StatusServiceUnavailable, reason: "too many handshakes, try again later"}
	}
	r.held++
	c.held++
	r.metrics.connections.Inc()
	return nil
}

func (r *Relay) leave(addr netip.Prefix) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.metrics.connections.Dec()
	r.client(addr).held--
	if r.held--; r.held == 0 && r.draining != nil {
		close(r.draining)
	}
}

// drainWait is how long Drain waits, twice: for peers to answer its closes, and for what it has cut to end.
const drainWait = time.Second

// Drain refuses new pages and waits for the connections to end. Those that do not are closed with 1001, one after another
// over the time until ctx's deadline, so that their pages do not all return at once to the relays that remain; without a
// deadline, all of them when ctx ends. Drain returns once none is held, or two seconds after ctx has ended: how many it closed,
// and an error that counts those that would not end. Call it once.
func (r *Relay) Drain(ctx context.Context) (closed int, err error) {
	if r.authorizer != nil {
		defer r.authorizer.client.CloseIdleConnections()
	}
	began := time.Now()
	r.mu.Lock()
	r.draining = make(chan struct{})
	if r.held == 0 {
		close(r.draining)
	}
	pairs := slices.Collect(maps.Keys(r.pairs)) // in no order
	r.mu.Unlock()
	dismiss := func(p *pair) { // the caller holds r.mu
		if _, held := r.pairs[p]; held && !p.dismissed {
			p.dismissed = true
			closed++
			go p.drain()
		}
	}
	deadline, spread := ctx.Deadline()
	for i := 0; ctx.Err() == nil; i++ {
		var next <-chan time.Time
		if spread && i+1 < len(pairs) {
			next = time.After(time.Until(began.Add(deadline.Sub(began) / time.Duration(len(pairs)) * time.Duration(i+1))))
		}
		select {
		case <-r.draining:
			r.cancel()
			return closed, nil
		case <-ctx.Done():
		case <-next:
			r.mu.Lock()
			dismiss(pairs[i])
			r.mu.Unlock()
		}
	}
	r.mu.Lock()
	closed += r.held - len(r.pairs)
	r.cancel() // ends the handshakes
	for p := range r.pairs {
		dismiss(p)
	}
	r.mu.Unlock()
	select {
	case <-r.draining:
		return closed, nil
	case <-time.After(drainWait):
	}
	r.mu.Lock()
	for p := range r.pairs {
		go p.legs[up].conn.Close()
		go p.legs[down].conn.Close()
	}
	r.mu.Unlock()
	select {
	case <-r.draining:
		return closed, nil
	case <-time.After(drainWait):
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return closed, fmt.Errorf("connections that have not ended: %d", r.held)
}

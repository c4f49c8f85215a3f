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
// closes; code and reason pass through, a side that vanishes without a close makes the other vanish without one.
//
// Endings of the relay's own making carry these codes (RFC 6455 section 7.4.1), each with its reason:
//
//	1001  the relay is shutting down
//	1002  a peer broke the protocol
//	1003  the first message is not text
//	1007  the first message is not the JSON object above
//	1008  no first message in time; a peer took nothing for [Config.WriteStall]
//	1009  the first message exceeds 64 KiB; a message exceeds [Config.MaxMessage]
//	1011  a peer answers no pings
package relay

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
	"nhooyr.io/websocket"
)

// Subprotocol is what a page must offer in its handshake with the relay.
const Subprotocol = "connectsocket.relay.v1"

// maxOffer is the largest first message, in bytes.
const maxOffer = 64 << 10

// Config is what an operator decides. The zero value of a limit is its default; the zero value of a list allows nothing.
type Config struct {
	// Allow lists the upstreams that pages may reach: "host:port", "host" (the scheme's own port) or "*.suffix", with a
	// port or without. Only a host listed by its full name may have an address that is not public.
	Allow []string
	// Origins lists the pages that may use the relay: "https://app.example", "https://*.app.example", or "*" for any.
	Origins []string
	// TrustedProxies are the peers whose X-Forwarded-For names the client.
	TrustedProxies []netip.Prefix

	MaxConns        int     // connections in all; default 10000
	MaxConnsPerAddr int     // connections of one IPv4 address or IPv6 /64; default 100
	HandshakeRate   float64 // handshakes per second, with bursts of as many; default 200
	MaxMessage      int64   // bytes of one message; default 64 MiB

	OfferTimeout time.Duration // for the first message; default 10 s
	DialTimeout  time.Duration // the most a page may ask for; default 60 s
	WriteStall   time.Duration // for a peer to take one chunk (128 KiB at most); default 60 s
	PingInterval time.Duration // silence before a ping, and again before giving up; default 60 s

	Logger   *slog.Logger  // default slog.Default()
	Resolver *net.Resolver // default net.DefaultResolver
	TLS      *tls.Config   // for wss upstreams; default the system's roots
}

func orDefault[T int | int64 | float64 | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// Relay is an http.Handler that serves pages, and a prometheus.Collector of what it does. Its methods may be called
// concurrently. It holds goroutines only while it holds connections; Drain ends them.
type Relay struct {
	cfg     Config
	policy  policy
	rate    *rate.Limiter
	metrics *metrics

	ctx    context.Context // bounds the handshakes; cancelled by Drain at its deadline
	cancel context.CancelFunc

	started time.Time
	now     atomic.Int64 // a coarse clock, in nanoseconds since started; kept by sweep, so that no chunk pays for a timer

	mu       sync.Mutex
	held     int // connections, from their admission to their end
	byAddr   map[netip.Prefix]int
	pairs    map[*pair]struct{}
	draining chan struct{} // nil until Drain; closed once held is 0
}

// New returns a Relay, or an error that names the pattern of cfg that cannot be read.
func New(cfg Config) (*Relay, error) {
	orDefault(&cfg.MaxConns, 10_000)
	orDefault(&cfg.MaxConnsPerAddr, 100)
	orDefault(&cfg.HandshakeRate, 200)
	orDefault(&cfg.MaxMessage, 64<<20)
	orDefault(&cfg.OfferTimeout, 10*time.Second)
	orDefault(&cfg.DialTimeout, time.Minute)
	orDefault(&cfg.WriteStall, time.Minute)
	orDefault(&cfg.PingInterval, time.Minute)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	policy, err := newPolicy(cfg.Allow, cfg.Origins)
	if err != nil {
		return nil, err
	}
	r := &Relay{
		cfg:     cfg,
		policy:  policy,
		rate:    rate.NewLimiter(rate.Limit(cfg.HandshakeRate), max(1, int(cfg.HandshakeRate))),
		metrics: newMetrics(),
		byAddr:  map[netip.Prefix]int{},
		pairs:   map[*pair]struct{}{},
		started: time.Now(),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r, nil
}

// failure is why a page gets no connection.
type failure struct {
	outcome string // label of the handshakes metric
	text    string // for people
	status  int    // of the HTTP response: the relay's before the upgrade, the upstream's after it
	header  http.Header
	code    websocket.StatusCode // instead of an answer, close with this
}

// ServeHTTP serves one page. It returns once the upstream is connected or has failed; the connection itself goes on
// without it, and without the http.Server that called it.
func (r *Relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	began := time.Now()
	addr := r.clientAddr(req)
	outcome := "open"
	f := r.admit(req, addr)
	if f != nil {
		outcome = f.outcome
		http.Error(w, f.text, f.status)
		r.cfg.Logger.Info("page refused", "outcome", outcome, "client", addr.Addr(), "origin", req.Header.Get("Origin"))
	} else if f := r.connect(w, req, addr); f != nil {
		outcome = f.outcome
		r.leave(addr)
	}
	r.metrics.handshakes.WithLabelValues(outcome).Inc()
	r.metrics.handshakeSeconds.Observe(time.Since(began).Seconds())
}

// admit decides on a page before its upgrade, and counts it in if it returns nil.
func (r *Relay) admit(req *http.Request, addr netip.Prefix) *failure {
	if !slices.ContainsFunc(req.Header.Values("Sec-WebSocket-Protocol"), func(v string) bool {
		return slices.ContainsFunc(strings.Split(v, ","), func(p string) bool { return strings.TrimSpace(p) == Subprotocol })
	}) {
		return &failure{outcome: "upgrade", status: http.StatusBadRequest, text: "a WebSocket of the subprotocol " + Subprotocol + " is served here"}
	}
	if origins := req.Header.Values("Origin"); len(origins) != 1 || !r.policy.origin(origins[0]) {
		return &failure{outcome: "origin", status: http.StatusForbidden, text: "this page's origin may not use the relay"}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.draining != nil:
		return &failure{outcome: "draining", status: http.StatusServiceUnavailable, text: "the relay is shutting down"}
	case r.held >= r.cfg.MaxConns:
		return &failure{outcome: "full", status: http.StatusServiceUnavailable, text: "the relay is full"}
	case r.byAddr[addr] >= r.cfg.MaxConnsPerAddr:
		return &failure{outcome: "address_full", status: http.StatusTooManyRequests, text: "too many connections from this address"}
	case !r.rate.Allow():
		return &failure{outcome: "rate", status: http.StatusTooManyRequests, text: "too many handshakes, try again later"}
	}
	r.held++
	r.byAddr[addr]++
	r.metrics.connections.Inc()
	return nil
}

func (r *Relay) leave(addr netip.Prefix) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.metrics.connections.Dec()
	if r.byAddr[addr]--; r.byAddr[addr] == 0 {
		delete(r.byAddr, addr)
	}
	if r.held--; r.held == 0 && r.draining != nil {
		close(r.draining)
	}
}

// connect upgrades the page, reads its offer, dials and answers. Where it returns nil the connection lives on as a pair.
func (r *Relay) connect(w http.ResponseWriter, req *http.Request, addr netip.Prefix) *failure {
	var page takeover
	handle, err := websocket.Accept(page.wrap(w), req, &websocket.AcceptOptions{
		Subprotocols:       []string{Subprotocol},
		InsecureSkipVerify: true, // admit has checked the origin
	})
	if err != nil {
		return &failure{outcome: "upgrade"}
	}
	log := r.cfg.Logger.With("client", addr.Addr(), "origin", req.Header.Get("Origin"))

	offer, f := r.readOffer(handle, page.conn)
	if f == nil {
		log = log.With("upstream", offer.target())
		f = r.policy.offer(offer)
	}
	var up *upstream
	if f == nil {
		ctx, cancel := context.WithTimeout(r.ctx, min(offer.timeout, r.cfg.DialTimeout))
		stop := page.watch(cancel)
		up, f = r.dial(ctx, offer, req.Header)
		stop()
		cancel()
	}
	if f != nil {
		a := answer{ErrMsg: "connectSocket:fail " + f.text, Status: f.status, Header: flatten(f.header)}
		switch {
		case f.outcome == "page_gone":
		case f.code != 0:
			handle.Close(f.code, f.text)
		case r.answer(handle, a) == nil:
			handle.Close(websocket.StatusNormalClosure, "")
		}
		handle.CloseNow()
		log.Info("handshake failed", "outcome", f.outcome, "reason", f.text)
		return f
	}
	err = r.answer(handle, answer{
		Open:     true,
		Protocol: up.header.Get("Sec-WebSocket-Protocol"),
		Header:   flatten(up.header),
		Profile:  up.profile,
	})
	if err != nil {
		handle.CloseNow()
		up.handle.CloseNow()
		return &failure{outcome: "page_gone"}
	}
	log.Info("open", "status", http.StatusSwitchingProtocols, "cost_ms", up.profile.Cost)
	s := session{relay: r, addr: addr, log: log, began: time.Now()}
	if up.deflates() {
		go s.copyMessages(&page, handle, up)
	} else {
		s.forwardFrames(&page, handle, up)
	}
	return nil
}

// readOffer reads the first message: text, in time, and at most maxOffer bytes.
func (r *Relay) readOffer(handle *websocket.Conn, conn net.Conn) (*offer, *failure) {
	// A deadline of the connection, not of a context: at a context's end the library drops the connection without a close.
	conn.SetReadDeadline(time.Now().Add(r.cfg.OfferTimeout))
	defer conn.SetReadDeadline(time.Time{})
	handle.SetReadLimit(-1)
	typ, rd, err := handle.Reader(r.ctx)
	var b []byte
	if err == nil && typ == websocket.MessageText {
		b, err = io.ReadAll(io.LimitReader(rd, maxOffer+1))
	}
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return nil, &failure{outcome: "no_offer", code: websocket.StatusPolicyViolation,
			text: fmt.Sprintf("no first message within %v", r.cfg.OfferTimeout)}
	case err != nil:
		return nil, &failure{outcome: "page_gone", text: "the page went away"}
	case typ != websocket.MessageText:
		return nil, &failure{outcome: "bad_offer", code: websocket.StatusUnsupportedData, text: "the first message is not text"}
	case len(b) > maxOffer:
		return nil, &failure{outcome: "bad_offer", code: websocket.StatusMessageTooBig, text: "the first message exceeds 64 KiB"}
	}
	o, err := decodeOffer(b)
	if err != nil {
		return nil, &failure{outcome: "bad_offer", code: websocket.StatusInvalidFramePayloadData, text: cut("the first message: "+err.Error(), maxReason)}
	}
	return o, nil
}

type answer struct {
	Open     bool              `json:"open"`
	Protocol string            `json:"protocol,omitempty"`
	ErrMsg   string            `json:"errMsg,omitempty"`
	Status   int               `json:"status,omitempty"`
	Header   map[string]string `json:"header,omitempty"`
	Profile  *profile          `json:"profile,omitempty"`
}

func (r *Relay) answer(handle *websocket.Conn, a answer) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(a); err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	ctx, cancel := context.WithTimeout(r.ctx, r.cfg.OfferTimeout)
	defer cancel()
	return handle.Write(ctx, websocket.MessageText, bytes.TrimSpace(b.Bytes()))
}

// flatten joins the values of each header, as mini programs present them, and names the protocol's own as RFC 6455 does.
func flatten(h http.Header) map[string]string {
	m := make(map[string]string, len(h))
	for name, values := range h {
		m[strings.Replace(name, "Sec-Websocket-", "Sec-WebSocket-", 1)] = strings.Join(values, ", ")
	}
	return m
}

// clientAddr is what the limit per address counts: the peer's, or the one that trusted proxies forward.
func (r *Relay) clientAddr(req *http.Request) netip.Prefix {
	peer, _ := netip.ParseAddrPort(req.RemoteAddr)
	addr := peer.Addr().Unmap()
	trusted := func(p netip.Prefix) bool { return p.Contains(addr) }
	hops := strings.Split(strings.Join(req.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && slices.ContainsFunc(r.cfg.TrustedProxies, trusted); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop.Unmap()
	}
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.WithZone("").Prefix(bits)
	return p
}

// Drain refuses new pages, waits for the connections to end, closes those left with 1001 when ctx ends, and returns once
// none is held: nil if all ended by themselves, else an error that counts those it closed. Call it once.
func (r *Relay) Drain(ctx context.Context) error {
	r.mu.Lock()
	r.draining = make(chan struct{})
	if r.held == 0 {
		close(r.draining)
	}
	r.mu.Unlock()
	select {
	case <-r.draining:
		r.cancel()
		return nil
	case <-ctx.Done():
	}
	r.mu.Lock()
	left := r.held
	r.cancel() // ends some of them
	for p := range r.pairs {
		go p.drain()
	}
	r.mu.Unlock()
	select {
	case <-r.draining:
	case <-time.After(closeWait):
		r.mu.Lock()
		for p := range r.pairs {
			go p.legs[up].conn.Close()
			go p.legs[down].conn.Close()
		}
		r.mu.Unlock()
		<-r.draining
	}
	return fmt.Errorf("closed %d connections at the deadline: %w", left, ctx.Err())
}

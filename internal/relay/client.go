package relay

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/pires/go-proxyproto"
	"golang.org/x/time/rate"
)

// client is what the relay knows of one IPv4 address or IPv6 /64.
type client struct {
	held     int // connections, from their admission to their end
	waiting  int // connections that http.Server holds: before the upgrade, or never upgraded
	rate     *rate.Limiter
	refused  time.Time // when a refusal was last logged
	unlogged int       // refusals since
}

// refusalPause is the least time between two log lines of refusals of one address.
const refusalPause = time.Second

// client returns what is known of addr. The caller holds r.mu.
func (r *Relay) client(addr netip.Prefix) *client {
	c := r.clients[addr]
	if c == nil {
		if len(r.clients) >= r.crowded {
			for addr, c := range r.clients {
				if c.held == 0 && c.waiting == 0 && c.rate.Tokens() >= float64(c.rate.Burst()) && time.Since(c.refused) > refusalPause {
					delete(r.clients, addr)
				}
			}
			r.crowded = 2*len(r.clients) + 100
		}
		c = &client{rate: rate.NewLimiter(rate.Limit(r.cfg.HandshakeRatePerAddr), r.cfg.MaxConnsPerAddr)}
		r.clients[addr] = c
	}
	return c
}

// clientAddr is what the limits per address count.
func (r *Relay) clientAddr(req *http.Request) netip.Prefix { return network(r.pageAddr(req)) }

// pageAddr is the peer's address, or the one that trusted proxies forward.
func (r *Relay) pageAddr(req *http.Request) netip.Addr {
	addr := peerAddr(req.RemoteAddr)
	hops := strings.Split(strings.Join(req.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && r.trusted(addr); i-- {
		hop, err := parseHop(hops[i])
		if err != nil {
			break
		}
		addr = hop
	}
	return addr
}

// pageProto is the scheme, http or https, by which a page reached the relay, or the trusted proxies before it.
func (r *Relay) pageProto(req *http.Request) string {
	if req.TLS != nil {
		return "https"
	}
	if proto := req.Header.Get("X-Forwarded-Proto"); (proto == "https" || proto == "http") && r.trusted(peerAddr(req.RemoteAddr)) {
		return proto
	}
	return "http"
}

func (r *Relay) trusted(addr netip.Addr) bool {
	return slices.ContainsFunc(r.cfg.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// peerAddr reads what net/http and net say of a peer: "ip:port".
func peerAddr(s string) netip.Addr {
	peer, _ := netip.ParseAddrPort(s)
	return peer.Addr().Unmap().WithZone("")
}

// parseHop reads one address of X-Forwarded-For as proxies write it: bare, or with brackets, a port or quotes.
func parseHop(s string) (netip.Addr, error) {
	s = strings.Trim(strings.TrimSpace(s), `"`)
	if host, _, err := net.SplitHostPort(s); err == nil {
		s = host
	} else if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		s = s[1 : len(s)-1]
	}
	addr, err := netip.ParseAddr(s)
	return addr.Unmap().WithZone(""), err
}

// network is what the limits count as one address.
func network(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits)
	return p
}

// logRefusal logs that a page was refused, unless that would flood the log.
func (r *Relay) logRefusal(req *http.Request, addr netip.Prefix, id, outcome string) {
	r.mu.Lock()
	c := r.client(addr)
	if time.Since(c.refused) < refusalPause || !r.refusals.Allow() {
		c.unlogged++
		r.mu.Unlock()
		return
	}
	unlogged := c.unlogged
	c.refused, c.unlogged = time.Now(), 0
	r.mu.Unlock()
	r.cfg.Logger.Info("page refused", "id", id, "outcome", outcome, "client", addr.Addr(), "origin", logged(req.Header.Get("Origin")), "unlogged", unlogged)
}

// Guard has the relay limit the connections that s holds before their upgrade, in all and for each address but those of
// trusted proxies, and returns l with the PROXY protocol, if that is on, and a report of descriptors that run out. s must serve
// that listener, or TLS over it, and nothing else may use its ConnState.
func (r *Relay) Guard(s *http.Server, l net.Listener) net.Listener {
	s.ConnState = r.connState
	l = &listener{l, r}
	if r.cfg.ProxyProtocol {
		l = &proxyproto.Listener{Listener: l, ConnPolicy: func(o proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
			if r.trusted(peerAddr(o.Upstream.String())) {
				return proxyproto.REQUIRE, nil
			}
			return proxyproto.SKIP, nil // a header is what it is for any other HTTP server: a bad request
		}}
	}
	return l
}

// connState counts the connections of a http.Server, and closes those that are too many.
func (r *Relay) connState(conn net.Conn, state http.ConnState) {
	if c, ok := conn.(*tls.Conn); ok {
		conn = c.NetConn()
	}
	proxied, ok := conn.(*proxyproto.Conn)
	if ok {
		conn = proxied.Raw() // its own address is known only once its header has come
	}
	addr := peerAddr(conn.RemoteAddr().String())
	if ok && state == http.StateClosed && proxied.ProxyHeader() == nil { // read before, when the server served it
		r.cfg.Logger.Debug("no PROXY header", "peer", addr)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.client(network(addr))
	switch state {
	case http.StateNew:
		c.waiting++
		r.waiting++
		if r.waiting > r.cfg.MaxConns || c.waiting > r.cfg.MaxConnsPerAddr && !r.trusted(addr) {
			r.metrics.crowded.Inc()
			go conn.Close() // StateClosed follows
		}
	case http.StateHijacked, http.StateClosed:
		c.waiting--
		r.waiting--
	}
}

// listener reports descriptors that run out.
type listener struct {
	net.Listener
	relay *Relay
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		l.relay.shortOfDescriptors()
	}
	return conn, err
}

// starvation is how long the relay counts as out of descriptors after they ran out.
const starvation = 5 * time.Second

// shortOfDescriptors notes that a descriptor could not be had, and logs it once in a while.
func (r *Relay) shortOfDescriptors() {
	r.metrics.starved.Inc()
	now := int64(time.Since(r.started)) + 1
	if last := r.starved.Swap(now); last == 0 || now-last > int64(starvation) {
		r.cfg.Logger.Error("out of file descriptors: raise the limit of open files, or lower the limit of connections")
	}
}

// Ready reports why the relay takes no new pages, or nil if it does.
func (r *Relay) Ready() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := r.starved.Load()
	switch {
	case r.draining != nil:
		return errors.New("draining")
	case r.held >= r.cfg.MaxConns:
		return errors.New("full")
	case last != 0 && int64(time.Since(r.started))-last < int64(starvation):
		return errors.New("out of file descriptors")
	}
	// A pair needs two.
	for range 2 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return errors.New("out of file descriptors")
		}
		defer f.Close()
	}
	return nil
}

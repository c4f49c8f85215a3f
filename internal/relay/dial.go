package relay

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"nhooyr.io/websocket"
)

// upstream is a connection after its handshake.
type upstream struct {
	lease   *lease
	header  http.Header
	profile *profile
}

// compresses reports whether the upstream accepted compression, so that its messages differ from the page's.
func (u *upstream) compresses() bool { return u.header.Get("Sec-WebSocket-Extensions") != "" }

// profile is the handshake's clock as mini programs know it: the first five in ms since the epoch, the others in ms.
type profile struct {
	FetchStart        int64 `json:"fetchStart"`
	DomainLookUpStart int64 `json:"domainLookUpStart"`
	DomainLookUpEnd   int64 `json:"domainLookUpEnd"`
	ConnectStart      int64 `json:"connectStart"`
	ConnectEnd        int64 `json:"connectEnd"`    // after TLS
	RTT               int64 `json:"rtt"`           // of connecting, with TLS
	HandshakeCost     int64 `json:"handshakeCost"` // from the request to its response
	Cost              int64 `json:"cost"`          // of it all
}

// stopwatch fills a profile. A dial that has lost its race may still call in after the handshake, so there is a lock.
type stopwatch struct {
	mu sync.Mutex
	fetchStart, lookupStart, lookupEnd, connectStart,
	connectEnd time.Time
}

func (s *stopwatch) mark(t *time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.IsZero() {
		*t = time.Now()
	}
}

func (s *stopwatch) trace(got func(net.Conn)) *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSStart:     func(httptrace.DNSStartInfo) { s.mark(&s.lookupStart) },
		DNSDone:      func(httptrace.DNSDoneInfo) { s.mark(&s.lookupEnd) },
		ConnectStart: func(string, string) { s.mark(&s.connectStart) },
		GotConn: func(i httptrace.GotConnInfo) {
			s.mark(&s.connectEnd)
			got(i.Conn)
		},
	}
}

func (s *stopwatch) profile() *profile {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.lookupStart.IsZero() { // an address needs no look-up
		s.lookupStart, s.lookupEnd = s.fetchStart, s.fetchStart
	}
	return &profile{
		FetchStart:        s.fetchStart.UnixMilli(),
		DomainLookUpStart: s.lookupStart.UnixMilli(),
		DomainLookUpEnd:   s.lookupEnd.UnixMilli(),
		ConnectStart:      s.connectStart.UnixMilli(),
		ConnectEnd:        s.connectEnd.UnixMilli(),
		RTT:               s.connectEnd.Sub(s.connectStart).Milliseconds(),
		HandshakeCost:     now.Sub(s.connectEnd).Milliseconds(),
		Cost:              now.Sub(s.fetchStart).Milliseconds(),
	}
}

// proxyOp is what http.Transport calls the way to and through a forward proxy in its errors.
const proxyOp = "proxyconnect"

// dial connects to the upstream of an offer that the policy has passed, with this header, until ctx ends.
func (r *Relay) dial(ctx context.Context, o *offer, header http.Header) (*upstream, *failure) {
	dialer := net.Dialer{Resolver: r.cfg.Resolver}
	if o.rule.suffix && o.rule.proxy == nil {
		// At the connect, where no name can change its mind any more.
		dialer.Control = func(_, address string, _ syscall.RawConn) error { return checkAddress(address) }
	}
	// One transport a dial: nothing of one page's connection reaches another's.
	var rt roundTripper
	rt.DisableKeepAlives = true
	rt.MaxResponseHeaderBytes = 64 << 10
	rt.TLSClientConfig = r.cfg.TLS.Clone()
	if o.rule.tls != nil {
		rt.TLSClientConfig = o.rule.tls.Clone()
	}
	if o.rule.proxy != nil {
		rt.Proxy = http.ProxyURL(o.rule.proxy)
		rt.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
			if resp.StatusCode != http.StatusOK {
				return &net.OpError{Op: proxyOp, Net: "tcp", Err: errors.New(resp.Status)}
			}
			return nil
		}
	}
	rt.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if tcp, ok := conn.(*net.TCPConn); ok && o.noDelay != nil {
			err = tcp.SetNoDelay(*o.noDelay)
		}
		return conn, err
	}
	opts := &websocket.DialOptions{
		HTTPClient: &http.Client{
			Transport:     &rt,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		HTTPHeader:   header,
		Subprotocols: o.protocols,
	}
	if o.deflate && !r.cfg.NoCompression {
		opts.CompressionMode = websocket.CompressionNoContextTakeover
	}
	watch := stopwatch{fetchStart: time.Now()}
	ctx = httptrace.WithClientTrace(ctx, watch.trace(func(c net.Conn) { rt.conn = c }))
	handle, resp, err := websocket.Dial(ctx, o.parsed.String(), opts)
	if err != nil {
		if r.ctx.Err() != nil {
			return nil, shuttingDown
		}
		f := explain(ctx, o, resp, err)
		if f.outcome == "descriptors" {
			r.shortOfDescriptors()
		}
		return nil, f
	}
	rt.lease.release(handle)
	rt.lease.Conn.SetReadDeadline(time.Time{})
	return &upstream{lease: rt.lease, header: resp.Header, profile: watch.profile()}, nil
}

// explain says why an upstream could not be reached. It never quotes err as it is: that would hold the URL.
func explain(ctx context.Context, o *offer, resp *http.Response, err error) *failure {
	if resp != nil {
		if resp.StatusCode == http.StatusSwitchingProtocols {
			return &failure{outcome: "handshake", status: resp.StatusCode, header: resp.Header, reason: "upstream answered with an invalid WebSocket handshake"}
		}
		return &failure{outcome: "status", status: resp.StatusCode, header: resp.Header,
			reason: "upstream refused the handshake", text: "upstream answered " + cut(resp.Status, 200)}
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return &failure{outcome: "page_gone", reason: "the page went away"}
	}
	var (
		outer *url.Error
		bad   handshakeError
		addr  *addressError
		dns   *net.DNSError
		cert  *tls.CertificateVerificationError
		rec   tls.RecordHeaderError
		alert *net.OpError
		name  x509.HostnameError
		host  = o.parsed.Hostname()
	)
	if errors.As(err, &outer) {
		err = outer.Err
	}
	about := func(outcome, reason, format string, args ...any) *failure {
		return &failure{outcome: outcome, reason: reason, text: cut(fmt.Sprintf(format, args...), 500)}
	}
	var timeout net.Error
	switch {
	case errors.As(err, &bad):
		return &failure{outcome: "handshake", status: http.StatusSwitchingProtocols, reason: bad.Error()}
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), strings.Contains(err.Error(), "too many open files"): // a failed look-up is text only
		return &failure{outcome: "descriptors", reason: "the relay is out of file descriptors"}
	case errors.As(err, &addr):
		return about("policy", "an address that is not public", "upstream %q has an address that is not public", host)
	case errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil:
		return &failure{outcome: "timeout", reason: "timeout"}
	case errors.As(err, &alert) && alert.Op == proxyOp:
		return &failure{outcome: "proxy", reason: "the relay's forward proxy gave no connection to the upstream"}
	case errors.As(err, &dns) && dns.IsNotFound:
		return about("dns", "no such name", "upstream %q does not exist (DNS)", host)
	case errors.As(err, &dns):
		return about("dns", "the name could not be looked up", "upstream %q could not be looked up (DNS)", host)
	case errors.As(err, &cert), errors.As(err, &name), errors.As(err, &alert) && alert.Op == "remote error":
		return about("tls", "TLS failed", "upstream's TLS: %v", err)
	case errors.As(err, &rec), errors.Is(err, http.ErrSchemeMismatch):
		return &failure{outcome: "tls", reason: "upstream does not speak TLS"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &failure{outcome: "refused", reason: "upstream refused the connection"}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return &failure{outcome: "network", reason: "upstream is unreachable"}
	case errors.As(err, &timeout) && timeout.Timeout():
		return &failure{outcome: "timeout", reason: "timeout"}
	case strings.Contains(err.Error(), "malformed"), strings.Contains(err.Error(), "exceeded"): // net/http has no types for these
		return &failure{outcome: "handshake", reason: "upstream gave no valid HTTP response"}
	}
	return &failure{outcome: "network", reason: "upstream closed the connection during the handshake"}
}

package relay

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
	"nhooyr.io/websocket"
)

// from opens a WebSocket to the relay for a client that a trusted proxy names.
func from(t *testing.T, relay, client string) (status int) {
	t.Helper()
	c, resp, err := websocket.Dial(t.Context(), relay, &websocket.DialOptions{Subprotocols: []string{Subprotocol},
		HTTPHeader: http.Header{"Origin": {pageOrigin}, "X-Forwarded-For": {client}}})
	if err == nil {
		c.CloseNow()
	}
	if resp == nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// TestFlood has one address ask without end: it is refused, another one is served, the log stays short and memory bounded.
func TestFlood(t *testing.T) {
	var logs syncBuffer
	r, relay := serve(t, Config{TrustedProxies: loopback, HandshakeRate: 20, HandshakeRatePerAddr: 0.001, MaxConnsPerAddr: 5,
		Logger: slog.New(slog.NewTextHandler(&logs, nil))})
	refused := 0
	for range 200 {
		if from(t, relay, "192.0.2.1") == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused < 190 {
		t.Errorf("%d of 200 were refused", refused)
	}
	if got := from(t, relay, "192.0.2.2"); got != http.StatusSwitchingProtocols {
		t.Errorf("another address: %d", got)
	}
	if n := strings.Count(logs.String(), "page refused"); n == 0 || n > 30 {
		t.Errorf("%d lines for %d refusals", n, refused)
	}
	counted(t, r.metrics.connections, 0)
}

// TestUnlogged has the refusals that were not logged counted in the next line.
func TestUnlogged(t *testing.T) {
	var logs syncBuffer
	r, err := New(Config{Logger: slog.New(slog.NewTextHandler(&logs, nil))})
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParsePrefix("192.0.2.1/32")
	req := httptest.NewRequest("GET", "/", nil)
	for range 5 {
		r.logRefusal(req, addr, "id", "origin")
	}
	r.client(addr).refused = time.Now().Add(-2 * refusalPause)
	r.logRefusal(req, addr, "id", "origin")
	if s := logs.String(); strings.Count(s, "page refused") != 2 || !strings.Contains(s, "unlogged=4") {
		t.Errorf("logged: %s", s)
	}
}

// TestClientsAreForgotten has many addresses come and go.
func TestClientsAreForgotten(t *testing.T) {
	r, relay := serve(t, Config{TrustedProxies: loopback, HandshakeRate: 1e6, HandshakeRatePerAddr: 1e6})
	for i := range 500 {
		if got := from(t, relay, fmt.Sprintf("192.0.%d.%d", i/256, i%256)); got != http.StatusSwitchingProtocols {
			t.Fatal(got)
		}
	}
	counted(t, r.metrics.connections, 0)
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.clients); n > 250 {
		t.Errorf("%d addresses are known", n)
	}
}

// TestGuard has connections wait that never ask for anything: of one address and in all there are only so many.
func TestGuard(t *testing.T) {
	for name, c := range map[string]struct {
		cfg    Config
		served int
	}{
		"of one address":         {Config{MaxConnsPerAddr: 3}, 3},
		"in all":                 {Config{MaxConns: 5}, 5},
		"of a proxy, in all":     {Config{MaxConnsPerAddr: 3, MaxConns: 6, TrustedProxies: loopback}, 6},
		"of one address and all": {Config{MaxConnsPerAddr: 4, MaxConns: 3}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			c.cfg.Origins = []string{pageOrigin}
			c.cfg.Logger = slog.New(slog.DiscardHandler)
			r, err := New(c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			s := &http.Server{Handler: r, ReadTimeout: time.Minute}
			done := make(chan error, 1)
			go func() { done <- s.Serve(r.Guard(s, l)) }()
			defer func() { s.Close(); <-done }()
			var conns []net.Conn
			open := func() net.Conn {
				conn, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { conn.Close() })
				conn.SetDeadline(time.Now().Add(20 * time.Second))
				return conn
			}
			waiting := func() int { r.mu.Lock(); defer r.mu.Unlock(); return r.waiting }
			for i := range c.served {
				conns = append(conns, open())
				eventually(t, "one more waits", func() bool { return waiting() == i+1 })
			}
			for i := range 3 {
				if _, err := open().Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
					t.Errorf("one too many: %v", err)
				}
				counted(t, r.metrics.crowded, float64(i+1))
			}
			eventually(t, "those are gone", func() bool { return waiting() == c.served })
			conns[0].Close()
			eventually(t, "room for one", func() bool { return waiting() == c.served-1 })
			conn := open()
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			if _, err := conn.Read(make([]byte, 1)); err != nil {
				t.Errorf("with room: %v", err)
			}
		})
	}
}

// TestProxyProtocol has a PROXY header name the client, if it comes from a trusted proxy and is asked for.
func TestProxyProtocol(t *testing.T) {
	var mu sync.Mutex
	var saw string
	echo := echoServer(t, func(req *http.Request) { mu.Lock(); saw = req.Header.Get("X-Forwarded-For"); mu.Unlock() })
	version2, err := proxyproto.HeaderProxyFromAddrs(2, &net.TCPAddr{IP: net.ParseIP("2001:db8::7"), Port: 1}, &net.TCPAddr{IP: net.ParseIP("2001:db8::8"), Port: 2}).Format()
	if err != nil {
		t.Fatal(err)
	}
	local, err := (&proxyproto.Header{Version: 2, Command: proxyproto.LOCAL}).Format()
	if err != nil {
		t.Fatal(err)
	}
	const version1 = "PROXY TCP4 203.0.113.7 192.0.2.1 1000 443\r\n"
	cert, key := clientCertificate(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		on     bool
		tls    bool
		peer   string // the proxy is 127.0.0.2
		header string
		want   string // what the upstream learns; or the beginning of the refusal, empty for nothing
	}{
		"version 1":             {true, false, "127.0.0.2", version1, "203.0.113.7"},
		"version 2":             {true, false, "127.0.0.2", string(version2), "2001:db8::7"},
		"over it TLS":           {true, true, "127.0.0.2", version1, "203.0.113.7"},
		"the proxy's own":       {true, false, "127.0.0.2", string(local), "127.0.0.2"},
		"none":                  {true, false, "127.0.0.2", "", ""},
		"broken":                {true, false, "127.0.0.2", "PROXY TCP4 nonsense\r\n", ""},
		"endless":               {true, false, "127.0.0.2", "PROXY " + strings.Repeat("x", 10_000), ""},
		"of a stranger":         {true, false, "127.0.0.1", version1, "HTTP/1.1 400 "},
		"none of a stranger":    {true, false, "127.0.0.1", "", "127.0.0.1"},
		"of a proxy, while off": {false, false, "127.0.0.2", version1, "HTTP/1.1 400 "},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := New(Config{ProxyProtocol: c.on, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}, Allow: []string{hostOf(echo)},
				Origins: []string{pageOrigin}, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			tcp, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			s := &http.Server{Handler: r, ReadTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)}
			l := r.Guard(s, tcp)
			if c.tls {
				l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}})
			}
			done := make(chan error, 1)
			go func() { done <- s.Serve(l) }()
			defer func() { s.Close(); <-done }()
			open := func() net.Conn {
				d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(c.peer)}}
				conn, err := d.DialContext(t.Context(), "tcp", tcp.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { conn.Close() })
				conn.SetDeadline(time.Now().Add(20 * time.Second))
				return conn
			}
			open() // says nothing, and is in nobody's way
			conn := open()
			io.WriteString(conn, c.header)
			if c.tls {
				conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
			}
			// All at once, so that the relay reads ahead.
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: relay\r\nOrigin: "+pageOrigin+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: "+Subprotocol+"\r\n\r\n"+
				string(frame(0x81, true, []byte(`{"url":"`+echo+`"}`)))+string(frame(0x81, true, []byte("ahead")))+string(frame(0x88, true, closePayload(1000, ""))))
			b, _ := io.ReadAll(conn)
			if c.want == "" || strings.HasPrefix(c.want, "HTTP") {
				if !strings.HasPrefix(string(b), c.want) || c.want == "" && len(b) > 0 {
					t.Errorf("answered %q, want %q", b, c.want)
				}
				return
			}
			if !strings.Contains(string(b), `"open":true`) || !strings.Contains(string(b), "\x81\x05ahead") {
				t.Errorf("answered %q", b)
			}
			mu.Lock()
			if saw != c.want {
				t.Errorf("upstream was told %q, want %q", saw, c.want)
			}
			mu.Unlock()
			eventually(t, "nothing held", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.held == 0 && r.waiting <= 1 })
		})
	}
}

// TestDescriptors has them run out, at the listener and at a dial.
func TestDescriptors(t *testing.T) {
	var logs syncBuffer
	r, err := New(Config{Logger: slog.New(slog.NewTextHandler(&logs, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Ready(); err != nil {
		t.Error(err)
	}
	l := r.Guard(&http.Server{}, failing{&net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}})
	for range 3 {
		l.Accept()
	}
	counted(t, r.metrics.starved, 3)
	if err := r.Ready(); err == nil || !strings.Contains(err.Error(), "descriptors") {
		t.Errorf("ready: %v", err)
	}
	if n := strings.Count(logs.String(), "out of file descriptors"); n != 1 {
		t.Errorf("logged: %s", logs.String())
	}
	r.starved.Add(-int64(2 * starvation))
	r.started = r.started.Add(-3 * starvation)
	if err := r.Ready(); err != nil {
		t.Errorf("later: %v", err)
	}
	o := &offer{}
	o.parsed, _ = parseURL("ws://a")
	for _, err := range []error{
		&net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)},
		&net.DNSError{Err: "dial udp 127.0.0.53:53: socket: too many open files"},
	} {
		if f := explain(t.Context(), o, nil, err); f.outcome != "descriptors" {
			t.Errorf("%v is %+v", err, f)
		}
	}
}

type failing struct{ err error }

func (f failing) Accept() (net.Conn, error) { return nil, f.err }
func (f failing) Close() error              { return nil }
func (f failing) Addr() net.Addr            { return &net.TCPAddr{} }

func TestReadyWhileFull(t *testing.T) {
	echo := echoServer(t, nil)
	r, relay := serve(t, Config{MaxConns: 1}, echo)
	c, _ := connect(t, relay, m{"url": echo})
	if err := r.Ready(); err == nil || err.Error() != "full" {
		t.Error(err)
	}
	c.Close(websocket.StatusNormalClosure, "")
	counted(t, r.metrics.connections, 0)
	if err := r.Ready(); err != nil {
		t.Error(err)
	}
}

func TestParseHop(t *testing.T) {
	for s, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", " 192.0.2.1 ": "192.0.2.1", "192.0.2.1:1234": "192.0.2.1", `"192.0.2.1:1234"`: "192.0.2.1",
		"2001:db8::1": "2001:db8::1", "[2001:db8::1]": "2001:db8::1", "[2001:db8::1]:1234": "2001:db8::1", `"[2001:db8::1]:1234"`: "2001:db8::1",
		"::ffff:192.0.2.1": "192.0.2.1", "fe80::1%eth0": "fe80::1",
		"": "", "unknown": "", "_hidden": "", "192.0.2": "", "192.0.2.1:x:y": "", "[192.0.2.1": "", "192.0.2.1, 192.0.2.2": "",
	} {
		got, err := parseHop(s)
		if err != nil != (want == "") || err == nil && got.String() != want {
			t.Errorf("%q: %v, %v, want %q", s, got, err, want)
		}
	}
}

// FuzzHop holds that an address is read the same in each way that proxies write it.
func FuzzHop(f *testing.F) {
	for _, s := range []string{"192.0.2.1", "[2001:db8::1]:80", `"::1"`, "fe80::1%eth0", "::ffff:1.2.3.4", "[", `"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		addr, err := parseHop(s)
		if err != nil {
			return
		}
		if !addr.IsValid() || addr.Is4In6() || addr.Zone() != "" {
			t.Fatalf("%q is %v", s, addr)
		}
		port := netip.AddrPortFrom(addr, 80).String()
		for _, same := range []string{addr.String(), port, `"` + port + `"`} {
			if got, err := parseHop(same); err != nil || got != addr {
				t.Errorf("%q is %v, %q is %v, %v", s, addr, same, got, err)
			}
		}
	})
}

// TestLimits refuses limits that are none.
func TestLimits(t *testing.T) {
	for _, cfg := range []Config{
		{MaxConns: -1}, {MaxConnsPerAddr: -1}, {HandshakeRate: -1}, {HandshakeRatePerAddr: -1}, {MaxMessage: -1}, {OfferTimeout: -1}, {DialTimeout: -1},
		{WriteStall: -1}, {PingInterval: -1}, {PingInterval: 1}, {HandshakeRate: math.NaN()}, {HandshakeRatePerAddr: math.Inf(1)}, {DenyHeaders: []string{"a:b"}},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}

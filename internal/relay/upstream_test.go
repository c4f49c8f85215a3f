package relay

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"nhooyr.io/websocket"
)

func TestEcho(t *testing.T) {
	for _, deflate := range []bool{false, true} {
		var saw http.Header
		echo := echoServer(t, func(r *http.Request) { saw = r.Header })
		_, relay := serve(t, Config{}, echo)
		c, a := connect(t, relay, m{"url": echo + "/x?y=z", "header": m{"Authorization": "Bearer x", "Referer": "no"}, "protocols": []string{"chat"}, "perMessageDeflate": deflate})
		p := a.Profile
		if !a.Open || a.Protocol != "chat" || a.Header["Upgrade"] != "websocket" || p == nil {
			t.Fatalf("%+v", a)
		}
		if now := time.Now().UnixMilli(); p.FetchStart > now || p.FetchStart < now-60_000 || p.DomainLookUpStart != p.FetchStart || p.DomainLookUpEnd != p.FetchStart ||
			p.ConnectStart < p.FetchStart || p.ConnectEnd < p.ConnectStart || p.RTT > p.Cost || p.HandshakeCost > p.Cost {
			t.Errorf("profile %+v", *p)
		}
		if saw.Get("Authorization") != "Bearer x" || saw.Get("Referer") != "" || saw.Get("Origin") != pageOrigin {
			t.Errorf("upstream saw %v", saw)
		}
		if got := a.Header["Sec-WebSocket-Extensions"]; strings.Contains(got, "permessage-deflate") != deflate {
			t.Errorf("extensions %q with perMessageDeflate %v", got, deflate)
		}
		for _, msg := range []string{"", "hello", strings.Repeat("long ", 100_000)} {
			for _, typ := range []websocket.MessageType{websocket.MessageText, websocket.MessageBinary} {
				if err := c.Write(t.Context(), typ, []byte(msg)); err != nil {
					t.Fatal(err)
				}
				gotType, got, err := c.Read(t.Context())
				if err != nil || gotType != typ || string(got) != msg {
					t.Fatalf("sent %d bytes of %v, got %d of %v, %v", len(msg), typ, len(got), gotType, err)
				}
			}
		}
		if err := c.Close(4001, "bye"); err != nil {
			t.Error(err)
		}
	}
}

// start runs a program to the end of the test and returns the first line it prints.
func start(t *testing.T, name string, args ...string) (firstLine string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("this test needs %s of Debian's archive: %v", name, err)
	}
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, _ := bufio.NewReader(out).ReadString('\n')
	return strings.TrimSpace(line)
}

// pythonServer is an upstream of another make. Its first message tells what it saw; it echoes, and obeys "close".
func pythonServer(t *testing.T) string {
	t.Helper()
	port := start(t, "/usr/bin/python3", "-c", `
import asyncio, json
try:
    import websockets
except ImportError:
    raise SystemExit("this test needs the package python3-websockets")

async def serve(ws):
    await ws.send(json.dumps({"path": ws.path, "header": dict(ws.request_headers.raw_items()),
        "extensions": [e.name for e in ws.extensions], "protocol": ws.subprotocol}))
    async for message in ws:
        if message == "close":
            return await ws.close(4002, "as asked")
        else:
            await ws.send(message)

async def main():
    async with websockets.serve(serve, "127.0.0.1", 0, subprotocols=["second"], max_size=None) as s:
        print(s.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()

asyncio.run(main())
`)
	if port == "" {
		t.Fatal("the Python server did not start")
	}
	return "ws://127.0.0.1:" + port
}

func TestPythonUpstream(t *testing.T) {
	python := pythonServer(t)
	_, relay := serve(t, Config{}, python)
	for _, deflate := range []bool{false, true} {
		c, a := connect(t, relay, m{"url": python + "/path?q=1", "protocols": []string{"first", "second"}, "perMessageDeflate": deflate,
			"header": m{"content-type": "application/json", "Authorization": "Bearer é"}})
		if !a.Open || a.Protocol != "second" || !strings.Contains(a.Header["Server"], "Python") {
			t.Fatalf("%+v", a)
		}
		_, b, err := c.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var saw struct {
			Path, Protocol string
			Header         map[string]string
			Extensions     []string
		}
		if err := json.Unmarshal(b, &saw); err != nil {
			t.Fatal(err)
		}
		if saw.Path != "/path?q=1" || saw.Protocol != "second" || saw.Header["Content-Type"] != "application/json" || saw.Header["Origin"] != pageOrigin {
			t.Errorf("it saw %+v", saw)
		}
		if want := map[bool]string{false: "[]", true: "[permessage-deflate]"}[deflate]; fmt.Sprint(saw.Extensions) != want {
			t.Errorf("it negotiated %v, want %s", saw.Extensions, want)
		}
		big := strings.Repeat("compressible ", 50_000)
		c.Write(t.Context(), websocket.MessageText, []byte(big))
		if _, b, err := c.Read(t.Context()); err != nil || string(b) != big {
			t.Fatalf("echo of %d bytes: %d, %v", len(big), len(b), err)
		}
		c.Write(t.Context(), websocket.MessageText, []byte("close"))
		_, _, err = c.Read(t.Context())
		if want := (websocket.CloseError{Code: 4002, Reason: "as asked"}); !strings.Contains(fmt.Sprint(err), want.Error()) {
			t.Errorf("closed by %v, want %v", err, want)
		}
	}
}

// TestNginxUpstream has the header open a door that is shut without it.
func TestNginxUpstream(t *testing.T) {
	echo := echoServer(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	conf := filepath.Join(dir, "nginx.conf")
	err = os.WriteFile(conf, fmt.Appendf(nil, `
daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr crit;
events {}
http {
  access_log off;
  client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  server {
    listen %[2]s;
    location / {
      add_header X-From nginx always;
      if ($http_authorization != "Bearer secret") { return 401; }
      proxy_pass http://%[3]s;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
    }
  }
}
`, dir, addr, strings.TrimPrefix(echo, "ws://")), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("nginx"); err != nil {
		t.Fatalf("this test needs the package nginx: %v", err)
	}
	cmd := exec.Command("nginx", "-c", conf)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	eventually(t, "nginx listens", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})

	r, relay := serve(t, Config{}, "ws://"+addr)
	_, a := connect(t, relay, m{"url": "ws://" + addr})
	if a.Open || a.Status != 401 || a.ErrMsg != "connectSocket:fail upstream answered 401 Unauthorized" || a.Header["X-From"] != "nginx" {
		t.Errorf("without the header: %+v", a)
	}
	counted(t, r.metrics.handshakes.WithLabelValues("status"), 1)
	c, a := connect(t, relay, m{"url": "ws://" + addr, "header": m{"authorization": "Bearer secret"}})
	if !a.Open || a.Header["X-From"] != "nginx" {
		t.Fatalf("with the header: %+v", a)
	}
	c.Write(t.Context(), websocket.MessageText, []byte("in"))
	if _, b, err := c.Read(t.Context()); err != nil || string(b) != "in" {
		t.Errorf("%q, %v", b, err)
	}
	c.Close(websocket.StatusNormalClosure, "")
}

func TestNoDelay(t *testing.T) {
	echo := echoServer(t, nil)
	r, relay := serve(t, Config{}, echo)
	for _, c := range []struct {
		option any
		want   int
	}{{nil, 1}, {true, 1}, {false, 0}} {
		conn, a := connect(t, relay, m{"url": echo, "tcpNoDelay": c.option})
		if !a.Open {
			t.Fatal(a.ErrMsg)
		}
		held := func() int { r.mu.Lock(); defer r.mu.Unlock(); return len(r.pairs) }
		eventually(t, "a pair", func() bool { return held() == 1 })
		var got int
		r.mu.Lock()
		for p := range r.pairs {
			raw, err := p.legs[down].conn.(*net.TCPConn).SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			raw.Control(func(fd uintptr) { got, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_NODELAY) })
			if err != nil {
				t.Fatal(err)
			}
		}
		r.mu.Unlock()
		if got != c.want {
			t.Errorf("tcpNoDelay %v: TCP_NODELAY is %d", c.option, got)
		}
		conn.Close(websocket.StatusNormalClosure, "")
		eventually(t, "the end", func() bool { return held() == 0 })
	}
}

// TestFailures holds that a page is told what went wrong, and the metrics too.
func TestFailures(t *testing.T) {
	listen := func(serve func(net.Conn)) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				serve(c)
				c.Close()
			}
		}()
		return l.Addr().String()
	}
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	closed := listen(func(net.Conn) {})
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	refused := l.Addr().String()
	l.Close()
	silent := listen(func(net.Conn) { <-hold })
	garbage := listen(func(c net.Conn) { bufio.NewReader(c).ReadString('\n'); fmt.Fprint(c, "hello\r\n\r\n") })
	wrongKey := listen(func(c net.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n")
	})
	var landed atomic.Int32
	away := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { landed.Add(1) }))
	t.Cleanup(away.Close)
	redirect := httptest.NewServer(http.RedirectHandler(away.URL, http.StatusFound))
	t.Cleanup(redirect.Close)
	secure := httptest.NewTLSServer(nil)
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	t.Cleanup(secure.Close)
	host := func(url string) string { return url[strings.Index(url, "//")+2:] }

	dns := dnsServer(t, map[string][]string{"gone.example.": {}})
	r, relay := serve(t, Config{Resolver: dns, Allow: []string{
		closed, refused, silent, garbage, wrongKey, host(redirect.URL), host(away.URL), host(secure.URL), "*.example", "broken.test",
	}})
	for _, c := range []struct {
		name, url string
		header    m
		want      string
		status    int
		outcome   string
	}{
		{"not allowed", "ws://127.0.0.1:1", nil, `upstream "127.0.0.1:1" is not allowed by the relay`, 0, "policy"},
		{"forbidden header", "ws://" + refused, m{"Host": "x"}, `header "Host" may not be set`, 0, "policy"},
		{"http", "http://" + refused, nil, `invalid url "http://` + refused + `"`, 0, "bad_offer"},
		{"no url", "", nil, `invalid url ""`, 0, "bad_offer"},
		{"refused", "ws://" + refused, nil, "upstream refused the connection", 0, "refused"},
		{"timeout", "ws://" + silent, nil, "timeout", 0, "timeout"},
		{"closed", "ws://" + closed, nil, "upstream closed the connection during the handshake", 0, "network"},
		{"garbage", "ws://" + garbage, nil, "upstream gave no valid HTTP response", 0, "handshake"},
		{"wrong key", "ws://" + wrongKey, nil, "upstream answered with an invalid WebSocket handshake", 101, "handshake"},
		{"redirect", "ws://" + host(redirect.URL), nil, "upstream answered 302 Found", 302, "status"},
		{"no WebSocket", "ws://" + host(away.URL), nil, "upstream answered 200 OK", 200, "status"},
		{"unknown authority", "wss://" + host(secure.URL), nil, "upstream's TLS: tls: failed to verify certificate: x509: certificate signed by unknown authority", 0, "tls"},
		{"no TLS", "wss://" + host(away.URL), nil, "upstream does not speak TLS", 0, "tls"},
		{"no such name", "ws://gone.example", nil, `upstream "gone.example" does not exist (DNS)`, 0, "dns"},
		{"name server fails", "ws://broken.test", nil, `upstream "broken.test" could not be looked up (DNS)`, 0, "dns"},
	} {
		t.Run(c.name, func(t *testing.T) {
			metric := r.metrics.handshakes.WithLabelValues(c.outcome)
			before := testutil.ToFloat64(metric)
			conn, a := connect(t, relay, m{"url": c.url, "header": c.header, "timeout": map[bool]int{true: 100}[c.name == "timeout"]})
			if a.Open || a.ErrMsg != "connectSocket:fail "+c.want || a.Status != c.status {
				t.Errorf("%+v\nwant %q, status %d", a, c.want, c.status)
			}
			if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
				t.Errorf("closed by %v", err)
			}
			counted(t, metric, before+1)
		})
	}
	if n := landed.Load(); n != 1 { // the one of "no WebSocket"
		t.Errorf("a redirect was followed: %d requests", n)
	}
}

// TestTLS has TLS on both legs, which are then read and written through it, not as sockets.
func TestTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		c, err := websocket.Accept(w, req, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		for {
			typ, b, err := c.Read(context.Background())
			if err != nil || c.Write(context.Background(), typ, b) != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	wss := "wss" + strings.TrimPrefix(s.URL, "https")
	r, _ := serve(t, Config{TLS: &tls.Config{RootCAs: roots}}, wss)
	relay := httptest.NewTLSServer(r)
	t.Cleanup(relay.Close)
	c, _, err := websocket.Dial(t.Context(), relay.URL, &websocket.DialOptions{
		HTTPClient: relay.Client(), Subprotocols: []string{Subprotocol}, HTTPHeader: http.Header{"Origin": {pageOrigin}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(-1)
	c.Write(t.Context(), websocket.MessageText, fmt.Appendf(nil, `{"url":%q}`, wss))
	if _, b, err := c.Read(t.Context()); err != nil || !bytes.Contains(b, []byte(`"open":true`)) {
		t.Fatalf("%s, %v", b, err)
	}
	for _, size := range []int{0, 1, 1000, 1024, 100_000, 3 << 20, 5} {
		msg := bytes.Repeat([]byte("x"), size)
		go c.Write(t.Context(), websocket.MessageBinary, msg)
		if _, b, err := c.Read(t.Context()); err != nil || !bytes.Equal(b, msg) {
			t.Fatalf("echo of %d bytes: %d, %v", size, len(b), err)
		}
	}
	if err := c.Close(4001, "bye"); err != nil {
		t.Error(err)
	}
}

// dnsServer resolves names to the given IPv4 addresses, one after the other with each query; a name without any does not
// exist, and one not listed makes it fail.
func dnsServer(t *testing.T, names map[string][]string) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	go func() {
		asked := map[string]int{}
		buf := make([]byte, 512)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			q := buf[:n]
			name, i := "", 12
			for q[i] != 0 { // RFC 1035 section 4.1.2
				name += string(q[i+1:i+1+int(q[i])]) + "."
				i += 1 + int(q[i])
			}
			isA := q[i+2] == 1
			reply := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, q[12:i+5]...)
			switch addrs, ok := names[name]; {
			case !ok:
				reply[3] |= 2 // SERVFAIL
			case len(addrs) == 0:
				reply[3] |= 3 // NXDOMAIN
			case isA:
				reply[7] = 1
				reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
				reply = append(reply, net.ParseIP(addrs[asked[name]%len(addrs)]).To4()...)
				asked[name]++
			}
			pc.WriteTo(reply, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

// TestRebinding has a name change its mind between a check and the connection, and names and numbers that lead inside.
func TestRebinding(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var reached atomic.Bool
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			reached.Store(true)
			c.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	dns := dnsServer(t, map[string][]string{
		"rebind.evil.example.": {"93.184.216.34", "127.0.0.1"},
		"inside.evil.example.": {"127.0.0.1"}, "private.evil.example.": {"10.0.0.1"}, "metadata.evil.example.": {"169.254.169.254"},
		"named.example.": {"127.0.0.1"},
	})
	addrs, err := dns.LookupHost(t.Context(), "rebind.evil.example")
	if err != nil || fmt.Sprint(addrs) != "[93.184.216.34]" {
		t.Fatalf("the name server of this test: %v, %v", addrs, err)
	}
	r, relay := serve(t, Config{Resolver: dns, DialTimeout: 5 * time.Second, Allow: []string{
		"*.evil.example:" + port, "named.example:" + port, "*.0.1:" + port, "*.1:" + port,
	}})
	for host, want := range map[string]string{
		"rebind.evil.example": "has an address that is not public", "inside.evil.example": "has an address that is not public",
		"private.evil.example": "has an address that is not public", "metadata.evil.example": "has an address that is not public",
		"127.0.0.1": "has an address that is not public", // by a suffix, not by its name
		"0177.0.1":  "(DNS)", "0x7f.1": "(DNS)",          // a name to Go, which no name server knows
		"2130706433": "not allowed", "[::ffff:127.0.0.1]": "not public", "localhost": "not allowed",
	} {
		c, a := connect(t, relay, m{"url": "ws://" + host + ":" + port})
		c.Close(websocket.StatusNormalClosure, "")
		if a.Open || !strings.Contains(a.ErrMsg, want) {
			t.Errorf("%s: %+v, want %q", host, a, want)
		}
	}
	if reached.Load() {
		t.Error("something reached the inside")
	}
	counted(t, r.metrics.handshakes.WithLabelValues("policy"), 8)
	connect(t, relay, m{"url": "ws://named.example:" + port})
	if !reached.Load() {
		t.Error("a host allowed by its name was not reached")
	}
}

// TestLogs holds that what a page keeps secret is in no log line, whatever is wrong with its offer, and that lines are short.
func TestLogs(t *testing.T) {
	var logs syncBuffer
	echo := echoServer(t, nil)
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "SECRET")
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(refusing.Close)
	status := scripted(t, "HTTP/1.1 401 SECRET"+strings.Repeat("x", 5000)+"\r\n\r\n")
	r, relay := serve(t, Config{Logger: slog.New(slog.NewJSONHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))}, echo, refusing.URL, status)
	c, _ := connect(t, relay, m{"url": echo + "/?token=SECRET", "header": m{"Authorization": "SECRET"}})
	c.Write(t.Context(), websocket.MessageText, []byte("SECRET"))
	c.Read(t.Context())
	c.Close(4001, "SECRET")
	long := "SECRET" + strings.Repeat("x", 20_000)
	offers := 0
	for _, offer := range []any{
		m{"url": "ws://127.0.0.1:1/?SECRET", "header": m{"Cookie": "SECRET"}},
		m{"url": "ws://user:SECRET@127.0.0.1:1/"}, m{"url": "ws://SECRET:SECRET@"}, m{"url": "ws://user:SECRET@%zz/"}, m{"url": "ws://a b/SECRET"},
		m{"url": strings.Replace(echo, "ws:", "wss:", 1) + "/?SECRET"}, m{"url": "ws://user:SECRET@127.0.0.1:1/" + long},
		m{"url": "https://x.test/?token=SECRET"}, m{"url": "SECRET"}, m{"url": long}, m{"url": "ws://x.test:SECRET/"}, m{"url": "ws://x.test/%SECRET"},
		m{"url": echo, "protocols": []string{"a SECRET"}}, m{"url": echo, "protocols": []string{"SECRET", "SECRET"}}, m{"url": echo, "protocols": []string{"SECRET"}},
		m{"url": echo, "header": m{"SECRET SECRET": "x"}}, m{"url": echo, "header": m{"Sec-SECRET": "x"}}, m{"url": echo, "header": m{"X": "SECRET\r\n"}},
		m{"url": "ws" + strings.TrimPrefix(refusing.URL, "http") + "/?SECRET"}, m{"url": status + "/?SECRET"},
	} {
		conn, a := connect(t, relay, offer)
		if a.Open {
			t.Errorf("%.100v is open", offer)
		}
		conn.Close(websocket.StatusNormalClosure, "")
		offers++
	}
	for _, offer := range []string{`{"SECRET":1}`, `{"url":"a","SECRET":2}`, `SECRET`, `{"header":{"SECRET":"x","SECRET":"y"}}`, `{"url":"SECRET"`} {
		conn, br := rawPage(t, relay, "")
		conn.Write(frame(0x81, true, []byte(offer)))
		expectClose(t, br, 1007)
		conn.Close()
		offers++
	}
	for _, origin := range []string{"https://user:SECRET@x.test", "https://x.test/SECRET", "SECRET", "https://x.test?SECRET", "https://x.test#SECRET", "https://SECRET" + long} {
		req, _ := http.NewRequest("GET", relay, nil)
		req.Header = http.Header{"Origin": {origin}, "Sec-Websocket-Protocol": {Subprotocol}}
		r.mu.Lock()
		for _, c := range r.clients {
			c.refused = time.Time{} // so that each is logged
		}
		r.mu.Unlock()
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
		}
	}
	eventually(t, "the log of the end", func() bool { return strings.Contains(logs.String(), `"cause":"page_closed"`) })
	eventually(t, "the log of each", func() bool {
		return strings.Count(logs.String(), "handshake failed") == offers && strings.Count(logs.String(), "page refused") == 6
	})
	for line := range strings.Lines(logs.String()) {
		if strings.Contains(strings.ToUpper(line), "SECRET") || len(line) > 700 {
			t.Errorf("%.1000s", line)
		}
	}
}

package relay

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"nhooyr.io/websocket"
)

// writeUpstreams writes a file of upstreams and returns its name. Each writing has another size or time than the last.
func writeUpstreams(t *testing.T, name, text string) string {
	t.Helper()
	if name == "" {
		name = filepath.Join(t.TempDir(), "upstreams.json")
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func hostOf(url string) string { return url[strings.Index(url, "//")+2:] }

// pemFile writes a block and returns the file's name.
func pemFile(t *testing.T, kind string, der []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestUpstreamsFile has each mistake in a file named with its line, and without the value of a variable.
func TestUpstreamsFile(t *testing.T) {
	t.Setenv("RELAY_TEST_BROKEN", "SECRET\r\nX: y")
	for text, want := range map[string]string{
		"":                                       "line 1: unexpected end",
		"{\n\"a.test\": {\n}\n":                  "line 4: unexpected end",
		"{\n\"a.test\" {}}":                      "line 2: invalid character",
		"[]":                                     "line 1: no JSON object",
		"{\"a b\": {}}":                          `"a b": neither a host`,
		"{\"a.test\": {},\n\"A.test\":{}}":       `line 2: "A.test": another entry`,
		"{\n\"a.test\": {\n\"orgins\": []\n}\n}": `line 3: "a.test": "orgins": unknown`,
		"{\n\"a.test\": {\n\n\"origins\": \"https://a\"}}":                 `line 4: "a.test": "origins": string instead of []string`,
		`{"a.test": {"origins": ["a"]}}`:                                   `origin "a": not scheme`,
		`{"a.test": {"Cookies": true}}`:                                    `"Cookies": unknown`,
		"{\"a.test\": {\n\"header\": {\n\"A\": \"${RELAY_TEST_UNSET}\"}}}": `line 3: "a.test": "header": "A": the variable "RELAY_TEST_UNSET" is not set`,
		`{"a.test": {"header": {"A": "${RELAY_TEST_BROKEN}"}}}`:            `invalid value of header "A"`,
		`{"a.test": {"header": {"Sec-WebSocket-Key": "x"}}}`:               "may not be set",
		`{"a.test": {"maxConns": 0}}`:                                      "not above zero",
		`{"a.test": {"maxConns": 1.5}}`:                                    "number 1.5 instead of int",
		`{"a.test": {"handshakes": -1}}`:                                   "not above zero",
		`{"a.test": {"idle": "1ms"}}`:                                      "less than a second",
		`{"a.test": {"idle": 5}}`:                                          "number instead of string",
		`{"a.test": {"lifetime": "long"}}`:                                 "invalid duration",
		`{"a.test": {"cert": "x"}}`:                                        "go together",
		`{"a.test": {"ca": "/none"}}`:                                      "reading ca",
		`{"a.test": {"ca": "upstreams.json"}}`:                             "no certificate in PEM",
		`{"a.test": {"cert": "upstreams.json", "key": "upstreams.json"}}`:  "loading cert and key",
		`{"a.test": {"proxy": "http://proxy:1"}}`:                          "for wss only",
		`{"wss://a.test": {"proxy": "ftp://proxy:1"}}`:                     "none of http",
		`{"wss://a.test": {"proxy": "proxy"}}`:                             "not a URL",
	} {
		_, err := New(Config{Upstreams: writeUpstreams(t, "", text)})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s\n%v, want %s", text, err, want)
		}
	}
	if _, err := New(Config{Upstreams: "/none"}); err == nil {
		t.Error("no file at all is taken")
	}
	big := writeUpstreams(t, "", "")
	if err := os.Truncate(big, maxUpstreams+1); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{big: "exceeds 16 MiB", pipe: "not a regular file", "/dev/zero": "not a regular file", t.TempDir(): "not a regular file"} {
		if _, err := New(Config{Upstreams: file}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", file, err, want)
		}
		for _, field := range []string{`{"a.test": {"ca": %q}}`, `{"a.test": {"cert": %q, "key": "upstreams.json"}}`, `{"a.test": {"cert": "upstreams.json", "key": %q}}`} {
			text := fmt.Sprintf(field, file)
			if _, err := New(Config{Upstreams: writeUpstreams(t, "", text)}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", text, err, want)
			}
		}
	}
}

// TestManyUpstreams reads a large file in a time that a start may take.
func TestManyUpstreams(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("{")
	n := 0
	for ; b.Len() < maxUpstreams/10; n++ {
		fmt.Fprintf(&b, "\"host%d.example\": {},\n", n)
	}
	b.WriteString(`"last.example": {}}`)
	began := time.Now()
	r, err := New(Config{Upstreams: writeUpstreams(t, "", b.String())})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("%d upstreams took %v", n, took)
	}
	u, _ := parseURL("wss://last.example")
	if r.policy.Load().upstream(u) == nil {
		t.Error("the last one is not there")
	}
}

// TestUpstreamRules has a file decide for each upstream: origins, headers, cookies, and limits.
func TestUpstreamRules(t *testing.T) {
	t.Setenv("RELAY_TEST_TOKEN", "token of the relay")
	var mu sync.Mutex
	var saw http.Header
	echo := echoServer(t, func(req *http.Request) { mu.Lock(); saw = req.Header; mu.Unlock() })
	other, strange := echoServer(t, nil), echoServer(t, nil)
	r, relay := serve(t, Config{Upstreams: writeUpstreams(t, "", fmt.Sprintf(`{
		%q: {"header": {"Authorization": "Bearer ${RELAY_TEST_TOKEN}", "Origin": "https://set.test", "X_Key": "k"}, "cookies": true, "maxConns": 1},
		%q: {"handshakes": 0.001},
		%q: {"origins": ["https://other.example"]}
	}`, hostOf(echo), hostOf(other), hostOf(strange)))})

	c, _, err := websocket.Dial(t.Context(), relay, &websocket.DialOptions{
		Subprotocols: []string{Subprotocol}, HTTPHeader: http.Header{"Origin": {pageOrigin}, "Cookie": {"session=1"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	c.Write(t.Context(), websocket.MessageText, []byte(`{"url": "`+echo+`", "header": {"authorization": "mine", "X-Key": "mine", "X-Mine": "mine"}}`))
	if _, b, err := c.Read(t.Context()); err != nil || !strings.Contains(string(b), `"open":true`) {
		t.Fatalf("%s, %v", b, err)
	}
	mu.Lock()
	for name, want := range map[string]string{"Authorization": "Bearer token of the relay", "Origin": "https://set.test", "X_key": "k", "X-Key": "", "X-Mine": "mine", "Cookie": "session=1"} {
		if got := strings.Join(saw[name], ", "); got != want {
			t.Errorf("upstream saw %s: %q, want %q", name, got, want)
		}
	}
	mu.Unlock()

	if _, a := connect(t, relay, m{"url": echo}); a.Open || !strings.Contains(a.ErrMsg, "too many connections to this upstream") {
		t.Errorf("a second connection: %+v", a)
	}
	c.Close(websocket.StatusNormalClosure, "")
	eventually(t, "room for another", func() bool {
		c, a := connect(t, relay, m{"url": echo})
		c.Close(websocket.StatusNormalClosure, "")
		return a.Open
	})
	for i, want := range []bool{true, false} {
		c, a := connect(t, relay, m{"url": other})
		c.Close(websocket.StatusNormalClosure, "")
		if a.Open != want {
			t.Errorf("handshake %d: %+v", i, a)
		}
	}
	counted(t, r.metrics.handshakes.WithLabelValues("upstream_rate"), 1)
	if _, a := connect(t, relay, m{"url": strange}); a.Open || !strings.Contains(a.ErrMsg, "this page's origin may not use upstream") {
		t.Errorf("another's upstream: %+v", a)
	}
	if p := r.policy.Load(); !p.served.has("https://other.example") || p.served.has("https://third.example") {
		t.Error("the origins of an upstream do not open the relay, or all do")
	}
}

// TestUpstreamOrder holds which of several entries decides.
func TestUpstreamOrder(t *testing.T) {
	r, err := New(Config{Allow: []string{"*.test", "a.b.test:1"}, Upstreams: writeUpstreams(t, "", `{
		"*.test": {"maxConns": 1}, "*.b.test": {"maxConns": 2}, "a.b.test": {"maxConns": 3}, "wss://s.test": {"maxConns": 4}, "*.b.test:1": {"maxConns": 5}}`)})
	if err != nil {
		t.Fatal(err)
	}
	for u, want := range map[string]int{"ws://x.test": 1, "ws://x.b.test": 2, "ws://a.b.test": 3, "wss://s.test": 4, "ws://s.test": 1, "ws://x.b.test:1": 5, "ws://a.b.test:1": 0} {
		parsed, _ := parseURL(u)
		if rule := r.policy.Load().upstream(parsed); rule == nil || rule.maxConns != want {
			t.Errorf("%s: %+v, want that of %d", u, rule, want)
		}
	}
}

// TestUpstreamsReload changes the file beneath a connection: what is new holds, what is broken does not, and the connection stays.
func TestUpstreamsReload(t *testing.T) {
	var logs syncBuffer
	echo, later := echoServer(t, nil), echoServer(t, nil)
	name := writeUpstreams(t, "", fmt.Sprintf(`{%q: {"maxConns": 1}}`, hostOf(echo)))
	r, relay := serve(t, Config{Upstreams: name, Logger: slog.New(slog.NewTextHandler(&logs, nil))})
	c, a := connect(t, relay, m{"url": echo})
	if !a.Open {
		t.Fatalf("%+v", a)
	}
	look := func() {
		r.upstreams.mu.Lock()
		r.upstreams.checked = time.Time{}
		r.upstreams.mu.Unlock()
	}
	loaded := func(want float64) {
		t.Helper()
		look()
		testutil.CollectAndCount(r)
		if got := testutil.ToFloat64(r.metrics.upstreamsLoaded); got != want {
			t.Errorf("upstreams_loaded is %v, want %v", got, want)
		}
	}
	opens := func(url string, want bool) {
		t.Helper()
		look()
		c, a := connect(t, relay, m{"url": url})
		c.Close(websocket.StatusNormalClosure, "")
		if a.Open != want {
			t.Errorf("%s: %+v", url, a)
		}
	}
	loaded(1)
	opens(later, false)
	writeUpstreams(t, name, `{"broken`)
	loaded(0)
	opens(echo, false) // full, so the old one holds
	if !strings.Contains(logs.String(), "keeping the old upstreams") || !strings.Contains(logs.String(), "line 1") {
		t.Errorf("logs: %s", logs.String())
	}
	ca := filepath.Join(filepath.Dir(name), "ca.pem")
	writeUpstreams(t, name, fmt.Sprintf(`{%q: {"maxConns": 1}, %q: {}, "wss://tls.test": {"ca": "ca.pem"}}`, hostOf(echo), hostOf(later)))
	loaded(0)
	tlsServer := httptest.NewTLSServer(nil)
	defer tlsServer.Close()
	if err := os.Rename(pemFile(t, "CERTIFICATE", tlsServer.Certificate().Raw), ca); err != nil {
		t.Fatal(err)
	}
	loaded(1) // for the file that it names
	opens(later, true)
	opens(echo, false) // the connection from before counts
	if err := c.Write(t.Context(), websocket.MessageText, []byte("still here")); err != nil {
		t.Fatal(err)
	}
	if _, b, err := c.Read(t.Context()); err != nil || string(b) != "still here" {
		t.Errorf("the connection: %q, %v", b, err)
	}
	c.Close(websocket.StatusNormalClosure, "")
}

// TestUpstreamTimes ends connections that say nothing for too long, or live too long, with 1001.
func TestUpstreamTimes(t *testing.T) {
	echo := echoServer(t, nil)
	for cause, text := range map[string]string{"idle": `{%q: {"idle": "1s"}}`, "lifetime": `{%q: {"lifetime": "1s"}}`} {
		t.Run(cause, func(t *testing.T) {
			// Pings, which its peers answer, are no messages.
			r, relay := serve(t, Config{Upstreams: writeUpstreams(t, "", fmt.Sprintf(text, hostOf(echo))), PingInterval: 100 * time.Millisecond})
			c, _ := connect(t, relay, m{"url": echo})
			if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
				t.Errorf("ends with %v", err)
			}
			counted(t, r.metrics.ends.WithLabelValues(cause), 1)
		})
	}
}

// TestUpstreamTLS reaches an upstream by its own CA, with a client certificate, directly and through a forward proxy.
func TestUpstreamTLS(t *testing.T) {
	upstream := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if c, err := websocket.Accept(w, req, &websocket.AcceptOptions{InsecureSkipVerify: true}); err == nil {
			c.Close(websocket.StatusNormalClosure, fmt.Sprintf("%d certificates", len(req.TLS.PeerCertificates)))
		}
	}))
	upstream.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	upstream.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	upstream.StartTLS()
	t.Cleanup(upstream.Close)
	host := hostOf(upstream.URL)
	ca := pemFile(t, "CERTIFICATE", upstream.Certificate().Raw)
	cert, key := clientCertificate(t)

	var asked sync.Map
	proxy := forwardProxy(t, func(target string) string {
		asked.Store(target, true)
		if target != host {
			return "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"
		}
		return ""
	})
	for name, c := range map[string]struct{ text, url, want string }{
		"no CA":       {`{%q: {}}`, "wss://" + host, "unknown authority"},
		"CA":          {`{%q: {"ca": "` + ca + `"}}`, "wss://" + host, "0 certificates"},
		"certificate": {`{%q: {"ca": "` + ca + `", "cert": "` + cert + `", "key": "` + key + `"}}`, "wss://" + host, "1 certificates"},
		"proxy":       {`{"wss://%s": {"ca": "` + ca + `", "proxy": "http://` + proxy + `"}}`, "wss://" + host, "0 certificates"},
		"proxy, ws":   {`{"wss://%s": {"ca": "` + ca + `", "proxy": "http://` + proxy + `"}}`, "ws://" + host, "not allowed"},
		"refused":     {`{%q: {}, "wss://*.inside.test": {"proxy": "http://` + proxy + `"}}`, "wss://a.inside.test", "forward proxy"},
		"no proxy":    {`{"wss://%s": {"proxy": "http://127.0.0.1:1"}}`, "wss://" + host, "forward proxy"},
		"no SOCKS":    {`{%q: {"proxy": "socks5://127.0.0.1:1"}}`, "wss://" + host, "forward proxy"},
	} {
		t.Run(name, func(t *testing.T) {
			_, relay := serve(t, Config{Upstreams: writeUpstreams(t, "", fmt.Sprintf(c.text, host))})
			conn, a := connect(t, relay, m{"url": c.url})
			got := a.ErrMsg
			if a.Open {
				_, _, err := conn.Read(t.Context())
				got = fmt.Sprint(err)
			}
			conn.Close(websocket.StatusNormalClosure, "")
			if !strings.Contains(got, c.want) {
				t.Errorf("%+v: %s, want %s", a, got, c.want)
			}
		})
	}
	for _, target := range []string{host, "a.inside.test:443"} {
		if _, ok := asked.Load(target); !ok {
			t.Errorf("the proxy was not asked for %s", target)
		}
	}
}

// clientCertificate writes a certificate of no authority, and its key.
func clientCertificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pemFile(t, "CERTIFICATE", cert), pemFile(t, "PRIVATE KEY", der)
}

// forwardProxy serves CONNECT; refuse gives the answer to a target that it does not serve.
func forwardProxy(t *testing.T, refuse func(target string) string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(time.Minute))
				req, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil || req.Method != http.MethodConnect {
					return
				}
				if answer := refuse(req.Host); answer != "" {
					io.WriteString(conn, answer)
					return
				}
				upstream, err := net.Dial("tcp", req.Host)
				if err != nil {
					return
				}
				defer upstream.Close()
				io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
				wg.Go(func() { io.Copy(upstream, conn); upstream.Close() })
				io.Copy(conn, upstream)
			})
		}
	})
	return l.Addr().String()
}

// BenchmarkRule matches an upstream among a thousand.
func BenchmarkRule(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var allow []string
			for i := range n {
				allow = append(allow, fmt.Sprintf("host%d.example", i))
			}
			p, err := newPolicy(append(allow, "*.last.example"), nil, nil)
			if err != nil {
				b.Fatal(err)
			}
			u, _ := parseURL("wss://a.last.example")
			for b.Loop() {
				if p.upstream(u) == nil {
					b.Fatal("not found")
				}
			}
		})
	}
}

package relay

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"nhooyr.io/websocket"
)

// pageWith opens a WebSocket to the relay as a page whose browser or proxy adds header.
func pageWith(t *testing.T, relay string, header http.Header, offer string) string {
	t.Helper()
	h := http.Header{"Origin": {pageOrigin}}
	maps.Copy(h, header)
	c, _, err := websocket.Dial(t.Context(), relay, &websocket.DialOptions{Subprotocols: []string{Subprotocol}, HTTPHeader: h})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(websocket.StatusNormalClosure, "")
	c.Write(t.Context(), websocket.MessageText, []byte(offer))
	_, b, err := c.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestForwarded holds what upstreams learn of a page, that each part can be turned off, and that one id is everywhere.
func TestForwarded(t *testing.T) {
	var mu sync.Mutex
	var saw http.Header
	echo := echoServer(t, func(req *http.Request) { mu.Lock(); saw = req.Header; mu.Unlock() })
	sent := http.Header{"X-Forwarded-For": {"203.0.113.7"}, "X-Forwarded-Proto": {"https"}, "Traceparent": {"00-a-b-01"}, "Tracestate": {"x=y"}}
	local := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for name, c := range map[string]struct {
		cfg                     Config
		offer                   string
		addr, proto, trace, own string
	}{
		"trusted":   {Config{TrustedProxies: local}, `{"url": %q, "header": {"x_request_id": "mine"}}`, "203.0.113.7", "https", "00-a-b-01", ""},
		"untrusted": {Config{}, `{"url": %q, "header": {"traceparent": "mine"}}`, "127.0.0.1", "http", "mine", ""},
		"off":       {Config{NoForwarded: true, NoRequestID: true, NoTrace: true}, `{"url": %q, "header": {"X-Request-Id": "mine"}}`, "", "", "", "mine"},
	} {
		t.Run(name, func(t *testing.T) {
			var logs syncBuffer
			c.cfg.Logger = slog.New(slog.NewTextHandler(&logs, nil))
			_, relay := serve(t, c.cfg, echo)
			answer := pageWith(t, relay, sent, fmt.Sprintf(c.offer, echo))
			_, id, _ := strings.Cut(answer, `"X-Request-Id":"`)
			id, _, _ = strings.Cut(id, `"`)
			if len(id) < 20 {
				t.Fatalf("no id in %s", answer)
			}
			want := map[string]string{"X-Forwarded-For": c.addr, "X-Forwarded-Proto": c.proto, "Traceparent": c.trace, "X-Request-Id": id, "X_request_id": ""}
			if c.own != "" {
				want["X-Request-Id"] = c.own
			}
			mu.Lock()
			for name, want := range want {
				if got := strings.Join(saw[name], ", "); got != want {
					t.Errorf("upstream saw %s: %q, want %q", name, got, want)
				}
			}
			mu.Unlock()
			eventually(t, "the log of the end", func() bool { return strings.Contains(logs.String(), "msg=end") })
			for line := range strings.Lines(logs.String()) {
				if !strings.Contains(line, "id="+id) {
					t.Errorf("no id: %s", line)
				}
			}
		})
	}
	// One that is refused can quote its id too.
	_, relay := serve(t, Config{})
	resp, err := http.Get(relay)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.Header.Get("X-Request-Id") == "" {
		t.Error("no id with a refusal")
	}
	if answer := pageWith(t, relay, nil, `{"url": "ws://other.test"}`); !strings.Contains(answer, `"X-Request-Id":"`) {
		t.Errorf("no id in %s", answer)
	}
}

// TestAuthorize exchanges a session cookie for the upstream's token, and tells a page why it is refused.
func TestAuthorize(t *testing.T) {
	var mu sync.Mutex
	var saw, asked http.Header
	echo := echoServer(t, func(req *http.Request) { mu.Lock(); saw = req.Header; mu.Unlock() })
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		asked = req.Header
		mu.Unlock()
		switch session, _ := req.Cookie("session"); {
		case session == nil:
			http.Error(w, "log in\tfirst\nnot this", http.StatusUnauthorized)
		case session.Value != "good":
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, "<html>")
		default:
			w.Header().Set("Upstream-Authorization", "Bearer of "+session.Value)
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	t.Cleanup(endpoint.Close)
	r, relay := serve(t, Config{Authorize: endpoint.URL}, echo)
	offer := `{"url": "` + echo + `/path?token=SECRET", "header": {"Authorization": "mine"}}`
	if a := pageWith(t, relay, http.Header{"Cookie": {"session=good"}}, offer); !strings.Contains(a, `"open":true`) {
		t.Fatal(a)
	}
	mu.Lock()
	if got := saw.Values("Authorization"); len(got) != 1 || got[0] != "Bearer of good" || saw.Get("Cookie") != "" || saw.Get("Upstream-Authorization") != "" {
		t.Errorf("upstream saw %v", saw)
	}
	for name, want := range map[string]string{"Cookie": "session=good", "Authorization": "mine", "Origin": pageOrigin, "X-Forwarded-For": "127.0.0.1",
		"X-Upstream": echo + "/path", "X-Request-Id": saw.Get("X-Request-Id")} {
		if got := asked.Get(name); got != want {
			t.Errorf("the endpoint saw %s: %q, want %q", name, got, want)
		}
	}
	mu.Unlock()
	for cookie, want := range map[string]string{"": `"errMsg":"connectSocket:fail log infirst","status":401`, "session=bad": `"errMsg":"connectSocket:fail Forbidden","status":403`} {
		if a := pageWith(t, relay, http.Header{"Cookie": {cookie}}, offer); !strings.Contains(a, want) {
			t.Errorf("%q: %s, want %s", cookie, a, want)
		}
	}
	counted(t, r.metrics.handshakes.WithLabelValues("unauthorized"), 2)
	if _, err := New(Config{Authorize: "localhost:1"}); err == nil {
		t.Error("an endpoint that is no URL is taken")
	}
}

// TestAuthorizeFails has an endpoint that does not answer well refuse the page, in words, in time, and hold nothing.
func TestAuthorizeFails(t *testing.T) {
	reached := make(chan bool, 100)
	echo := echoServer(t, func(*http.Request) { reached <- true })
	big := strings.Repeat("x", 1<<20)
	for name, answer := range map[string]string{
		"nothing":    "",
		"nonsense":   "nonsense\r\n\r\n",
		"redirect":   "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n",
		"error":      "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
		"header":     "HTTP/1.1 200 OK\r\nX: " + big + "\r\n\r\n",
		"forbidden":  "HTTP/1.1 200 OK\r\nUpstream-Host: x\r\nContent-Length: 0\r\n\r\n",
		"cut":        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx",
		"megabyte":   "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 1048576\r\n\r\n" + big,
		"hangs":      "hang",
		"drips":      "drip",
		"big 200":    "HTTP/1.1 200 OK\r\nUpstream-Host: x\r\nContent-Length: 1048576\r\n\r\n" + big,
		"many 103s":  strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 10_000),
		"half a 403": "HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nhang",
	} {
		t.Run(name, func(t *testing.T) {
			held := make(chan bool)
			endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					return
				}
				defer conn.Close()
				text, hangs := strings.CutSuffix(answer, "hang")
				conn.SetDeadline(time.Now().Add(time.Minute))
				if answer == "drip" {
					for _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n"); err == nil; time.Sleep(20 * time.Millisecond) {
						_, err = io.WriteString(conn, "A: b\r\n")
					}
					close(held)
				}
				io.WriteString(conn, text)
				if hangs {
					conn.Read(make([]byte, 1)) // until the relay gives it up
					close(held)
				}
			}))
			t.Cleanup(endpoint.Close)
			r, relay := serve(t, Config{Authorize: endpoint.URL, AuthorizeTimeout: 500 * time.Millisecond}, echo)
			want, outcome := "the relay could not ask", "authorize_failed"
			if strings.Contains(answer, "403") {
				want, outcome = "connectSocket:fail ", "unauthorized"
			}
			if a := pageWith(t, relay, nil, `{"url": "`+echo+`"}`); !strings.Contains(a, want) || strings.Contains(a, `"open":true`) || len(a) > 2000 {
				t.Errorf("%.3000s", a)
			}
			counted(t, r.metrics.handshakes.WithLabelValues(outcome), 1)
			if strings.HasSuffix(answer, "hang") || answer == "drip" {
				select {
				case <-held:
				case <-time.After(20 * time.Second):
					t.Error("the question is still held")
				}
			}
			counted(t, r.metrics.connections, 0)
		})
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	_, relay := serve(t, Config{Authorize: gone.URL}, echo)
	if a := pageWith(t, relay, nil, `{"url": "`+echo+`"}`); !strings.Contains(a, "the relay could not ask") {
		t.Errorf("an endpoint that is not there: %s", a)
	}
	if len(reached) > 0 {
		t.Error("an upstream was reached")
	}
}

// BenchmarkHandshake is the whole of it, with a question and without.
func BenchmarkHandshake(b *testing.B) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if c, err := websocket.Accept(w, req, &websocket.AcceptOptions{InsecureSkipVerify: true}); err == nil {
			<-c.CloseRead(b.Context()).Done() // until it is closed
			c.CloseNow()
		}
	}))
	defer upstream.Close()
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer endpoint.Close()
	for _, url := range []string{"", endpoint.URL} {
		b.Run(fmt.Sprint("authorize=", url != ""), func(b *testing.B) {
			r, err := New(Config{Allow: []string{hostOf(upstream.URL)}, Origins: []string{"*"}, Authorize: url, Logger: slog.New(slog.DiscardHandler),
				HandshakeRate: 1e6, HandshakeRatePerAddr: 1e6, MaxConnsPerAddr: 1000})
			if err != nil {
				b.Fatal(err)
			}
			s := httptest.NewServer(r)
			defer s.Close()
			defer r.Drain(b.Context())
			offer := []byte(`{"url": "ws` + strings.TrimPrefix(upstream.URL, "http") + `"}`)
			for b.Loop() {
				c, _, err := websocket.Dial(b.Context(), s.URL, &websocket.DialOptions{Subprotocols: []string{Subprotocol}, HTTPHeader: http.Header{"Origin": {pageOrigin}}})
				if err != nil {
					b.Fatal(err)
				}
				c.Write(b.Context(), websocket.MessageText, offer)
				if _, a, err := c.Read(b.Context()); err != nil || !strings.Contains(string(a), `"open":true`) {
					b.Fatal(string(a), err)
				}
				c.CloseNow()
			}
		})
	}
}

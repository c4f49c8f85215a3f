package relay

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nhooyr.io/websocket"
)

// expectClose reads up to a close frame and holds it against the code.
func expectClose(t *testing.T, br *bufio.Reader, code int) {
	t.Helper()
	expectCloseOf(t, br, code)
}

// expectCloseOf is expectClose for one of several codes.
func expectCloseOf(t *testing.T, br *bufio.Reader, codes ...int) {
	t.Helper()
	for {
		first, payload, err := nextFrame(br)
		if err != nil {
			t.Errorf("no close frame: %v", err)
			return
		}
		if first == 0x88 {
			code := 0
			if len(payload) >= 2 {
				code = int(payload[0])<<8 | int(payload[1])
			}
			if !slices.Contains(codes, code) {
				t.Errorf("close frame %q, want code %d", payload, codes)
			} else if code >= 1002 && len(payload) == 2 {
				t.Error("a close frame without a reason")
			}
			return
		}
	}
}

// expectPing reads up to a ping.
func expectPing(t *testing.T, br *bufio.Reader) {
	t.Helper()
	for {
		switch first, payload, err := nextFrame(br); {
		case err != nil || first == 0x88:
			t.Errorf("no ping before %#x %q, %v", first, payload, err)
			return
		case first == 0x89:
			return
		}
	}
}

// expectEnd reads up to the end of the connection, without a close frame.
func expectEnd(t *testing.T, br *bufio.Reader) {
	t.Helper()
	for {
		first, payload, err := nextFrame(br)
		switch {
		case err != nil:
			if e, ok := err.(net.Error); ok && e.Timeout() {
				t.Error("the connection did not end")
			}
			return
		case first == 0x88:
			t.Errorf("close frame %q, want none", payload)
			return
		}
	}
}

// endsSoon wants the end of the connection, without a close frame and before the relay would cut what does not end.
func endsSoon(t *testing.T, conn net.Conn, br *bufio.Reader) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(closeWait - time.Second))
	expectEnd(t, br)
}

// TestBadOffers has pages do anything but send a first message that is right.
func TestBadOffers(t *testing.T) {
	echo := echoServer(t, nil)
	r, relay := serve(t, Config{OfferTimeout: 200 * time.Millisecond}, echo)
	offer := fmt.Sprintf(`{"url":%q}`, echo)
	text := func(s string) []byte { return frame(0x81, true, []byte(s)) }
	for _, c := range []struct {
		name    string
		send    func(io.Writer)
		code    int // 0: the page goes by itself
		outcome string
	}{
		{"nothing", func(io.Writer) {}, 1008, "no_offer"},
		{"half a header", func(w io.Writer) { w.Write(text(offer)[:1]) }, 1008, "no_offer"},
		{"half a message", func(w io.Writer) { w.Write(text(offer)[:20]) }, 1008, "no_offer"},
		{"drop by drop", func(w io.Writer) {
			for _, b := range text(offer) {
				w.Write([]byte{b})
				time.Sleep(20 * time.Millisecond)
			}
		}, 1008, "no_offer"},
		{"an end", func(w io.Writer) { w.(net.Conn).Close() }, 0, "page_gone"},
		{"a close", func(w io.Writer) { w.Write(frame(0x88, true, closePayload(1001, ""))) }, 1001, "page_gone"},
		{"half a message and an end", func(w io.Writer) { w.Write(text(offer)[:20]); w.(net.Conn).Close() }, 0, "page_gone"},
		{"64 KiB and a byte", func(w io.Writer) { w.Write(text(offer + strings.Repeat(" ", maxOffer+1-len(offer)))) }, 1009, "bad_offer"},
		{"a frame of 2^62", func(w io.Writer) {
			w.Write([]byte{0x81, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
			w.Write(make([]byte, maxOffer+1))
		}, 1009, "bad_offer"},
		{"binary", func(w io.Writer) { w.Write(frame(0x82, true, []byte(offer))) }, 1003, "bad_offer"},
		{"bad JSON", func(w io.Writer) { w.Write(text(`{"url":`)) }, 1007, "bad_offer"},
		{"duplicate keys", func(w io.Writer) { w.Write(text(`{"url":"ws://a","url":"ws://b"}`)) }, 1007, "bad_offer"},
		{"a long bad key", func(w io.Writer) { w.Write(text(`{"` + strings.Repeat("é", 1000) + `":1}`)) }, 1007, "bad_offer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn, br := rawPage(t, relay, "")
			c.send(conn)
			if c.code != 0 {
				expectClose(t, br, c.code)
			}
			conn.Close()
		})
	}
	t.Cleanup(func() {
		for outcome, n := range map[string]float64{"no_offer": 4, "page_gone": 3, "bad_offer": 6} {
			counted(t, r.metrics.handshakes.WithLabelValues(outcome), n)
		}
	})
	t.Run("exactly 64 KiB", func(t *testing.T) {
		conn, _ := rawPage(t, relay, offer+strings.Repeat(" ", maxOffer-len(offer)))
		conn.Close()
	})
}

// TestBodies has handshakes that announce a body and never send it: each is refused at once, holds nothing, and a drain ends.
func TestBodies(t *testing.T) {
	r, relay := newRelay(t, Config{}, "ws://x.test")
	for i, header := range []string{"Content-Length: 5", "Transfer-Encoding: chunked", "Content-Length: 1000000000", "Content-Length: 5\r\nExpect: 100-continue"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(relay, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: relay\r\nOrigin: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n%s\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: %s\r\n\r\n", pageOrigin, header, Subprotocol)
		answer, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
			t.Errorf("%s: %q, %v", header, answer, err)
		}
		counted(t, r.metrics.handshakes.WithLabelValues("body"), float64(i+1))
	}
	counted(t, r.metrics.connections, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if closed, err := r.Drain(ctx); closed > 0 || err != nil {
		t.Error(err)
	}
}

// TestOneClose refuses calls, and wants one close frame, then the end, once the page has answered; and the end after a while
// if it does not.
func TestOneClose(t *testing.T) {
	_, relay := serve(t, Config{OfferTimeout: 200 * time.Millisecond})
	text := func(s string) []byte { return frame(0x81, true, []byte(s)) }
	for name, send := range map[string][]byte{
		"refused":               text(`{"url":"ws://x.test"}`),
		"refused, and more":     append(text(`{"url":"ws://x.test"}`), text("more")...),
		"no offer":              nil,
		"no JSON":               text("{"),
		"not masked":            frame(0x81, false, []byte("{}")),
		"a continuation first":  frame(0x80, true, []byte("{}")),
		"binary":                frame(0x82, true, []byte("{}")),
		"a ping, then no JSON":  append(frame(0x89, true, []byte("p")), text("{")...),
		"too large":             frame(0x81, true, make([]byte, maxOffer+1)),
		"text within a message": append(frame(0x01, true, []byte("{")), text("}")...),
	} {
		for _, answers := range []bool{true, false} {
			t.Run(fmt.Sprint(name, ", answers ", answers), func(t *testing.T) {
				t.Parallel()
				conn, br := rawPage(t, relay, "")
				conn.Write(send)
				closes := 0
				for {
					first, payload, err := nextFrame(br)
					if err != nil {
						var timeout net.Error
						if errors.As(err, &timeout) && timeout.Timeout() {
							t.Error("the connection did not end")
						}
						break
					}
					if closes > 0 {
						t.Errorf("after the close: %#x %q", first, payload)
					}
					if first == 0x88 {
						closes++
						if answers {
							conn.Write(frame(0x88, true, payload[:2]))
						}
					}
					if first == 0x8a && string(payload) != "p" {
						t.Errorf("pong %q", payload)
					}
				}
				if closes != 1 {
					t.Errorf("%d close frames", closes)
				}
			})
		}
	}
}

// TestRefusals holds what is refused before the upgrade.
func TestRefusals(t *testing.T) {
	get := func(t *testing.T, relay string, header http.Header) int {
		t.Helper()
		req, _ := http.NewRequest("GET", relay, nil)
		req.Header = header
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		return resp.StatusCode
	}
	asks := func(origins ...string) http.Header {
		return http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Origin": origins,
			"Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="}, "Sec-Websocket-Protocol": {"other, " + Subprotocol}}
	}
	t.Run("origin", func(t *testing.T) {
		r, relay := serve(t, Config{})
		for i, origins := range [][]string{nil, {""}, {"https://evil.example"}, {"http://app.example"}, {"null"}, {pageOrigin, pageOrigin}} {
			if got := get(t, relay, asks(origins...)); got != http.StatusForbidden {
				t.Errorf("origin %q: %d", origins, got)
			}
			counted(t, r.metrics.handshakes.WithLabelValues("origin"), float64(i+1))
		}
	})
	t.Run("no WebSocket", func(t *testing.T) {
		r, relay := serve(t, Config{})
		noProtocol, oldVersion := asks(pageOrigin), asks(pageOrigin)
		noProtocol.Del("Sec-Websocket-Protocol")
		oldVersion.Set("Sec-Websocket-Version", "8")
		for i, h := range []http.Header{{}, noProtocol, oldVersion} {
			if got := get(t, relay, h); got != http.StatusBadRequest {
				t.Errorf("%v: %d", h, got)
			}
			counted(t, r.metrics.handshakes.WithLabelValues("upgrade"), float64(i+1))
		}
	})
	flood := func(t *testing.T, cfg Config, served, status int, outcome string) {
		echo := echoServer(t, nil)
		r, relay := serve(t, cfg, echo)
		for range served {
			connect(t, relay, m{"url": echo})
		}
		for range 20 {
			if got := get(t, relay, asks(pageOrigin)); got != status {
				t.Errorf("%d, want %d", got, status)
			}
		}
		counted(t, r.metrics.handshakes.WithLabelValues(outcome), 20)
		counted(t, r.metrics.connections, float64(served))
	}
	t.Run("full", func(t *testing.T) { flood(t, Config{MaxConns: 3}, 3, http.StatusServiceUnavailable, "full") })
	t.Run("address", func(t *testing.T) {
		flood(t, Config{MaxConnsPerAddr: 2}, 2, http.StatusTooManyRequests, "address_full")
	})
	t.Run("rate", func(t *testing.T) {
		flood(t, Config{HandshakeRate: 0.001}, 1, http.StatusServiceUnavailable, "rate")
	})
	t.Run("address rate", func(t *testing.T) {
		r, relay := serve(t, Config{HandshakeRatePerAddr: 0.001, MaxConnsPerAddr: 2})
		for i := range 4 {
			want := http.StatusTooManyRequests
			if i < 2 {
				want = http.StatusSwitchingProtocols
			}
			if got := get(t, relay, asks(pageOrigin)); got != want {
				t.Errorf("handshake %d: %d, want %d", i, got, want)
			}
			counted(t, r.metrics.connections, 0)
		}
		counted(t, r.metrics.handshakes.WithLabelValues("address_rate"), 2)
	})
}

// pairWith connects a raw page to a raw upstream, and returns both.
func pairWith(t *testing.T, cfg Config) (r *Relay, page net.Conn, pageIn *bufio.Reader, up net.Conn, upIn *bufio.Reader) {
	t.Helper()
	return pairOf(t, cfg, false)
}

// pairOf is pairWith, with an upstream that compresses if deflate.
func pairOf(t *testing.T, cfg Config, deflate bool) (r *Relay, page net.Conn, pageIn *bufio.Reader, up net.Conn, upIn *bufio.Reader) {
	t.Helper()
	type end struct {
		conn net.Conn
		in   *bufio.Reader
	}
	arrived, done := make(chan end, 1), make(chan struct{})
	u := rawUpstream(t, func(c net.Conn, br *bufio.Reader) {
		arrived <- end{c, br}
		<-done
	})
	t.Cleanup(func() { close(done) })
	r, relay := serve(t, cfg, u)
	page, pageIn = rawPage(t, relay, fmt.Sprintf(`{"url":%q,"perMessageDeflate":%v}`, u, deflate))
	e := <-arrived
	// Both ends go before the relay is drained.
	t.Cleanup(func() { page.Close(); e.conn.Close() })
	return r, page, pageIn, e.conn, e.in
}

// TestPageAnswers has the relay close a pair, and wants the page's stream to last until the page has answered: a proxy
// between them that knows no half-closed streams would cut the answer off, RFC 6455 section 7.1.1.
func TestPageAnswers(t *testing.T) {
	for name, end := range map[string]func(r *Relay, up net.Conn){
		"violation": func(_ *Relay, up net.Conn) { up.Write(frame(0x81, true, []byte("masked"))) },
		"drain": func(r *Relay, up net.Conn) {
			r.mu.Lock()
			for p := range r.pairs {
				go p.drain()
			}
			r.mu.Unlock()
			up.Write(frame(0x88, false, closePayload(1001, ""))) // its answer
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, page, pageIn, up, upIn := pairWith(t, Config{})
			end(r, up)
			if first, _ := readFrame(t, pageIn); first != 0x88 {
				t.Fatalf("the page is sent %#x, want a close frame", first)
			}
			go io.Copy(io.Discard, upIn)
			page.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
			var timeout net.Error
			if _, err := pageIn.Peek(1); !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Fatalf("before the page's answer: %v", err)
			}
			page.SetReadDeadline(time.Now().Add(10 * time.Second))
			page.Write(frame(0x88, true, closePayload(1002, "")))
			if _, err := pageIn.Peek(1); err != io.EOF {
				t.Errorf("after the page's answer: %v", err)
			}
		})
	}
}

// TestAbuse has either peer misbehave once connected.
func TestAbuse(t *testing.T) {
	hello := func(masked bool) []byte { return frame(0x81, masked, []byte("hello")) }
	noise := make([]byte, 60_000) // which compression makes no smaller
	rand.Read(noise)
	type ends struct {
		page, up     net.Conn
		pageIn, upIn *bufio.Reader
	}
	for _, c := range []struct {
		name  string
		cfg   Config
		do    func(*testing.T, ends)
		cause string
	}{
		{"page sends no mask", Config{}, func(t *testing.T, e ends) {
			e.page.Write(append(hello(true), hello(false)...))
			if _, b := readFrame(t, e.upIn); string(b) != "hello" {
				t.Errorf("before: %q", b)
			}
			expectClose(t, e.upIn, 1002)
			expectClose(t, e.pageIn, 1002)
			endsSoon(t, e.page, e.pageIn)
		}, "page_protocol"},
		{"upstream sends a mask", Config{}, func(t *testing.T, e ends) {
			e.up.Write(append(hello(false), hello(true)...))
			if _, b := readFrame(t, e.pageIn); string(b) != "hello" {
				t.Errorf("before: %q", b)
			}
			expectClose(t, e.pageIn, 1002)
			expectClose(t, e.upIn, 1002)
			endsSoon(t, e.up, e.upIn)
		}, "upstream_protocol"},
		{"page sends too much", Config{MaxMessage: 1000}, func(t *testing.T, e ends) {
			e.page.Write(frame(0x02, true, make([]byte, 600)))
			e.page.Write(frame(0x80, true, make([]byte, 600)))
			expectClose(t, e.pageIn, 1009)
			expectClose(t, e.upIn, 1009)
		}, "page_protocol"},
		{"upstream vanishes within a frame", Config{}, func(t *testing.T, e ends) {
			e.up.Write(append(hello(false), frame(0x82, false, make([]byte, 1000))[:500]...))
			e.up.Close()
			if _, b := readFrame(t, e.pageIn); string(b) != "hello" {
				t.Errorf("before: %q", b)
			}
			endsSoon(t, e.page, e.pageIn)
		}, "upstream_dropped"},
		{"upstream resets", Config{}, func(t *testing.T, e ends) {
			e.up.(*net.TCPConn).SetLinger(0)
			e.up.Close()
			expectEnd(t, e.pageIn)
		}, "upstream_dropped"},
		{"page vanishes within a frame", Config{}, func(t *testing.T, e ends) {
			e.page.Write(append(hello(true), frame(0x82, true, make([]byte, 1000))[:500]...))
			e.page.Close()
			if _, b := readFrame(t, e.upIn); string(b) != "hello" {
				t.Errorf("before: %q", b)
			}
			endsSoon(t, e.up, e.upIn)
		}, "page_dropped"},
		{"page never reads", Config{WriteStall: 100 * time.Millisecond}, func(t *testing.T, e ends) {
			for err := error(nil); err == nil; { // fills what the system buffers, and is stopped
				_, err = e.up.Write(frame(0x82, false, make([]byte, 60_000)))
			}
		}, "page_stalled"},
		{"upstream never reads", Config{WriteStall: 100 * time.Millisecond}, func(t *testing.T, e ends) {
			go func() {
				for err := error(nil); err == nil; {
					_, err = e.page.Write(frame(0x82, true, noise))
				}
			}()
			expectClose(t, e.pageIn, 1008)
		}, "upstream_stalled"},
		{"page answers no pings", Config{PingInterval: 300 * time.Millisecond}, func(t *testing.T, e ends) {
			go func() { // the upstream is never silent
				for {
					if _, err := e.up.Write(frame(0x8a, false, nil)); err != nil {
						return
					}
					time.Sleep(10 * time.Millisecond)
				}
			}()
			expectPing(t, e.pageIn)
			expectClose(t, e.pageIn, 1011)
		}, "page_lost"},
		{"upstream answers no pings", Config{PingInterval: 300 * time.Millisecond}, func(t *testing.T, e ends) {
			go func() {
				for {
					if _, err := e.page.Write(frame(0x8a, true, nil)); err != nil {
						return
					}
					time.Sleep(10 * time.Millisecond)
				}
			}()
			expectPing(t, e.upIn)
			expectClose(t, e.upIn, 1011)
		}, "upstream_lost"},
		{"upstream sends what is not compressed as it says", Config{}, func(t *testing.T, e ends) {
			e.up.Write(append(hello(false), frame(0xc1, false, []byte("nonsense"))...))
			if _, b := readFrame(t, e.pageIn); string(b) != "hello" {
				t.Errorf("before: %q", b)
			}
			// Without compression agreed, the bit itself is wrong.
			expectCloseOf(t, e.pageIn, 1002, 1007)
			expectCloseOf(t, e.upIn, 1002, 1007)
		}, "upstream_protocol"},
		{"upstream sends too much", Config{MaxMessage: 1000}, func(t *testing.T, e ends) {
			e.up.Write(frame(0x82, false, make([]byte, 1001)))
			expectClose(t, e.pageIn, 1009)
			expectClose(t, e.upIn, 1009)
		}, "upstream_protocol"},
		{"page closes and stays", Config{}, func(t *testing.T, e ends) {
			e.page.Write(frame(0x88, true, nil))
			if first, b := readFrame(t, e.upIn); first != 0x88 || len(b) != 0 {
				t.Errorf("an empty close arrives as %#x %q", first, b)
			}
			e.up.Write(frame(0x88, false, nil))
			if first, b := readFrame(t, e.pageIn); first != 0x88 || len(b) != 0 {
				t.Errorf("an empty close arrives as %#x %q", first, b)
			}
			endsSoon(t, e.page, e.pageIn)
		}, "page_closed"},
		{"upstream sends on after its close", Config{}, func(t *testing.T, e ends) {
			e.up.Write(append(frame(0x88, false, closePayload(4000, "bye")), hello(false)...))
			expectClose(t, e.pageIn, 4000)
			e.page.Write(frame(0x88, true, closePayload(4000, "bye")))
			expectClose(t, e.upIn, 4000)
			endsSoon(t, e.page, e.pageIn)
		}, "upstream_closed"},
	} {
		for name, deflate := range map[string]bool{c.name: false, c.name + ", compressed": true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				var e ends
				var r *Relay
				r, e.page, e.pageIn, e.up, e.upIn = pairOf(t, c.cfg, deflate)
				c.do(t, e)
				e.page.Close()
				e.up.Close()
				counted(t, r.metrics.ends.WithLabelValues(c.cause), 1)
				counted(t, r.metrics.connections, 0)
			})
		}
	}
}

// TestPageLeavesWhileDialling frees the page's place at once, not at the upstream's timeout.
func TestPageLeavesWhileDialling(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r, relay := serve(t, Config{}, "ws://"+l.Addr().String())
	for i, leave := range []func(net.Conn){
		func(c net.Conn) { c.Close() },
		func(c net.Conn) { c.Write(frame(0x88, true, closePayload(1000, ""))) },
	} {
		conn, _ := rawPage(t, relay, "")
		conn.Write(frame(0x81, true, fmt.Appendf(nil, `{"url":"ws://%s"}`, l.Addr())))
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		leave(conn)
		counted(t, r.metrics.handshakes.WithLabelValues("page_gone"), float64(i+1))
		c.Close()
	}
}

// TestCloseStorm opens and ends many connections at once, in every manner.
func TestCloseStorm(t *testing.T) {
	echo := echoServer(t, nil)
	r, relay := serve(t, Config{HandshakeRate: 1e6, MaxConnsPerAddr: 1e6}, echo)
	offer, _ := json.Marshal(m{"url": echo})
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			c, _, err := websocket.Dial(t.Context(), relay, &websocket.DialOptions{Subprotocols: []string{Subprotocol}, HTTPHeader: http.Header{"Origin": {pageOrigin}}})
			if err != nil {
				t.Error(err)
				return
			}
			defer c.CloseNow()
			c.Write(t.Context(), websocket.MessageText, offer)
			if i%4 == 0 {
				return // before the answer
			}
			if _, b, err := c.Read(t.Context()); err != nil || !strings.Contains(string(b), `"open":true`) {
				t.Errorf("%q, %v", b, err)
			}
			switch i % 4 {
			case 1:
				c.Close(websocket.StatusNormalClosure, "")
			case 2:
				c.Write(t.Context(), websocket.MessageText, offer)
			}
		})
	}
	wg.Wait()
	counted(t, r.metrics.connections, 0)
}

package relay

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"nhooyr.io/websocket"
)

// TestMillionMessages sends a million numbered messages each way at once: all arrive, in order.
func TestMillionMessages(t *testing.T) {
	const n = 1_000_000
	r, page, pageIn, up, upIn := pairWith(t, Config{})
	send := func(conn net.Conn, masked bool) {
		w := bufio.NewWriterSize(conn, 32<<10)
		for i := range uint64(n) {
			w.Write(frame(0x82, masked, binary.BigEndian.AppendUint64(nil, i)))
		}
		w.Flush()
	}
	receive := func(br *bufio.Reader) error {
		for i := range uint64(n) {
			first, b, err := nextFrame(br)
			if err != nil || first != 0x82 || len(b) != 8 || binary.BigEndian.Uint64(b) != i {
				return fmt.Errorf("message %d: %#x %x, %v", i, first, b, err)
			}
		}
		return nil
	}
	var wg sync.WaitGroup
	wg.Go(func() { send(page, true) })
	wg.Go(func() { send(up, false) })
	wg.Go(func() {
		if err := receive(upIn); err != nil {
			t.Errorf("upstream: %v", err)
			page.Close()
		}
	})
	wg.Go(func() {
		if err := receive(pageIn); err != nil {
			t.Errorf("page: %v", err)
			up.Close()
		}
	})
	wg.Wait()
	page.Close()
	up.Close()
	counted(t, r.metrics.connections, 0)
	for i, size := range []int{2 + 4 + 8, 2 + 8} {
		if got := testutil.ToFloat64(r.metrics.messages[i]); got != n {
			t.Errorf("%v messages counted", got)
		}
		if got := testutil.ToFloat64(r.metrics.bytes[i]); got != float64(n*size) {
			t.Errorf("%v bytes counted", got)
		}
	}
}

// TestStreams passes one message of 64 MiB each way. The half that was sent arrives before the other half exists, and
// the memory in use does not grow with it.
func TestStreams(t *testing.T) {
	const size = 64 << 20
	_, page, pageIn, up, upIn := pairWith(t, Config{})
	page.SetDeadline(time.Now().Add(2 * time.Minute))
	up.SetDeadline(time.Now().Add(2 * time.Minute))
	half := make([]byte, 1<<20)
	move := func(w io.Writer, r io.Reader) {
		t.Helper()
		sent := make(chan error, 1)
		go func() {
			var err error
			for range size / 2 / len(half) {
				_, err = w.Write(half)
			}
			sent <- err
		}()
		if n, err := io.CopyN(io.Discard, r, size/2); err != nil {
			t.Fatalf("after %d bytes: %v", n, err)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for _, way := range []struct {
		w    io.Writer
		r    *bufio.Reader
		head []byte
	}{
		{page, upIn, append(binary.BigEndian.AppendUint64([]byte{0x82, 0x80 | 127}, size), mask...)},
		{up, pageIn, binary.BigEndian.AppendUint64([]byte{0x82, 127}, size)},
	} {
		way.w.Write(way.head)
		if _, err := way.r.Discard(len(way.head)); err != nil {
			t.Fatal(err)
		}
		move(way.w, way.r)
		move(way.w, way.r)
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.Sys) - int64(before.Sys); grown > 16<<20 {
		t.Errorf("memory grew by %d MiB", grown>>20)
	}
}

// TestBackpressure has a page that does not read slow its upstream down, and lose nothing.
func TestBackpressure(t *testing.T) {
	_, _, pageIn, up, _ := pairWith(t, Config{})
	msg := frame(0x82, false, make([]byte, 100_000))
	up.SetWriteDeadline(time.Now().Add(time.Second))
	var sent int64
	for {
		n, err := up.Write(msg)
		sent += int64(n)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil || sent > 64<<20 {
			t.Fatalf("after %d MiB: %v", sent>>20, err)
		}
	}
	if n, err := io.CopyN(io.Discard, pageIn, sent); err != nil {
		t.Errorf("of %d bytes %d arrived: %v", sent, n, err)
	}
}

// TestCloseComesLast has what is on the way arrive before either side's close.
func TestCloseComesLast(t *testing.T) {
	_, page, pageIn, up, upIn := pairWith(t, Config{})
	var burst []byte
	for i := range 50 {
		burst = append(burst, frame(0x81, true, fmt.Append(nil, i))...)
	}
	page.Write(append(burst, frame(0x88, true, closePayload(1000, "done"))...))
	for i := 0; ; i++ {
		first, b := readFrame(t, upIn)
		if first == 0x88 {
			up.Write(frame(0x88, false, b))
			break
		}
		if string(b) != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, b)
		}
		up.Write(frame(0x81, false, b))
	}
	for i := range 50 {
		if first, b := readFrame(t, pageIn); first != 0x81 || string(b) != fmt.Sprint(i) {
			t.Fatalf("echo %d is %#x %q", i, first, b)
		}
	}
	expectClose(t, pageIn, 1000)
}

func TestCloseCodes(t *testing.T) {
	for _, c := range []websocket.CloseError{
		{Code: 1000}, {Code: 1001, Reason: "going"}, {Code: 3000, Reason: "tschüß"}, {Code: 4999, Reason: strings.Repeat("x", maxReason)}, {Code: 1005},
	} {
		payload := closePayload(int(c.Code), c.Reason)
		if c.Code == 1005 {
			payload = nil
		}
		t.Run(fmt.Sprint("page ", int(c.Code)), func(t *testing.T) {
			_, page, _, _, upIn := pairWith(t, Config{})
			page.Write(frame(0x88, true, payload))
			if first, b := readFrame(t, upIn); first != 0x88 || !bytes.Equal(b, payload) {
				t.Errorf("%#x %q", first, b)
			}
			page.Close()
		})
		t.Run(fmt.Sprint("upstream ", int(c.Code)), func(t *testing.T) {
			_, _, pageIn, up, _ := pairWith(t, Config{})
			up.Write(frame(0x88, false, payload))
			if first, b := readFrame(t, pageIn); first != 0x88 || !bytes.Equal(b, payload) {
				t.Errorf("%#x %q", first, b)
			}
		})
		for _, deflate := range []bool{false, true} {
			t.Run(fmt.Sprint("library ", int(c.Code), " deflate ", deflate), func(t *testing.T) {
				got := make(chan error, 1)
				echo := echoServer(t, nil, got)
				_, relay := serve(t, Config{}, echo)
				conn, _ := connect(t, relay, m{"url": echo, "perMessageDeflate": deflate})
				if err := conn.Close(c.Code, c.Reason); err != nil {
					t.Error(err)
				}
				var e websocket.CloseError
				if err := <-got; !errors.As(err, &e) || e != c {
					t.Errorf("upstream saw %v, want %v", err, c)
				}
			})
		}
	}
}

// TestAhead has both sides send in one breath with their handshakes.
func TestAhead(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		br := bufio.NewReader(conn)
		req, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		conn.Write(append(fmt.Appendf(nil, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
			base64.StdEncoding.EncodeToString(sum[:])), frame(0x81, false, []byte("welcome"))...))
		for {
			first, b, err := nextFrame(br)
			if err != nil {
				return
			}
			conn.Write(frame(first, false, b))
		}
	}()
	_, relay := serve(t, Config{}, "ws://"+l.Addr().String())
	conn, br := rawPage(t, relay, "")
	conn.Write(append(frame(0x81, true, fmt.Appendf(nil, `{"url":"ws://%s"}`, l.Addr())), frame(0x81, true, []byte("early"))...))
	if _, b := readFrame(t, br); !bytes.Contains(b, []byte(`"open":true`)) {
		t.Fatalf("%s", b)
	}
	for _, want := range []string{"welcome", "early"} {
		if _, b := readFrame(t, br); string(b) != want {
			t.Errorf("%q, want %q", b, want)
		}
	}
	conn.Close()
}

// TestDrain refuses new pages, lets a connection end by itself, and closes one that does not at the deadline.
func TestDrain(t *testing.T) {
	for _, deflate := range []bool{false, true} {
		for _, ends := range []bool{true, false} {
			t.Run(fmt.Sprint("ends ", ends, " deflate ", deflate), func(t *testing.T) {
				echo := echoServer(t, nil)
				r, url := newRelay(t, Config{}, echo)
				c, _ := connect(t, url, m{"url": echo, "perMessageDeflate": deflate})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				drained := drain(r, ctx)
				eventually(t, "draining", func() bool {
					_, resp, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{Subprotocols: []string{Subprotocol}, HTTPHeader: http.Header{"Origin": {pageOrigin}}})
					return err != nil && resp != nil && resp.StatusCode == http.StatusServiceUnavailable
				})
				c.Write(t.Context(), websocket.MessageText, []byte("still served"))
				if _, b, err := c.Read(t.Context()); err != nil || string(b) != "still served" {
					t.Fatalf("%q, %v", b, err)
				}
				if ends {
					c.Close(websocket.StatusNormalClosure, "")
					if got := <-drained; got != "0 <nil>" {
						t.Error(got)
					}
					return
				}
				cancel()
				if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
					t.Errorf("closed by %v", err)
				}
				if got := <-drained; got != "1 <nil>" {
					t.Error(got)
				}
			})
		}
	}
}

// TestDrainWhileDialling tells a page that waits for its upstream.
func TestDrainWhileDialling(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r, url := newRelay(t, Config{}, "ws://"+l.Addr().String())
	conn, br := rawPage(t, url, "")
	conn.Write(frame(0x81, true, fmt.Appendf(nil, `{"url":"ws://%s"}`, l.Addr())))
	up, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer up.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	drained := drain(r, ctx)
	expectClose(t, br, 1001)
	conn.Close()
	if got := <-drained; got != "1 <nil>" {
		t.Error(got)
	}
}

// drain drains r, and gives what Drain returns.
func drain(r *Relay, ctx context.Context) <-chan string {
	result := make(chan string, 1)
	go func() {
		closed, err := r.Drain(ctx)
		result <- fmt.Sprint(closed, " ", err)
	}()
	return result
}

// TestDrainSpreads has the closes of a drain lie apart, over all of its time, and leave alone what ends by itself.
func TestDrainSpreads(t *testing.T) {
	const pages, whole = 40, 2 * time.Second
	echo := echoServer(t, nil)
	r, url := newRelay(t, Config{}, echo)
	closes := make(chan time.Time, pages)
	conns := make([]*websocket.Conn, pages)
	for i := range conns {
		conns[i], _ = connect(t, url, m{"url": echo})
	}
	ctx, cancel := context.WithTimeout(t.Context(), whole)
	defer cancel()
	began := time.Now()
	drained := drain(r, ctx)
	conns[0].Close(websocket.StatusNormalClosure, "")
	for _, c := range conns[1:] {
		go func() {
			if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
				t.Errorf("closed by %v", err)
			}
			closes <- time.Now()
		}()
	}
	var at []time.Duration
	for range conns[1:] {
		at = append(at, (<-closes).Sub(began))
	}
	if got := <-drained; got != fmt.Sprint(pages-1, " <nil>") && got != fmt.Sprint(pages, " <nil>") { // the first may have been in time
		t.Error(got)
	}
	if first, last := at[0], at[len(at)-1]; first > whole*3/4 || last < whole*3/4 || last-first < whole/2 {
		t.Errorf("closed after %v", at)
	}
}

func TestClientAddr(t *testing.T) {
	r, err := New(Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:1", nil, "192.0.2.1/32"},
		{"192.0.2.1:1", []string{"198.51.100.1"}, "192.0.2.1/32"},
		{"[::ffff:192.0.2.1]:1", nil, "192.0.2.1/32"},
		{"[2001:db8:1:2:3::4]:1", nil, "2001:db8:1:2::/64"},
		{"10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1/32"},
		{"10.0.0.1:1", []string{"6.6.6.6, 198.51.100.1"}, "198.51.100.1/32"},
		{"10.0.0.1:1", []string{"6.6.6.6", "198.51.100.1, 10.2.2.2"}, "198.51.100.1/32"},
		{"[fd00::1]:1", []string{"2001:db8::1"}, "2001:db8::/64"},
		{"10.0.0.1:1", []string{"nonsense"}, "10.0.0.1/32"},
		{"10.0.0.1:1", nil, "10.0.0.1/32"},
	} {
		req := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.forwarded}}
		if got := r.clientAddr(req); got.String() != c.want {
			t.Errorf("%s, forwarded %q: %v, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}

// An upstream's connection that ends within a message has not sent that message, whatever the library makes of it.
func TestTruncatedMessages(t *testing.T) {
	for name, cut := range map[string][]byte{
		"after a header":               {0x81, 5},
		"within a payload":             {0x81, 5, 'h', 'e'},
		"between fragments":            {0x01, 2, 'h', 'e'},
		"after a compressed header":    {0xc1, 7},
		"within a compressed payload":  {0xc1, 7, 0xf2, 0x48, 0xcd},
		"between compressed fragments": {0x41, 3, 0xf2, 0x48, 0xcd},
	} {
		for _, deflate := range []bool{true, false} {
			if cut[0]&0x40 != 0 && !deflate {
				continue
			}
			upstream := rawUpstream(t, func(c net.Conn, _ *bufio.Reader) {
				c.Write(append(frame(0x81, false, []byte("whole")), cut...))
			})
			_, relay := serve(t, Config{}, upstream)
			// Frame by frame: the library would take it for whole in the page, too.
			_, br := rawPage(t, relay, fmt.Sprintf(`{"url":%q,"perMessageDeflate":%v}`, upstream, deflate))
			var message []byte
			var got []string
			for {
				first, payload, err := nextFrame(br)
				if err != nil || first&0x0f == 8 {
					break
				}
				message = append(message, payload...)
				if first&0x80 != 0 {
					got, message = append(got, string(message)), nil
				}
			}
			if len(got) != 1 || got[0] != "whole" {
				t.Errorf("%s, deflate %v: messages %q instead of the whole one", name, deflate, got)
			}
		}
	}
}

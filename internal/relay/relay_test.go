package relay

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"nhooyr.io/websocket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const pageOrigin = "https://app.example"

// serve starts a relay that allows the hosts of upstreams (URLs) by name, and ends it with the test.
func serve(t *testing.T, cfg Config, upstreams ...string) (*Relay, string) {
	t.Helper()
	r, url := newRelay(t, cfg, upstreams...)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if closed, err := r.Drain(ctx); closed > 0 || err != nil {
			t.Errorf("connections outlived the test: %d were closed, %v", closed, err)
		}
	})
	return r, url
}

// newRelay is serve, without the end of the relay.
func newRelay(t *testing.T, cfg Config, upstreams ...string) (*Relay, string) {
	t.Helper()
	for _, u := range upstreams {
		cfg.Allow = append(cfg.Allow, u[strings.Index(u, "//")+2:])
	}
	if cfg.Origins == nil {
		cfg.Origins = []string{pageOrigin}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	return r, s.URL
}

// page opens a WebSocket to the relay as a page does.
func page(t *testing.T, relay string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(t.Context(), relay, &websocket.DialOptions{
		Subprotocols: []string{Subprotocol},
		HTTPHeader:   http.Header{"Origin": {pageOrigin}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(-1)
	t.Cleanup(func() { c.CloseNow() })
	return c
}

// connect sends the offer, a JSON value or a string as it is, and returns the answer.
func connect(t *testing.T, relay string, offer any) (*websocket.Conn, answer) {
	t.Helper()
	c := page(t, relay)
	b, ok := offer.(string)
	if !ok {
		j, err := json.Marshal(offer)
		if err != nil {
			t.Fatal(err)
		}
		b = string(j)
	}
	if err := c.Write(t.Context(), websocket.MessageText, []byte(b)); err != nil {
		t.Fatal(err)
	}
	_, reply, err := c.Read(t.Context())
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	var a answer
	if err := json.Unmarshal(reply, &a); err != nil {
		t.Fatalf("answer %q: %v", reply, err)
	}
	return c, a
}

type m = map[string]any

// echoServer answers each message with itself. It shows each request to see, and tells ends how each connection ended.
func echoServer(t *testing.T, see func(*http.Request), ends ...chan<- error) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if see != nil {
			see(req)
		}
		c, err := websocket.Accept(w, req, &websocket.AcceptOptions{
			InsecureSkipVerify: true,
			Subprotocols:       []string{"chat"},
			CompressionMode:    websocket.CompressionNoContextTakeover,
		})
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		for {
			typ, b, err := c.Read(context.Background())
			if err != nil {
				for _, e := range ends {
					e <- err
				}
				return
			}
			if c.Write(context.Background(), typ, b) != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

// rawPage opens a WebSocket to the relay as bare bytes, and sends the offer unless it is empty.
func rawPage(t *testing.T, relay, offer string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(relay, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: relay\r\nOrigin: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: %s\r\n\r\n", pageOrigin, Subprotocol)
	br := bufio.NewReaderSize(conn, 64<<10)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(resp.Status)
	}
	if offer != "" {
		conn.Write(frame(0x81, true, []byte(offer)))
		if first, payload := readFrame(t, br); first != 0x81 || !bytes.Contains(payload, []byte(`"open":true`)) {
			t.Fatalf("answer %#x %q", first, payload)
		}
	}
	return conn, br
}

// readFrame reads a frame, unmasked, and returns its first byte (FIN and opcode) and payload.
func readFrame(t *testing.T, br *bufio.Reader) (first byte, payload []byte) {
	t.Helper()
	first, payload, err := nextFrame(br)
	if err != nil {
		t.Fatalf("reading a frame: %v", err)
	}
	return first, payload
}

func nextFrame(br *bufio.Reader) (first byte, payload []byte, err error) {
	h := make([]byte, 2, 14)
	if _, err := io.ReadFull(br, h); err != nil {
		return 0, nil, err
	}
	more, size := map[byte]int{126: 2, 127: 8}[h[1]&0x7f], uint64(h[1]&0x7f)
	if h[1]&0x80 != 0 {
		more += 4
	}
	h = h[:2+more]
	if _, err := io.ReadFull(br, h[2:]); err != nil {
		return 0, nil, err
	}
	switch size {
	case 126:
		size = uint64(binary.BigEndian.Uint16(h[2:]))
	case 127:
		size = binary.BigEndian.Uint64(h[2:])
	}
	payload = make([]byte, size)
	if _, err := io.ReadFull(br, payload); err != nil {
		return 0, nil, err
	}
	if h[1]&0x80 != 0 {
		for i := range payload {
			payload[i] ^= h[len(h)-4+i%4]
		}
	}
	return h[0], payload, nil
}

// rawUpstream serves WebSockets, compressed where a page wants that, as bare bytes; serve owns the connection, which is closed
// after it.
func rawUpstream(t *testing.T, serve func(net.Conn, *bufio.Reader)) string {
	t.Helper()
	var wg sync.WaitGroup
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		wg.Add(1) // before the takeover: s.Close waits until then
		defer wg.Done()
		var tk takeover
		handle, err := websocket.Accept(tk.wrap(w), req, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionContextTakeover})
		if err != nil {
			return
		}
		tk.lease.release(handle)
		tk.conn.SetDeadline(time.Now().Add(time.Minute))
		defer tk.conn.Close()
		serve(tk.conn, tk.br)
	}))
	t.Cleanup(func() { s.Close(); wg.Wait() })
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

// eventually waits for something that another goroutine brings about.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 2000 {
		if is() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

// counted waits for a counter of the relay to reach n.
func counted(t *testing.T, c prometheus.Collector, n float64) {
	t.Helper()
	eventually(t, fmt.Sprintf("a count of %v", n), func() bool { return testutil.ToFloat64(c) == n })
}

// syncBuffer is a buffer that a logger writes while a test reads.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

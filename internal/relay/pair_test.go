package relay

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"nhooyr.io/websocket"
)

// TestNothingWithinAFrame has the relay ping and close while a frame is half forwarded: nothing of its own may come inside, and
// a page that cannot be pinged for that is not lost.
func TestNothingWithinAFrame(t *testing.T) {
	for _, deflate := range []bool{false, true} {
		t.Run("ping", func(t *testing.T) {
			t.Parallel()
			_, _, pageIn, up, _ := pairOf(t, Config{PingInterval: 300 * time.Millisecond}, deflate)
			message := frame(0x82, false, make([]byte, 120))
			go func() {
				for i := range message { // two seconds: several intervals
					up.Write(message[i : i+1])
					time.Sleep(20 * time.Millisecond)
				}
			}()
			for first, b := byte(0x89), []byte(nil); first != 0x82; { // a ping may come before it
				var err error
				if first, b, err = nextFrame(pageIn); err != nil || first != 0x89 && (first != 0x82 || strings.Trim(string(b), "\x00") != "" || len(b) != 120) {
					t.Fatalf("%#x %x, %v", first, b, err)
				}
			}
			expectPing(t, pageIn)
		})
		t.Run("close", func(t *testing.T) {
			t.Parallel()
			r, page, pageIn, up, upIn := pairOf(t, Config{}, deflate)
			up.Write(frame(0x82, false, make([]byte, 1000))[:500])
			page.SetReadDeadline(time.Now().Add(20 * time.Second))
			if _, err := io.CopyN(io.Discard, pageIn, 500); err != nil {
				t.Fatal(err)
			}
			r.mu.Lock()
			for p := range r.pairs {
				go p.drain()
			}
			r.mu.Unlock()
			expectClose(t, upIn, 1001)
			if b, err := io.ReadAll(pageIn); err != nil || len(b) > 0 {
				t.Errorf("the page is sent %x, %v", b, err)
			}
		})
	}
}

// TestStuckClose has a page close, and an upstream that neither answers nor ends.
func TestStuckClose(t *testing.T) {
	t.Parallel()
	r, page, _, _, upIn := pairWith(t, Config{})
	page.Write(frame(0x88, true, closePayload(1000, "")))
	expectClose(t, upIn, 1000)
	counted(t, r.metrics.ends.WithLabelValues("page_closed"), 1)
}

// TestNotRead has a page wait for an upstream that reads nothing. It is not being read, so its pongs would not be seen.
func TestNotRead(t *testing.T) {
	t.Parallel()
	r, page, pageIn, up, _ := pairWith(t, Config{PingInterval: 300 * time.Millisecond})
	go func() {
		for {
			if _, err := page.Write(frame(0x82, true, make([]byte, 60_000))); err != nil {
				return
			}
		}
	}()
	var waits atomic.Bool
	go func() { // the upstream is never silent
		for {
			payload := "before"
			if waits.Load() {
				payload = "while it waits"
			}
			if _, err := up.Write(frame(0x8a, false, []byte(payload))); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	eventually(t, "the write to the upstream waits", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for p := range r.pairs {
			since := p.legs[down].writing.Load()
			return since != 0 && r.now.Load()-since > int64(200*time.Millisecond)
		}
		return false
	})
	waits.Store(true)
	for n := 0; n < 100; { // two seconds: several intervals
		first, payload, err := nextFrame(pageIn)
		if err != nil {
			t.Fatal(err)
		}
		if string(payload) == "while it waits" {
			n++
		} else if n > 0 {
			t.Fatalf("the page is sent %#x %q", first, payload)
		}
	}
}

// TestDrainCuts has a drain end though neither peer answers its close.
func TestDrainCuts(t *testing.T) {
	hold := make(chan struct{})
	defer close(hold)
	u := rawUpstream(t, func(net.Conn, *bufio.Reader) { <-hold })
	r, relay := newRelay(t, Config{}, u)
	conn, _ := rawPage(t, relay, `{"url":"`+u+`"}`)
	defer conn.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if closed, err := r.Drain(ctx); closed != 1 || err != nil {
		t.Error(closed, err)
	}
}

// TestDrainGivesUp has a connection that never ends: the drain ends without it.
func TestDrainGivesUp(t *testing.T) {
	r, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	r.held++
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Drain(ctx); err == nil || !strings.Contains(err.Error(), "have not ended: 1") {
		t.Error(err)
	}
}

// TestLatePair has a handshake end just as the drain has closed all pairs.
func TestLatePair(t *testing.T) {
	r, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	r.cancel()
	p := &pair{relay: r}
	var peers [2]net.Conn
	for i := range p.legs {
		p.legs[i].conn, peers[i] = net.Pipe()
		p.legs[i].out = newWriter(p.legs[i].conn)
		defer peers[i].Close()
	}
	r.watch(p)
	defer r.unwatch(p)
	for _, peer := range peers {
		peer.SetDeadline(time.Now().Add(20 * time.Second))
		expectClose(t, bufio.NewReader(peer), 1001)
	}
}

// TestSweepOnce counts sweeps with one pair held, after others have come and gone.
func TestSweepOnce(t *testing.T) {
	echo := echoServer(t, nil)
	r, url := serve(t, Config{PingInterval: time.Second}, echo) // a tick of 250 ms
	for range 20 {
		c, _ := connect(t, url, m{"url": echo})
		c.Close(websocket.StatusNormalClosure, "")
		counted(t, r.metrics.connections, 0)
	}
	c, _ := connect(t, url, m{"url": echo})
	defer c.CloseNow()
	seen := map[int64]bool{}
	for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end); time.Sleep(time.Millisecond) {
		seen[r.now.Load()] = true
	}
	if len(seen) < 3 || len(seen) > 9 {
		t.Errorf("%d sweeps in six ticks", len(seen))
	}
}

// TestReaderBuffers holds that a reader of what is not a socket, as with TLS, takes the large buffer where there is much to
// read, and does not hold it while it waits.
func TestReaderBuffers(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	go b.Write(make([]byte, 100_000))
	rd := newReader(a, nil)
	total, largest := 0, 0
	for total < 100_000 {
		chunk, err := rd.next()
		if err != nil {
			t.Fatal(err)
		}
		total += len(chunk)
		largest = max(largest, len(chunk))
	}
	if largest < 50_000 {
		t.Errorf("%d bytes at most are read at once", largest)
	}
	go b.Write([]byte("x"))
	if chunk, err := rd.next(); err != nil || len(chunk) != 1 {
		t.Fatalf("%d bytes, %v", len(chunk), err)
	}
	held := true
	rd.conn = readFunc(func(p []byte) (int, error) { held = rd.buf != nil; return 0, io.EOF })
	rd.next()
	if held {
		t.Error("it holds the large buffer while it waits")
	}
}

// readFunc is a connection that is only read.
type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error)     { return f(p) }
func (readFunc) Write([]byte) (int, error)        { return 0, io.ErrClosedPipe }
func (readFunc) Close() error                     { return nil }
func (readFunc) LocalAddr() net.Addr              { return nil }
func (readFunc) RemoteAddr() net.Addr             { return nil }
func (readFunc) SetDeadline(time.Time) error      { return nil }
func (readFunc) SetReadDeadline(time.Time) error  { return nil }
func (readFunc) SetWriteDeadline(time.Time) error { return nil }

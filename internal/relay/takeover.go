package relay

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pires/go-proxyproto"
	"nhooyr.io/websocket"
)

// The library does the handshakes, and the relay takes the connections over from it: the library must not close what it
// was lent, and what it has read too much must stay reachable.

// aLongTimeAgo is a deadline that interrupts.
var aLongTimeAgo = time.Unix(1, 0)

// lease lends a connection to the library, with the bytes already read from it.
type lease struct {
	net.Conn
	ahead []byte
	over  atomic.Bool // the connection is the relay's own again: Close leaves it open
}

func (l *lease) Read(p []byte) (int, error) {
	if len(l.ahead) > 0 {
		n := copy(p, l.ahead)
		l.ahead = l.ahead[n:]
		return n, nil
	}
	return l.Conn.Read(p)
}

func (l *lease) Close() error {
	if l.over.Load() {
		return nil
	}
	return l.Conn.Close()
}

// release takes the connection back from the library's handle on it, which ends, with its goroutines.
func (l *lease) release(handle *websocket.Conn) {
	l.over.Store(true)
	handle.CloseNow()
}

// takeover keeps what a http.Server hands over when its connection is hijacked.
type takeover struct {
	http.ResponseWriter
	conn    net.Conn
	lease   *lease
	br      *bufio.Reader
	atFrame bool // br begins with a frame of the page's
}

func (t *takeover) wrap(w http.ResponseWriter) http.ResponseWriter {
	t.ResponseWriter = w
	return t
}

// Hijack implements http.Hijacker.
func (t *takeover) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, brw, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if c, ok := conn.(*proxyproto.Conn); ok {
		conn = c.Raw() // the server's first read took all that came after the PROXY header
	}
	t.conn, t.lease, t.br = conn, &lease{Conn: conn}, brw.Reader
	return t.lease, brw, nil
}

// ahead returns what was read from the page beyond the library's need.
func (t *takeover) ahead() []byte {
	b, _ := t.br.Peek(t.br.Buffered())
	return b
}

// watch calls gone when the page closes or vanishes while nobody reads from it. The caller must call stop before it
// lets anyone read again.
func (t *takeover) watch(gone func()) (stop func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		b, err := t.br.Peek(1)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) || err == nil && opcode(b[0]&0x0f) == opClose {
			gone()
		}
	}()
	return func() {
		t.conn.SetReadDeadline(aLongTimeAgo)
		<-done
		t.conn.SetReadDeadline(time.Time{})
	}
}

// roundTripper is an http.Transport that hands over the connection of a 101 response.
type roundTripper struct {
	http.Transport
	conn  net.Conn // as GotConn says
	lease *lease
}

// RoundTrip implements http.RoundTripper.
func (t *roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.Transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		resp.Body.Close() // the library would wait for some of it
		resp.Body = http.NoBody
		return resp, nil
	}
	if err := judge(req, resp); err != nil {
		resp.Body.Close()
		return nil, err
	}
	t.lease = &lease{Conn: t.conn}
	// The transport's body gives what it has read too much before it reads on.
	t.conn.SetReadDeadline(aLongTimeAgo)
	var buf [4096]byte
	for err == nil {
		var n int
		n, err = resp.Body.Read(buf[:])
		t.lease.ahead = append(t.lease.ahead, buf[:n]...)
	}
	// The deadline stays until the library has accepted the response: of one that it does not, it would wait for more.
	resp.Body = t.lease
	return resp, nil
}

// handshakeError is why a response is not a WebSocket handshake.
type handshakeError string

func (e handshakeError) Error() string { return string(e) }

// judge says what is wrong with a 101 response that the library accepts and browsers do not (RFC 6455 section 4.1; the
// Fetch Standard's "obtain a WebSocket connection").
func judge(req *http.Request, resp *http.Response) error {
	if !resp.ProtoAtLeast(1, 1) {
		return handshakeError("upstream's handshake is not HTTP/1.1")
	}
	for _, name := range []string{"Upgrade", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol"} {
		if len(resp.Header.Values(name)) > 1 {
			return handshakeError("upstream's handshake repeats " + name)
		}
	}
	offered, chosen := req.Header.Get("Sec-WebSocket-Protocol"), resp.Header.Get("Sec-WebSocket-Protocol")
	_, chose := resp.Header["Sec-Websocket-Protocol"]
	switch {
	case chose && (offered == "" || !slices.Contains(strings.Split(offered, ","), chosen)):
		return handshakeError("upstream chose a protocol that was not offered")
	case !chose && offered != "":
		return handshakeError("upstream chose none of the protocols offered")
	}
	if ext := resp.Header.Get("Sec-WebSocket-Extensions"); ext != "" && !strings.Contains(ext, "server_no_context_takeover") {
		return handshakeError("upstream compresses in a way that was not offered")
	}
	return nil
}

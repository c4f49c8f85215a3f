package relay

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// The library does the handshakes, and the relay takes the connections over from it: what it was lent it must not
// close, and what it has read too much must stay reachable.

// aLongTimeAgo is a deadline that interrupts.
var aLongTimeAgo = time.Unix(1, 0)

// lease lends a connection to the library, with the bytes already read from it.
type lease struct {
	net.Conn
	ahead []byte
	over  atomic.Bool // the connection is the relay's own again: Close leaves it open
	ended atomic.Bool // a read has failed for good
}

func (l *lease) Read(p []byte) (int, error) {
	if len(l.ahead) > 0 {
		n := copy(p, l.ahead)
		l.ahead = l.ahead[n:]
		return n, nil
	}
	n, err := l.Conn.Read(p)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) { // which is watch's stop
		l.ended.Store(true)
	}
	return n, err
}

func (l *lease) Close() error {
	if l.over.Load() {
		return nil
	}
	return l.Conn.Close()
}

// takeover keeps what a http.Server hands to whom hijacks it.
type takeover struct {
	http.ResponseWriter
	conn  net.Conn
	lease *lease
	br    *bufio.Reader
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
	conn  net.Conn // as GotConn tells
	lease *lease
}

// RoundTrip implements http.RoundTripper.
func (t *roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.Transport.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		return resp, err
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
	t.conn.SetReadDeadline(time.Time{})
	resp.Body = t.lease
	return resp, nil
}

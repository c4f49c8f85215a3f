package echo

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
)

// A hijacker is a ResponseWriter that keeps hold of the connection it gives away.
type hijacker struct {
	http.ResponseWriter
	conn *sealable
}

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("hijack: %w", err)
	}
	h.conn = &sealable{Conn: conn}
	buffered.Writer.Reset(h.conn)
	return h.conn, buffered, nil
}

// A sealable connection drops what is written after its close frame, once it knows that one comes. For
// the library would answer the answer to its own close frame with a second one, and browsers call that
// a failure: "Close received after close", 1006.
type sealable struct {
	net.Conn
	closing atomic.Bool
	sealed  bool // used by Write alone, which the library never calls twice at a time
}

// Write implements io.Writer.
func (c *sealable) Write(p []byte) (int, error) {
	if c.sealed {
		return len(p), nil
	}
	const finalClose = 0x88 // RFC 6455 section 5.2: FIN and opcode 8; the length follows
	c.sealed = c.closing.Load() && len(p) >= 2 && p[0] == finalClose && len(p) == 2+int(p[1])
	return c.Conn.Write(p)
}

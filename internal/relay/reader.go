package relay

import (
	"net"
	"sync"
	"syscall"
)

// chunkSize is the most that is read at once, in bytes.
const chunkSize = 64 << 10

var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// reader reads a connection in chunks. While it waits it holds no buffer, where the system can tell that a connection is
// readable, and a small one where not (TLS).
type reader struct {
	conn  net.Conn
	raw   syscall.RawConn // nil if small is in use
	ready func(fd uintptr) bool
	small []byte

	kept  []byte // what the caller has not consumed
	fresh bool   // kept has not been returned yet
	buf   *[chunkSize]byte
	n     int
	err   error
	full  bool // the last read filled its buffer: there is more
}

// newReader returns a reader of conn whose first bytes are ahead.
func newReader(conn net.Conn, ahead []byte) *reader {
	r := &reader{conn: conn, kept: ahead, fresh: len(ahead) > 0}
	if tcp, ok := conn.(*net.TCPConn); ok && canRawRead {
		r.raw, r.err = tcp.SyscallConn()
		r.ready = r.rawRead
	} else {
		r.small = make([]byte, 1024)
	}
	return r
}

// next returns what was kept, with what came since. The bytes are valid until the next call.
func (r *reader) next() ([]byte, error) {
	if r.fresh {
		r.fresh = false
		return r.kept, nil
	}
	if r.err != nil {
		return nil, r.err
	}
	if r.raw != nil {
		if err := r.raw.Read(r.ready); err != nil {
			r.err = err
		}
		if r.err != nil {
			return nil, r.err
		}
		return r.buf[:r.n], nil
	}
	if r.full && r.buf == nil {
		r.buf = chunks.Get().(*[chunkSize]byte)
	} else if !r.full {
		r.release()
	}
	buf := r.small
	if r.buf != nil {
		buf = r.buf[:]
	}
	k := copy(buf, r.kept)
	n, err := r.conn.Read(buf[k:])
	r.full = k+n == len(buf)
	r.err = err
	if n == 0 {
		return nil, err
	}
	return buf[:k+n], nil
}

// keep has the next chunk begin with b, the unconsumed end of the last.
func (r *reader) keep(b []byte) { r.kept = append(r.kept[:0], b...) }

// release gives the buffer back.
func (r *reader) release() {
	if r.buf != nil {
		chunks.Put(r.buf)
		r.buf = nil
	}
}

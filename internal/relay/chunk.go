package relay

import (
	"io"
	"net"
	"sync"
	"syscall"
)

// chunkSize is the most that is read at once, in bytes: enough for a message of 64 KiB with its header in one write.
const chunkSize = 128 << 10

var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// rawConn returns the system's side of conn where that is used: a TCP connection's, not that of one beneath TLS.
func rawConn(conn net.Conn) syscall.RawConn {
	if tcp, ok := conn.(*net.TCPConn); ok && rawIO {
		if raw, err := tcp.SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

// reader reads a connection in chunks. While it waits it holds no buffer, where the system can tell that a connection is
// readable, and a small one where not (TLS).
type reader struct {
	conn  net.Conn
	raw   syscall.RawConn // nil if small is in use
	ready func(fd uintptr) bool
	small []byte

	kept  []byte // what the caller has not consumed
	ahead bool   // kept has not been returned yet
	buf   *[chunkSize]byte
	n     int
	err   error
	full  bool // the last read filled its buffer: there is more
}

// newReader returns a reader of conn whose first bytes are ahead.
func newReader(conn net.Conn, ahead []byte) *reader {
	r := &reader{conn: conn, raw: rawConn(conn), kept: ahead, ahead: len(ahead) > 0}
	if r.raw != nil {
		r.ready = r.rawRead
	} else {
		r.small = make([]byte, 1024)
	}
	return r
}

// next returns what was kept, with what came since. The bytes are valid until the next call.
func (r *reader) next() ([]byte, error) {
	if r.ahead {
		r.ahead = false
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

// rawRead is called when the socket may be readable, and returns false to be called again once it is.
func (r *reader) rawRead(fd uintptr) bool {
	if r.buf == nil {
		r.buf = chunks.Get().(*[chunkSize]byte)
	}
	k := copy(r.buf[:], r.kept)
	n, errno := tryRead(fd, r.buf[k:])
	switch {
	case errno == syscall.EAGAIN:
		r.release()
		return false
	case errno == syscall.EINTR:
		return r.rawRead(fd)
	case errno != 0:
		r.err = errno
	case n == 0:
		r.err = io.EOF
	}
	r.n = k + n
	return true
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

// writer writes to a connection.
type writer struct {
	conn  net.Conn
	raw   syscall.RawConn // nil: conn writes
	ready func(fd uintptr) bool
	rest  []byte
	err   error
}

func newWriter(conn net.Conn) *writer {
	w := &writer{conn: conn, raw: rawConn(conn)}
	w.ready = w.rawWrite
	return w
}

// write writes all of b. It blocks while the peer takes nothing.
func (w *writer) write(b []byte) error {
	if w.raw == nil {
		_, err := w.conn.Write(b)
		return err
	}
	w.rest = b
	err := w.raw.Write(w.ready)
	w.rest = nil
	if err == nil {
		err = w.err
	}
	return err
}

// rawWrite is called when the socket may be writable, and returns false to be called again once it is.
func (w *writer) rawWrite(fd uintptr) bool {
	for len(w.rest) > 0 {
		n, errno := tryWrite(fd, w.rest)
		switch errno {
		case 0:
			w.rest = w.rest[n:]
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			w.err = errno
			return true
		}
	}
	return true
}

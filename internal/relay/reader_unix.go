//go:build unix

package relay

import (
	"io"
	"syscall"
)

const canRawRead = true

// rawRead is called when fd may be readable, and returns false to be called again once it is.
func (r *reader) rawRead(fd uintptr) bool {
	if r.buf == nil {
		r.buf = chunks.Get().(*[chunkSize]byte)
	}
	k := copy(r.buf[:], r.kept)
	for {
		n, err := syscall.Read(int(fd), r.buf[k:])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			r.release()
			return false
		case err != nil:
			r.err = err
		case n == 0:
			r.err = io.EOF
		}
		r.n = k + n
		return true
	}
}

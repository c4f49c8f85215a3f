package relay

import (
	"bytes"
	"compress/flate"
	"io"
	"iter"
	"sync"

	"nhooyr.io/websocket"
)

// An upstream that compresses (RFC 7692) has a page that does not: the browser's own compression ends at the relay. So the
// messages of such a pair change on their way, while their control frames, and the messages that are not compressed, pass as
// they stand, as in any other pair. Both directions are negotiated without context takeover. Between messages a pair holds
// nothing for it; within a compressed message from an upstream it holds an inflating, some 64 KiB.

// minDeflated is the size of the first frame, in bytes, from which a page's message is compressed.
const minDeflated = 512

// codec changes the frames of one direction.
type codec interface {
	// pass puts what becomes of b into out. b is what a walker has passed, whole or up to a violation.
	pass(b []byte, out *batch) *violation
	// close frees what is held if a message has not ended.
	close()
}

// batch gathers frames, so that what one chunk becomes is written at once.
type batch struct {
	write    func(b []byte, midFrame, closed bool) bool
	buf      *[chunkSize]byte
	n        int
	fragment int  // where the last fragment's header is in buf; -1 if it has been written
	midFrame bool // what was added last ends within a frame
	failed   bool
}

func newBatch(write func(b []byte, midFrame, closed bool) bool) *batch {
	return &batch{write: write, buf: chunks.Get().(*[chunkSize]byte), fragment: -1}
}

// add adds head and payload, which follow one another.
func (b *batch) add(head, payload []byte, midFrame bool) {
	if b.n+len(head)+len(payload) > len(b.buf) {
		b.flush(false)
		if len(head)+len(payload) > len(b.buf) {
			b.failed = b.failed || !b.write(append(head, payload...), midFrame, false)
			b.midFrame = midFrame
			return
		}
	}
	b.n += copy(b.buf[b.n:], head)
	b.n += copy(b.buf[b.n:], payload)
	b.midFrame = midFrame
}

// flush writes what was gathered, which ends with a close frame if closed.
func (b *batch) flush(closed bool) {
	if b.n > 0 && !b.failed {
		b.failed = !b.write(b.buf[:b.n], b.midFrame, closed)
	}
	b.n, b.fragment = 0, -1
}

// end flushes, frees the buffer, and reports whether all could be written.
func (b *batch) end(closed bool) bool {
	b.flush(closed)
	chunks.Put(b.buf)
	b.buf = nil
	return !b.failed
}

// deflater compresses a page's messages. Each chunk is compressed for itself and at once, so nothing is held between two.
type deflater struct {
	splitter
	deflates bool // the current message
	head     byte // the first byte of its next frame, without FIN
}

// compressor is what a deflater needs for one chunk: 1.2 MB, so they are shared.
type compressor struct {
	w   *flate.Writer
	out bytes.Buffer
}

var compressors = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestSpeed) // fails for levels that do not exist
	return &compressor{w: w}
}}

func (d *deflater) pass(b []byte, out *batch) *violation {
	for len(b) > 0 {
		var p part
		p, b = d.next(b)
		if p.begins && beginsMessage(d.first) {
			d.deflates = d.size >= minDeflated
			d.head = byte(d.op()) | rsv1Bit
		}
		if d.op().isControl() || !d.deflates {
			out.add(nil, p.raw, !p.ends)
			continue
		}
		last := p.ends && d.fin()
		if len(p.payload) == 0 && !last {
			continue
		}
		c := compressors.Get().(*compressor)
		c.out.Reset()
		c.w.Reset(&c.out)
		applyMask(p.payload, d.mask, p.pos)
		c.w.Write(p.payload) // to a buffer: it cannot fail
		c.w.Flush()
		z := c.out.Bytes()
		if last { // whose receiver adds this, RFC 7692 section 7.2.1
			z = bytes.TrimSuffix(z, flushed)
			d.head |= finBit
		}
		applyMask(z, d.mask, 0)
		out.add(appendHeader(nil, d.head, len(z), d.mask[:]), z, false)
		compressors.Put(c)
		d.head = byte(opContinuation)
	}
	return nil
}

func (d *deflater) close() {}

// flushed is how data ends after a flush: an empty block.
var flushed = []byte{0, 0, 0xff, 0xff}

// inflater expands an upstream's messages, up to limit bytes each. It is the io.Reader that the expansion of a message
// reads, which runs as a coroutine where the message does not come in one chunk.
type inflater struct {
	splitter
	limit int64

	inflates bool
	out      *batch
	head     byte   // the first byte of the message's next fragment, without FIN
	size     int64  // bytes of the message so far
	payload  []byte // to be read
	last     bool   // payload is the message's last
	tailed   bool   // payload is flushed, or what is left of it
	bad      *violation

	yield   func(struct{}) bool
	stopped bool                    // the rest of the message will not come
	resume  func() (struct{}, bool) // nil without a coroutine
	stop    func()
}

// expander is what the expansion of a message needs.
type expander struct {
	r   io.ReadCloser // a flate.Resetter, too
	buf [16 << 10]byte
}

var expanders = sync.Pool{New: func() any { return &expander{r: flate.NewReader(nil)} }}

func (f *inflater) pass(b []byte, out *batch) *violation {
	f.out = out
	for len(b) > 0 {
		var p part
		p, b = f.next(b)
		if p.begins && beginsMessage(f.first) {
			f.inflates = f.first&rsv1Bit != 0
			f.head, f.size = byte(f.op()), 0
		}
		if f.op().isControl() || !f.inflates {
			out.add(nil, p.raw, !p.ends)
			continue
		}
		f.payload, f.last, f.tailed = p.payload, p.ends && f.fin(), false
		switch {
		case f.resume != nil:
			f.resume()
		case f.last:
			f.expand()
		default:
			f.resume, f.stop = iter.Pull(func(yield func(struct{}) bool) {
				f.yield = yield
				f.expand()
			})
			f.resume()
		}
		if f.last || f.bad != nil {
			f.close()
		}
		if f.bad != nil {
			return f.bad
		}
	}
	return nil
}

func (f *inflater) close() {
	if f.stop != nil {
		f.stop()
	}
	f.resume, f.stop, f.yield = nil, nil, nil
}

// expand expands one message.
func (f *inflater) expand() {
	e := expanders.Get().(*expander)
	defer expanders.Put(e)
	reset := func() { e.r.(flate.Resetter).Reset(f, nil) }
	reset()
	for {
		n, err := e.r.Read(e.buf[:])
		if f.stopped {
			return
		}
		f.size += int64(n)
		if f.size > f.limit {
			f.bad = tooBig
			return
		}
		if n > 0 {
			f.fragment(e.buf[:n])
		}
		switch {
		case err == nil:
		case f.tailed && len(f.payload) == 0 && (err == io.EOF || err == io.ErrUnexpectedEOF):
			f.finish()
			return
		case err == io.EOF:
			reset() // a final block, after which more blocks may come
		default:
			f.bad = &violation{websocket.StatusInvalidFramePayloadData, "a message is not compressed as it says"}
			return
		}
	}
}

// fragment adds a frame that is not the message's last.
func (f *inflater) fragment(b []byte) {
	head := appendHeader(nil, f.head, len(b), nil)
	f.out.add(head, b, false)
	f.out.fragment = f.out.n - len(head) - len(b)
	f.head = byte(opContinuation)
}

// finish makes the message's last fragment its end, or adds an empty one.
func (f *inflater) finish() {
	if at := f.out.fragment; at >= 0 && f.head == byte(opContinuation) {
		f.out.buf[at] |= finBit
		return
	}
	f.out.add(appendHeader(nil, f.head|finBit, 0, nil), nil, false)
}

// fill waits for payload, and returns io.EOF once all of the message and flushed have been read.
func (f *inflater) fill() error {
	for len(f.payload) == 0 {
		switch {
		case !f.last:
			if f.stopped = !f.yield(struct{}{}); f.stopped {
				return io.ErrUnexpectedEOF
			}
		case !f.tailed:
			f.payload, f.tailed = flushed, true
		default:
			return io.EOF
		}
	}
	return nil
}

// Read implements io.Reader.
func (f *inflater) Read(b []byte) (int, error) {
	if err := f.fill(); err != nil {
		return 0, err
	}
	n := copy(b, f.payload)
	f.payload = f.payload[n:]
	return n, nil
}

// ReadByte implements io.ByteReader, which saves the expansion a buffer.
func (f *inflater) ReadByte() (byte, error) {
	if err := f.fill(); err != nil {
		return 0, err
	}
	c := f.payload[0]
	f.payload = f.payload[1:]
	return c, nil
}

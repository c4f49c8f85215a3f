package relay

import (
	"encoding/binary"
	"unicode/utf8"

	"nhooyr.io/websocket"
)

// opcode is a frame's, RFC 6455 section 5.2.
type opcode byte

const (
	opContinuation opcode = 0x0
	opText         opcode = 0x1
	opBinary       opcode = 0x2
	opClose        opcode = 0x8
	opPing         opcode = 0x9
	opPong         opcode = 0xa
)

const (
	maxHeader  = 14  // bytes of a frame's header
	maxControl = 125 // bytes of a control frame's payload
	maxReason  = maxControl - 2
)

// isControl reports whether frames of op are control frames, which may come between the frames of a message.
func (op opcode) isControl() bool { return op&0x8 != 0 }

// finBit and rsv1Bit are of a frame's first byte: the last of its message; the first of a compressed one (RFC 7692
// section 6).
const (
	finBit  = 0x80
	rsv1Bit = 0x40
)

// violation is why a peer's frames are not forwarded.
type violation struct {
	code   websocket.StatusCode
	reason string
}

var tooBig = &violation{websocket.StatusMessageTooBig, "a message exceeds the relay's limit"}

func broken(reason string) *violation { return &violation{websocket.StatusProtocolError, reason} }

// walker follows the frames of one direction through its bytes, and checks what can be checked without the payloads.
type walker struct {
	masked     bool  // frames come from a page, so they must be masked
	compressed bool  // messages may be compressed
	limit      int64 // bytes of the largest message, as it is on the wire

	left       uint64 // payload bytes still to come of the current frame
	size       uint64 // bytes of the current message announced so far
	fragmented bool   // a message has begun, its last frame has not
	messages   uint64 // that have begun
	closed     bool   // a close frame has passed: nothing may follow
	code       websocket.StatusCode
}

// midFrame reports whether what has been walked ends within a frame, so that no other frame may follow yet.
func (w *walker) midFrame() bool { return w.left > 0 }

// walk follows b, which goes on where the last b[:n] ended, and returns how many of its bytes may be forwarded: all but
// a header or control frame that is not complete yet (139 bytes at most), what follows a close frame, or a violation.
func (w *walker) walk(b []byte) (n int, v *violation) {
	for !w.closed {
		if rest := uint64(len(b) - n); w.left >= rest {
			w.left -= rest
			return len(b), nil
		}
		n += int(w.left)
		w.left = 0

		h := b[n:]
		if len(h) < 2 {
			return n, nil
		}
		head, size := 2, uint64(h[1]&0x7f)
		switch size {
		case 126:
			if len(h) < 4 {
				return n, nil
			}
			head, size = 4, uint64(binary.BigEndian.Uint16(h[2:]))
			if size < 126 {
				return n, broken("a frame's length is not in its shortest form")
			}
		case 127:
			if len(h) < 10 {
				return n, nil
			}
			head, size = 10, binary.BigEndian.Uint64(h[2:])
			if size <= 0xffff || size >= 1<<63 {
				return n, broken("a frame's length is not in its shortest form")
			}
		}
		if h[1]&0x80 != 0 != w.masked {
			if w.masked {
				return n, broken("a client's frame is not masked")
			}
			return n, broken("a server's frame is masked")
		}
		if w.masked {
			head += 4
		}
		if reserved := h[0] & 0x70; reserved != 0 && !(w.compressed && reserved == rsv1Bit && beginsMessage(h[0])) {
			return n, broken("a frame's reserved bits are set")
		}
		fin := h[0]&finBit != 0
		switch op := opcode(h[0] & 0x0f); op {
		case opText, opBinary:
			if w.fragmented {
				return n, broken("a message begins within another one")
			}
			w.size = 0
			fallthrough
		case opContinuation:
			if op == opContinuation && !w.fragmented {
				return n, broken("a continuation without a message")
			}
			// The sum cannot overflow: what was announced before is at most the limit.
			if w.size+size > uint64(w.limit) {
				return n, tooBig
			}
			if len(h) < head {
				return n, nil
			}
			if op != opContinuation {
				w.messages++
			}
			w.size += size
			w.fragmented = !fin
			w.left = size
			n += head
		case opClose, opPing, opPong:
			if !fin || size > maxControl {
				return n, broken("a control frame is fragmented or exceeds 125 bytes")
			}
			if len(h) < head+int(size) {
				return n, nil
			}
			if op == opClose {
				if v := w.readClose(h[max(head-4, 0):head], h[head:head+int(size)]); v != nil {
					return n, v
				}
			}
			n += head + int(size)
		default:
			return n, broken("a frame of unknown type")
		}
	}
	return n, nil
}

// beginsMessage reports whether a frame with this first byte is the first of a message.
func beginsMessage(first byte) bool {
	op := opcode(first & 0x0f)
	return op == opText || op == opBinary
}

// readClose checks a close frame's payload, RFC 6455 sections 5.5.1 and 7.4.
func (w *walker) readClose(mask, payload []byte) *violation {
	var plain [maxControl]byte
	p := plain[:copy(plain[:], payload)]
	if w.masked {
		for i := range p {
			p[i] ^= mask[i%4]
		}
	}
	w.code = websocket.StatusNoStatusRcvd
	if len(p) > 0 {
		if len(p) < 2 {
			return broken("a close frame of one byte")
		}
		w.code = websocket.StatusCode(binary.BigEndian.Uint16(p))
		if !validCode(w.code) {
			return broken("a close frame's code is not for the wire")
		}
		if !utf8.Valid(p[2:]) {
			return broken("a close frame's reason is not UTF-8")
		}
	}
	w.closed = true
	return nil
}

// validCode reports whether code may be in a close frame.
func validCode(code websocket.StatusCode) bool {
	switch code {
	case 1004, websocket.StatusNoStatusRcvd, websocket.StatusAbnormalClosure:
		return false
	}
	return code >= 1000 && code <= 1014 || code >= 3000 && code <= 4999
}

// splitter takes frames apart that a walker has passed.
type splitter struct {
	first byte    // the current frame's first byte
	mask  [4]byte // of the current frame; zeros if it has none
	pos   int     // payload bytes of the current frame so far
	size  uint64  // payload bytes of the current frame in all
}

// part is a frame, or as much of a data frame as has come.
type part struct {
	raw     []byte // as on the wire, the header included if begins
	payload []byte // the payload in raw, as on the wire
	pos     int    // of payload in the frame's payload, for its mask
	begins  bool   // the frame begins here
	ends    bool   // the frame ends here
}

func (s *splitter) op() opcode { return opcode(s.first & 0x0f) }
func (s *splitter) fin() bool  { return s.first&finBit != 0 }

// next splits the first part off b, which is not empty.
func (s *splitter) next(b []byte) (p part, rest []byte) {
	head := 0
	if uint64(s.pos) == s.size { // which is so before the first frame
		p.begins = true
		head, s.size = 2, uint64(b[1]&0x7f)
		switch s.size {
		case 126:
			head, s.size = 4, uint64(binary.BigEndian.Uint16(b[2:]))
		case 127:
			head, s.size = 10, binary.BigEndian.Uint64(b[2:])
		}
		s.first, s.mask, s.pos = b[0], [4]byte{}, 0
		if b[1]&0x80 != 0 {
			head += copy(s.mask[:], b[head:])
		}
	}
	n := int(min(s.size-uint64(s.pos), uint64(len(b)-head)))
	p.pos = s.pos
	s.pos += n
	p.ends = uint64(s.pos) == s.size
	p.raw, p.payload = b[:head+n], b[head:head+n]
	return p, b[head+n:]
}

// applyMask masks or unmasks b, which begins pos bytes into a frame's payload (RFC 6455 section 5.3).
func applyMask(b []byte, mask [4]byte, pos int) {
	for i := range b {
		b[i] ^= mask[(pos+i)&3]
	}
}

// appendHeader appends the header of a frame with this first byte and payload size, masked unless mask is nil.
func appendHeader(b []byte, first byte, size int, mask []byte) []byte {
	bit := byte(0)
	if mask != nil {
		bit = 0x80
	}
	switch {
	case size < 126:
		b = append(b, first, bit|byte(size))
	case size <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, first, bit|126), uint16(size))
	default:
		b = binary.BigEndian.AppendUint64(append(b, first, bit|127), uint64(size))
	}
	return append(b, mask...)
}

// noMask is the mask of control frames that the relay itself sends to a server: they hide nothing.
var noMask [4]byte

// controlFrame makes a control frame, for a server if masked.
func controlFrame(op opcode, payload []byte, masked bool) []byte {
	var mask []byte
	if masked {
		mask = noMask[:]
	}
	return append(appendHeader(nil, finBit|byte(op), len(payload), mask), payload...)
}

// closeFrame makes a close frame; its reason is cut to what fits.
func closeFrame(code websocket.StatusCode, reason string, masked bool) []byte {
	payload := binary.BigEndian.AppendUint16(nil, uint16(code))
	return controlFrame(opClose, append(payload, cut(reason, maxReason)...), masked)
}

// cut shortens s to at most n bytes, between characters.
func cut(s string, n int) string {
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return s
}

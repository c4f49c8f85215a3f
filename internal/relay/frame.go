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

// violation is why a peer's frames go no further.
type violation struct {
	code   websocket.StatusCode
	reason string
}

func broken(reason string) *violation { return &violation{websocket.StatusProtocolError, reason} }

// walker follows the frames of one direction through its bytes, and checks what can be checked without the payloads.
type walker struct {
	masked bool  // frames come from a page, so they must be masked
	limit  int64 // bytes of the largest message

	left       uint64 // payload bytes still to come of the current frame
	size       uint64 // bytes of the current message so far announced
	fragmented bool   // a message has begun and its last frame not
	messages   uint64 // begun
	closed     bool   // a close frame has passed: nothing may follow
	code       websocket.StatusCode
}

// between reports whether a frame of someone else's may follow what has been walked.
func (w *walker) between() bool { return w.left == 0 }

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
		if h[0]&0x70 != 0 {
			return n, broken("a frame's reserved bits are set")
		}
		fin := h[0]&0x80 != 0
		switch op := opcode(h[0] & 0x0f); op {
		case opText, opBinary:
			if w.fragmented {
				return n, broken("a message begins within another")
			}
			w.size = 0
			fallthrough
		case opContinuation:
			if op == opContinuation && !w.fragmented {
				return n, broken("a continuation without a message")
			}
			// The sum cannot overflow: what was announced before is at most the limit.
			if w.size+size > uint64(w.limit) {
				return n, &violation{websocket.StatusMessageTooBig, "a message exceeds the relay's limit"}
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

// controlFrame is a control frame of the relay's own; to a server it carries a mask, of zeros, for it hides nothing.
func controlFrame(op opcode, payload []byte, masked bool) []byte {
	b := []byte{0x80 | byte(op), byte(len(payload))}
	if masked {
		b[1] |= 0x80
		b = append(b, 0, 0, 0, 0)
	}
	return append(b, payload...)
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

package relay

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"nhooyr.io/websocket"
)

// frame is one frame on the wire; first is its first byte (FIN 0x80, opcode). A masked one is masked with mask.
func frame(first byte, masked bool, payload []byte) []byte {
	b := []byte{first}
	bit := byte(0)
	if masked {
		bit = 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b = append(b, bit|byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, bit|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, bit|127), uint64(n))
	}
	if !masked {
		return append(b, payload...)
	}
	b = append(b, mask...)
	for i, c := range payload {
		b = append(b, c^mask[i%4])
	}
	return b
}

var mask = []byte{0xa1, 0xb2, 0xc3, 0xd4}

func closePayload(code int, reason string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
}

func TestWalk(t *testing.T) {
	const limit = 1000
	text, ping := frame(0x81, false, []byte("hello")), frame(0x89, false, []byte("p"))
	cases := []struct {
		name   string
		in     []byte
		passes int // bytes
		reason string
		msgs   uint64
		closed bool
	}{
		{name: "nothing"},
		{name: "two messages", in: append(text, text...), passes: 14, msgs: 2},
		{name: "half a header", in: text[:1]},
		{name: "half a payload", in: text[:4], passes: 4, msgs: 1},
		{name: "half a ping", in: append(text, ping[:2]...), passes: 7, msgs: 1},
		{name: "fragments with a ping between", in: bytes.Join([][]byte{frame(0x01, false, []byte("a")), ping, frame(0x80, false, []byte("b"))}, nil), passes: 9, msgs: 1},
		{name: "empty message", in: frame(0x82, false, nil), passes: 2, msgs: 1},
		{name: "largest message", in: frame(0x82, false, make([]byte, limit)), passes: limit + 4, msgs: 1},
		{name: "empty close", in: frame(0x88, false, nil), passes: 2, closed: true},
		{name: "close and more", in: append(frame(0x88, false, closePayload(4999, "")), text...), passes: 4, closed: true},
		{name: "too large", in: frame(0x82, false, make([]byte, limit+1))[:4], reason: "limit"},
		{name: "too large in sum", in: append(frame(0x02, false, make([]byte, limit)), frame(0x80, false, []byte("x"))...), passes: limit + 4, msgs: 1, reason: "limit"},
		{name: "masked server", in: frame(0x81, true, nil), reason: "masked"},
		{name: "reserved bit 1", in: frame(0xc1, false, nil), reason: "reserved"},
		{name: "reserved bit 3", in: frame(0x91, false, nil), reason: "reserved"},
		{name: "unknown data", in: frame(0x83, false, nil), reason: "unknown"},
		{name: "unknown control", in: frame(0x8b, false, nil), reason: "unknown"},
		{name: "continuation first", in: frame(0x80, false, nil), reason: "continuation"},
		{name: "message within message", in: append(frame(0x01, false, nil), text...), passes: 2, msgs: 1, reason: "within"},
		{name: "fragmented ping", in: frame(0x09, false, nil), reason: "fragmented"},
		{name: "long ping", in: frame(0x89, false, make([]byte, 126)), reason: "125"},
		{name: "long form of 125", in: []byte{0x82, 126, 0, 125}, reason: "shortest"},
		{name: "longest form of 65535", in: []byte{0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, reason: "shortest"},
		{name: "length of 2^63", in: []byte{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}, reason: "shortest"},
		{name: "close of one byte", in: frame(0x88, false, []byte{3}), reason: "one byte"},
		{name: "close 1005", in: frame(0x88, false, closePayload(1005, "")), reason: "code"},
		{name: "close 1006", in: frame(0x88, false, closePayload(1006, "")), reason: "code"},
		{name: "close 1015", in: frame(0x88, false, closePayload(1015, "")), reason: "code"},
		{name: "close 999", in: frame(0x88, false, closePayload(999, "")), reason: "code"},
		{name: "close 2999", in: frame(0x88, false, closePayload(2999, "")), reason: "code"},
		{name: "close 5000", in: frame(0x88, false, closePayload(5000, "")), reason: "code"},
		{name: "close not UTF-8", in: frame(0x88, false, closePayload(1000, "\xff")), reason: "UTF-8"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := walker{limit: limit}
			n, v := w.walk(c.in)
			if n != c.passes || w.messages != c.msgs || w.closed != c.closed || (v == nil) != (c.reason == "") {
				t.Fatalf("passes %d bytes, %d messages, closed %v, %+v", n, w.messages, w.closed, v)
			}
			if v != nil && !strings.Contains(v.reason, c.reason) {
				t.Errorf("reason %q, want …%s…", v.reason, c.reason)
			}
		})
	}
	t.Run("unmasked page", func(t *testing.T) {
		w := walker{masked: true, limit: limit}
		if n, v := w.walk(text); n != 0 || v == nil {
			t.Errorf("passes %d bytes, %+v", n, v)
		}
	})
	t.Run("masked close", func(t *testing.T) {
		w := walker{masked: true, limit: limit}
		if _, v := w.walk(frame(0x88, true, closePayload(4321, "reason"))); v != nil || w.code != 4321 {
			t.Errorf("code %d, %+v", w.code, v)
		}
	})
}

// FuzzWalk holds that chunks do not matter: what a walk passes and refuses is the same however its bytes arrive.
func FuzzWalk(f *testing.F) {
	for _, masked := range []bool{false, true} {
		f.Add(masked, uint8(1), bytes.Join([][]byte{
			frame(0x01, masked, make([]byte, 300)), frame(0x89, masked, []byte("ping")), frame(0x80, masked, []byte("end")),
			frame(0x82, masked, make([]byte, 70_000)), frame(0x88, masked, closePayload(1000, "bye")),
		}, nil))
	}
	f.Fuzz(func(t *testing.T, masked bool, size uint8, in []byte) {
		whole := walker{masked: masked, limit: 100_000}
		want, wantV := whole.walk(in)

		parts := walker{masked: masked, limit: 100_000}
		var kept []byte
		var v *violation
		got := 0
		for rest := in; v == nil && len(rest) > 0; {
			k := min(int(size)+1, len(rest))
			chunk := append(kept, rest[:k]...)
			rest = rest[k:]
			var n int
			n, v = parts.walk(chunk)
			got += n
			kept = append([]byte(nil), chunk[n:]...)
			if parts.closed {
				break
			}
			if v == nil && len(kept) >= maxHeader+maxControl {
				t.Fatalf("keeps %d bytes", len(kept))
			}
		}
		if got != want || (v == nil) != (wantV == nil) || v != nil && *v != *wantV || parts != whole {
			t.Errorf("in chunks of %d: %d bytes, %+v, %+v\nat once: %d bytes, %+v, %+v", int(size)+1, got, v, parts, want, wantV, whole)
		}
	})
}

func TestValidCode(t *testing.T) {
	for code := range 6000 {
		c := websocket.StatusCode(code)
		want := c >= 1000 && c <= 1003 || c >= 1007 && c <= 1014 || c >= 3000 && c <= 4999
		if validCode(c) != want {
			t.Errorf("%d: %v", c, !want)
		}
	}
}

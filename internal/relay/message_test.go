package relay

import (
	"bufio"
	"bytes"
	"compress/flate"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// deflated compresses s as RFC 7692 section 7.2.1 has it: flushed, without the end of that.
func deflated(s string) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	io.WriteString(w, s)
	w.Flush()
	return bytes.TrimSuffix(b.Bytes(), flushed)
}

// final compresses s into a final block, section 7.2.3.4.
func final(s string) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	io.WriteString(w, s)
	w.Close()
	return append(b.Bytes(), 0)
}

// convert passes in through c, in chunks of size bytes, and returns what becomes of it. It holds that no write ends within a
// frame unless it says so.
func convert(t *testing.T, w walker, c codec, in []byte, size int) (out []byte, bad *violation) {
	t.Helper()
	defer c.close()
	check := walker{masked: w.masked, compressed: true, limit: 1 << 40}
	var rest []byte
	write := func(b []byte, midFrame, closed bool) bool {
		out = append(out, b...)
		rest = append(rest, b...)
		n, v := check.walk(rest)
		rest = append([]byte(nil), rest[n:]...)
		if v != nil || len(rest) > 0 && !check.closed || check.midFrame() != midFrame || closed != check.closed {
			t.Errorf("writes %x, %+v, ends within a frame %v, closed %v", b, v, midFrame, closed)
		}
		return true
	}
	var kept []byte
	for len(in) > 0 && bad == nil && !w.closed {
		k := min(size, len(in))
		chunk := append(kept, in[:k]...)
		in = in[k:]
		var n int
		n, bad = w.walk(chunk)
		batch := newBatch(write)
		v := c.pass(bytes.Clone(chunk[:n]), batch)
		batch.end(w.closed && v == nil)
		if v != nil {
			bad = v
		}
		kept = append([]byte(nil), chunk[n:]...)
	}
	return out, bad
}

// frames lists the frames in b, those of one message joined, as "81 hello".
func frames(t *testing.T, b []byte) []string {
	t.Helper()
	var all []string
	var open byte
	var message []byte
	for br := bufio.NewReader(bytes.NewReader(b)); ; {
		first, payload, err := nextFrame(br)
		if err != nil {
			if open != 0 {
				all = append(all, fmt.Sprintf("%02x %s…", open, message))
			}
			return all
		}
		switch {
		case first&8 != 0:
			all = append(all, fmt.Sprintf("%02x %s", first, payload))
			continue
		case first&0xf != 0:
			open, message = first|finBit, nil
		}
		message = append(message, payload...)
		if first&finBit != 0 {
			all = append(all, fmt.Sprintf("%02x %s", open, message))
			open = 0
		}
	}
}

func TestInflate(t *testing.T) {
	long := strings.Repeat("long and compressible ", 10_000)
	z := deflated("hello")
	lz := deflated(long)
	twice := append(append(deflated("one"), flushed...), deflated("two")...) // section 7.2.3.5
	ping := frame(0x89, false, []byte("p"))
	for name, c := range map[string]struct {
		in   []byte
		want []string
		bad  int
	}{
		"one":                {frame(0xc1, false, z), []string{"81 hello"}, 0},
		"binary":             {frame(0xc2, false, z), []string{"82 hello"}, 0},
		"not compressed":     {append(frame(0x81, false, []byte("hello")), frame(0xc1, false, z)...), []string{"81 hello", "81 hello"}, 0},
		"empty":              {frame(0xc1, false, []byte{0}), []string{"81 "}, 0},
		"nothing at all":     {frame(0xc1, false, nil), []string{"81 "}, 0},
		"two blocks":         {frame(0xc1, false, twice), []string{"81 onetwo"}, 0},
		"final block":        {frame(0xc1, false, final("hello")), []string{"81 hello"}, 0},
		"final, and another": {frame(0xc1, false, append(final("one")[:len(final("one"))-1], z...)), []string{"81 onehello"}, 0},
		"not padded":         {frame(0xc1, false, final("hello")[:len(final("hello"))-1]), []string{"81 hello"}, 0},
		"fragments": {bytes.Join([][]byte{frame(0x41, false, z[:2]), ping, frame(0x00, false, nil), frame(0x00, false, z[2:4]), frame(0x80, false, z[4:])}, nil),
			[]string{"89 p", "81 hello"}, 0},
		"empty last fragment": {append(frame(0x41, false, append(z, flushed...)), frame(0x80, false, []byte{0})...), []string{"81 hello"}, 0},
		"long":                {frame(0xc2, false, lz), []string{"82 " + long}, 0},
		"many":                {bytes.Repeat(frame(0xc1, false, z), 50), strings.Split(strings.TrimSuffix(strings.Repeat("81 hello\n", 50), "\n"), "\n"), 0},
		"and a close":         {append(frame(0xc1, false, z), frame(0x88, false, closePayload(4000, "bye"))...), []string{"81 hello", "88 \x0f\xa0bye"}, 0},
		"within a message":    {append(frame(0x41, false, lz[:len(lz)/2]), ping...), nil, 0},
		"nonsense":            {append(frame(0xc1, false, z), frame(0xc1, false, []byte("nonsense"))...), []string{"81 hello"}, 1007},
		"expands to too much": {frame(0xc1, false, deflated(strings.Repeat("x", 300_001))), nil, 1009},
		"largest":             {frame(0xc1, false, deflated(strings.Repeat("x", 300_000))), []string{"81 " + strings.Repeat("x", 300_000)}, 0},
	} {
		for _, size := range []int{1, 7, 1000, chunkSize} {
			got, bad := convert(t, walker{compressed: true, limit: 300_000}, &inflater{limit: 300_000}, c.in, size)
			code := 0
			if bad != nil {
				code = int(bad.code)
			}
			if code != c.bad {
				t.Errorf("%s, in chunks of %d: %+v", name, size, bad)
			}
			if list := frames(t, got); c.want != nil && fmt.Sprint(list) != fmt.Sprint(c.want) {
				t.Errorf("%s, in chunks of %d: %.200q, want %.200q", name, size, list, c.want)
			}
		}
	}
	if got, _ := convert(t, walker{compressed: true, limit: 1000}, &inflater{limit: 1000}, frame(0xc1, false, z), 1000); !bytes.Equal(got, frame(0x81, false, []byte("hello"))) {
		t.Errorf("a small message is not one frame: %x", got)
	}
}

func TestDeflate(t *testing.T) {
	long := strings.Repeat("long and compressible ", 10_000)
	noise := make([]byte, 200_000)
	rand.Read(noise)
	ping := frame(0x89, true, []byte("p"))
	for name, c := range map[string]struct {
		in     []byte
		want   []string
		shrink bool
	}{
		"small":     {append(frame(0x81, true, []byte("hello")), ping...), []string{"81 hello", "89 p"}, false},
		"long":      {frame(0x81, true, []byte(long)), []string{"81 " + long}, true},
		"binary":    {frame(0x82, true, []byte(long)), []string{"82 " + long}, true},
		"noise":     {frame(0x82, true, noise), []string{"82 " + string(noise)}, false},
		"threshold": {frame(0x81, true, []byte(long[:minDeflated])), []string{"81 " + long[:minDeflated]}, true},
		"fragments": {bytes.Join([][]byte{frame(0x01, true, []byte(long)), ping, frame(0x00, true, nil), frame(0x00, true, []byte("more")), frame(0x80, true, nil)}, nil),
			[]string{"89 p", "81 " + long + "more"}, true},
		"small first":   {append(frame(0x01, true, []byte("small")), frame(0x80, true, []byte(long))...), []string{"81 small" + long}, false},
		"one and again": {append(frame(0x81, true, []byte(long)), frame(0x82, true, []byte(long))...), []string{"81 " + long, "82 " + long}, true},
		"and a close":   {append(frame(0x81, true, []byte(long)), frame(0x88, true, closePayload(4000, "bye"))...), []string{"81 " + long, "88 \x0f\xa0bye"}, true},
	} {
		for _, size := range []int{1000, 5000, chunkSize} {
			wire, bad := convert(t, walker{masked: true, limit: 1 << 20}, &deflater{}, bytes.Clone(c.in), size)
			if bad != nil {
				t.Errorf("%s: %+v", name, bad)
			}
			if shrinks := len(wire) < len(c.in); c.shrink && !shrinks {
				t.Errorf("%s, in chunks of %d: %d bytes become %d", name, size, len(c.in), len(wire))
			}
			got, bad := convert(t, walker{compressed: true, limit: 1 << 20}, &inflater{limit: 1 << 20}, unmasked(t, wire), chunkSize)
			if list := frames(t, got); bad != nil || fmt.Sprint(list) != fmt.Sprint(c.want) {
				t.Errorf("%s, in chunks of %d: %.200q, want %.200q, %+v", name, size, list, c.want, bad)
			}
		}
	}
}

// unmasked is what a server makes of a client's frames.
func unmasked(t *testing.T, b []byte) (out []byte) {
	t.Helper()
	for br := bufio.NewReader(bytes.NewReader(b)); ; {
		first, payload, err := nextFrame(br)
		if err != nil {
			return out
		}
		out = append(out, frame(first, false, payload)...)
	}
}

// FuzzMessage holds that what an upstream's frames become does not depend on how they arrive, and that it is valid.
func FuzzMessage(f *testing.F) {
	z := deflated(strings.Repeat("hello ", 100))
	f.Add(uint8(0), frame(0xc1, false, z))
	f.Add(uint8(3), bytes.Join([][]byte{frame(0x41, false, z[:3]), frame(0x89, false, []byte("p")), frame(0x80, false, z[3:]), frame(0x88, false, closePayload(1000, ""))}, nil))
	f.Add(uint8(9), frame(0xc2, false, final("hello")))
	f.Add(uint8(1), append(frame(0x81, false, []byte("plain")), frame(0xc1, false, []byte("nonsense"))...))
	f.Fuzz(func(t *testing.T, size uint8, in []byte) {
		w := walker{compressed: true, limit: 100_000}
		want, wantBad := convert(t, w, &inflater{limit: 100_000}, in, len(in)+1)
		got, bad := convert(t, w, &inflater{limit: 100_000}, in, int(size)+1)
		if (bad == nil) != (wantBad == nil) || bad != nil && *bad != *wantBad {
			t.Fatalf("in chunks of %d: %+v, at once: %+v", int(size)+1, bad, wantBad)
		}
		if a, b := frames(t, got), frames(t, want); bad == nil && fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("in chunks of %d: %q, at once: %q", int(size)+1, a, b)
		}
		plain := walker{limit: 1 << 40}
		if _, v := plain.walk(got); v != nil {
			t.Errorf("a page is sent %x: %+v", got, v)
		}
	})
}

// FuzzDeflate holds that an upstream gets what the page has sent.
func FuzzDeflate(f *testing.F) {
	f.Add(uint16(700), uint16(0), bytes.Repeat([]byte("hello "), 200))
	f.Add(uint16(10), uint16(600), bytes.Repeat([]byte{0}, 1300))
	f.Fuzz(func(t *testing.T, size, split uint16, payload []byte) {
		k := min(int(split), len(payload))
		in := append(frame(0x01, true, payload[:k]), frame(0x80, true, payload[k:])...)
		wire, bad := convert(t, walker{masked: true, limit: 1 << 20}, &deflater{}, in, int(size)+1)
		if bad != nil {
			t.Fatal(bad)
		}
		got, bad := convert(t, walker{compressed: true, limit: 1 << 20}, &inflater{limit: 1 << 20}, unmasked(t, wire), chunkSize)
		if want := "81 " + string(payload); bad != nil || fmt.Sprint(frames(t, got)) != fmt.Sprint([]string{want}) {
			t.Errorf("%q, want %q, %+v", frames(t, got), want, bad)
		}
	})
}

// TestCompressedStream has an upstream compress one message without end: the page gets what has been sent, and the message
// ends with the pair.
func TestCompressedStream(t *testing.T) {
	r, page, pageIn, up, _ := pairOf(t, Config{}, true)
	z := append(deflated("first"), flushed...)
	up.Write(frame(0x41, false, z))
	for _, want := range []string{"first", "second"} {
		if first, b := readFrame(t, pageIn); first&finBit != 0 || string(b) != want {
			t.Fatalf("%#x %q, want %q", first, b, want)
		}
		up.Write(frame(0x00, false, append(deflated("second"), flushed...)))
	}
	page.Close()
	up.Close()
	counted(t, r.metrics.connections, 0)
}

// TestSlowReader has a page read slowly from an upstream that always has more, which answers pings in their turn. What waits
// is backpressure, not a dead peer.
func TestSlowReader(t *testing.T) {
	for _, deflate := range []bool{false, true} {
		r, page, pageIn, up, upIn := pairOf(t, Config{PingInterval: 500 * time.Millisecond}, deflate)
		go func() {
			for {
				first, _, err := nextFrame(upIn)
				if err != nil {
					return
				}
				if first == 0x89 {
					up.Write(frame(0x8a, false, nil))
				}
			}
		}()
		go func() {
			for message := frame(0x82, false, make([]byte, 8000)); ; {
				if _, err := up.Write(message); err != nil {
					return
				}
			}
		}()
		for range 50 {
			if _, err := io.CopyN(io.Discard, pageIn, 20_000); err != nil {
				t.Fatalf("compressed %v: %v", deflate, err)
			}
			time.Sleep(50 * time.Millisecond)
		}
		counted(t, r.metrics.connections, 1)
		page.Close()
		up.Close()
		counted(t, r.metrics.connections, 0)
	}
}

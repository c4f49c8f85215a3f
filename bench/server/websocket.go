package main

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
)

// RFC 6455 section 5.2.
const (
	fin         = 0x80
	textFrame   = 0x1
	binaryFrame = 0x2
	closeFrame  = 0x8
	pongFrame   = 0xA
)

// accept answers the handshake (RFC 6455 section 4.2.2), without extensions, and takes the connection over.
func accept(w http.ResponseWriter, r *http.Request) (net.Conn, *bufio.Reader, error) {
	key := r.Header.Get("Sec-WebSocket-Key")
	if key == "" {
		http.Error(w, "no WebSocket", http.StatusUpgradeRequired)
		return nil, nil, fmt.Errorf("%s is no WebSocket", r.URL)
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, err = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
	return conn, bufio.NewReaderSize(buffered.Reader, 256<<10), err
}

// header is what is known of a frame before its payload.
type header struct {
	first  byte // FIN and opcode
	length int
	key    [4]byte
}

func readHeader(r *bufio.Reader) (h header, err error) {
	var b [8]byte
	read := func(n int) []byte {
		if err == nil {
			_, err = io.ReadFull(r, b[:n])
		}
		return b[:n]
	}
	two := read(2)
	h.first, h.length = two[0], int(two[1]&0x7F)
	switch h.length {
	case 126:
		h.length = int(binary.BigEndian.Uint16(read(2)))
	case 127:
		h.length = int(binary.BigEndian.Uint64(read(8)))
	}
	copy(h.key[:], read(4))
	return h, err
}

// appendHeader appends the header of a frame that is not masked.
func appendHeader(b []byte, first byte, length int) []byte {
	switch {
	case length < 126:
		return append(b, first, byte(length))
	case length < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, first, 126), uint16(length))
	}
	return binary.BigEndian.AppendUint64(append(b, first, 127), uint64(length))
}

// unmask unmasks p, which begins at offset within its frame.
func unmask(p []byte, key [4]byte, offset int) {
	var k [8]byte
	for i := range k {
		k[i] = key[(offset+i)&3]
	}
	word := binary.LittleEndian.Uint64(k[:])
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^word)
		p = p[8:]
	}
	for i := range p {
		p[i] ^= k[i]
	}
}

// echo sends every frame back as it comes, piece by piece, and writes once for all that it has read.
func echo(w http.ResponseWriter, r *http.Request) {
	conn, in, err := accept(w, r)
	if err != nil {
		return
	}
	defer conn.Close()
	var out []byte
	for {
		h, err := readHeader(in)
		if err != nil {
			return
		}
		skip := h.first&0xF == pongFrame
		if !skip {
			out = appendHeader(out, h.first, h.length)
		}
		for offset := 0; offset < h.length; {
			if in.Buffered() == 0 {
				if _, err := in.Peek(1); err != nil {
					return
				}
			}
			piece, err := in.Peek(min(in.Buffered(), h.length-offset))
			if err != nil {
				return
			}
			if !skip {
				n := len(out)
				out = append(out, piece...)
				unmask(out[n:], h.key, offset)
			}
			in.Discard(len(piece))
			offset += len(piece)
			if in.Buffered() == 0 && len(out) > 0 {
				if _, err := conn.Write(out); err != nil {
					return
				}
				out = out[:0]
			}
		}
		// Not before the last whole frame that has arrived: one write for many small ones.
		if in.Buffered() == 0 || h.first&0xF == closeFrame {
			if _, err := conn.Write(out); err != nil || h.first&0xF == closeFrame {
				return
			}
			out = out[:0]
		}
	}
}

// flood answers each message "COUNT SIZE TYPE" with that many messages of that size, TYPE text or binary.
func flood(w http.ResponseWriter, r *http.Request) {
	conn, in, err := accept(w, r)
	if err != nil {
		return
	}
	defer conn.Close()
	for {
		h, err := readHeader(in)
		if err != nil {
			return
		}
		payload := make([]byte, h.length)
		if _, err := io.ReadFull(in, payload); err != nil {
			return
		}
		unmask(payload, h.key, 0)
		if h.first&0xF == closeFrame {
			conn.Write(append(appendHeader(nil, fin|closeFrame, len(payload)), payload...))
			return
		}
		var count, size int
		var kind string
		if _, err := fmt.Sscan(string(payload), &count, &size, &kind); err != nil {
			return
		}
		opcode := byte(binaryFrame)
		if kind == "text" {
			opcode = textFrame
		}
		frame := append(appendHeader(nil, fin|opcode, size), bytes.Repeat([]byte("x"), size)...)
		most := max(1, (256<<10)/len(frame))
		block := bytes.Repeat(frame, min(most, count))
		for left := count; left > 0; left -= most {
			if _, err := conn.Write(block[:min(left, most)*len(frame)]); err != nil {
				return
			}
		}
	}
}

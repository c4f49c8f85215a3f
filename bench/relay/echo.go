package main

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"strings"
)

// extension is what is offered and accepted where messages are compressed (RFC 7692).
const extension = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"

// serveEcho is the upstream of every path: it echoes frames as fast as it can read them, so that it is not what is
// measured. It prints its address and serves until it is killed.
func serveEcho() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		conn, brw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		fmt.Fprintf(brw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n",
			base64.StdEncoding.EncodeToString(sum[:]))
		if strings.Contains(req.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate") {
			brw.WriteString(extension) // a compressed message is echoed as it stands
		}
		brw.WriteString("\r\n")
		if brw.Flush() == nil {
			go echo(conn)
		}
	}))
}

// echo turns the client's frames, masked with zeros, into a server's, which only shortens their headers. An idle
// connection holds a small buffer, a busy one a large one.
func echo(conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, 512)
	have, left := 0, uint64(0) // bytes kept of an unfinished header, payload bytes to come
	for {
		n, err := conn.Read(buf[have:])
		if err != nil {
			return
		}
		in, out := buf[:have+n], buf[:0] // out never overtakes in
		for {
			k := min(left, uint64(len(in)))
			out = append(out, in[:k]...)
			in, left = in[k:], left-k
			if len(in) < 2 {
				break
			}
			head := headLen(in) + 4 // of the mask
			if len(in) < head {
				break
			}
			left = payload(in)
			out = append(append(out, in[0], in[1]&0x7f), in[2:head-4]...)
			in = in[head:]
		}
		if _, err := conn.Write(out); err != nil {
			return
		}
		if have+n == len(buf) && len(buf) < 256<<10 {
			buf = append(make([]byte, 0, 256<<10), in...)[:256<<10]
			have = len(in)
			continue
		}
		have = copy(buf, in)
	}
}

// headLen is the length of a frame's header without a mask.
func headLen(h []byte) int {
	switch h[1] & 0x7f {
	case 126:
		return 4
	case 127:
		return 10
	default:
		return 2
	}
}

// payload is the length that a frame's header announces.
func payload(h []byte) uint64 {
	switch n := h[1] & 0x7f; n {
	case 126:
		return uint64(binary.BigEndian.Uint16(h[2:]))
	case 127:
		return binary.BigEndian.Uint64(h[2:])
	default:
		return uint64(n)
	}
}

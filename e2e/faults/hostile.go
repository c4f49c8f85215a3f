package main

import (
	"bytes"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// hostile does what no correct WebSocket server does. The query says what:
//
//	status=CODE    answers with it, and a Location that does nothing wrong
//	fault=NAME     see below
//	close=CODE     sends a close frame with it, RFC 6455 section 5.5.1, whether it may be on the wire or not
//
// Faults of the handshake: "reset", "drop" (the end of the stream) and "half" (half of the answer, then a reset) in place of
// an answer; "accept", "protocol" and "extension" (a wrong Sec-WebSocket-Accept, and what the page has not offered). Right
// after it: "open-reset". All others, and close, come when the page has sent a
// message of 5 bytes and was sent "hello".
func hostile(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	fault := query.Get("fault")
	if status, err := strconv.Atoi(query.Get("status")); err == nil {
		w.Header().Set("Location", "/hostile")
		w.WriteHeader(status)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))

	answer := handshake(r.Header.Get("Sec-WebSocket-Key"), fault)
	switch fault {
	case "reset":
		reset(conn)
		return
	case "drop":
		return
	case "half":
		conn.Write(answer[:len(answer)/2])
		reset(conn)
		return
	}
	conn.Write(answer)
	if fault == "open-reset" {
		reset(conn)
		return
	}
	if _, err := buffered.Discard(2 + 4 + len("hello")); err != nil { // the page's message, RFC 6455 section 5.2
		return
	}
	// The page answers the ping when it has the message: some engines drop that with a bad frame of the same packet.
	conn.Write([]byte("\x81\x05hello\x89\x00"))
	if _, err := buffered.Discard(2 + 4); err != nil {
		return
	}
	half := append([]byte{0x81, 126, 1000 >> 8, 1000 & 0xff}, bytes.Repeat([]byte{'.'}, 500)...)
	switch fault {
	case "hello-reset":
		reset(conn)
		return
	case "hello-drop":
		return
	case "message-reset":
		conn.Write(half)
		reset(conn)
		return
	case "message-drop":
		conn.Write(half)
		return
	case "reserved-bits":
		conn.Write([]byte("\xf1\x02no"))
	case "bad-utf8":
		conn.Write([]byte("\x81\x02\xc3\x28"))
	case "control-size":
		conn.Write(append([]byte{0x89, 126, 0, 126}, make([]byte, 126)...))
	case "opcode":
		conn.Write([]byte("\x83\x02no"))
	case "masked":
		conn.Write([]byte("\x81\x82\x00\x00\x00\x00no"))
	case "empty-close":
		conn.Write([]byte{0x88, 0})
	case "short-close":
		conn.Write([]byte{0x88, 1, 3})
	}
	if fault == "" || fault == "protocol" || fault == "masked" { // or the page sees nothing wrong with these
		code, err := strconv.ParseUint(query.Get("close"), 10, 16)
		if err != nil {
			code = 1000
		}
		conn.Write(binary.BigEndian.AppendUint16([]byte{0x88, 2}, uint16(code)))
	}
	// Its close frame, or its end: then the server ends the connection, RFC 6455 section 7.1.1.
	buffered.Read(make([]byte, 1024))
}

// handshake is the answer to a request with the key, RFC 6455 section 4.2.2, with a fault or without.
func handshake(key, fault string) []byte {
	if fault == "accept" {
		key += "?"
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	answer := fmt.Appendf(nil, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	switch fault {
	case "protocol":
		answer = append(answer, "Sec-WebSocket-Protocol: unknown\r\n"...)
	case "extension":
		answer = append(answer, "Sec-WebSocket-Extensions: x-unknown\r\n"...)
	}
	return append(answer, '\r', '\n')
}

// reset closes a connection by TCP's RST, RFC 9293 section 3.10.7.4.
func reset(conn net.Conn) {
	if c, ok := conn.(*tls.Conn); ok {
		conn = c.NetConn()
	}
	if c, ok := conn.(*net.TCPConn); ok {
		c.SetLinger(0)
	}
	conn.Close()
}

package main

//lint:file-ignore SA1019 the module is marked deprecated for its change of name, not of substance

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"nhooyr.io/websocket"
)

// A checker is a server of numbered messages. A message is, as binary, a sequence number, the checksum (CRC-32, IEEE) of the
// rest, and up to 96 bytes; numbers are big-endian and of 32 bits. As text it is the hexadecimal digits of that. A
// connection's messages count from 0, each side's by itself. Each that comes is checked and answered with one of the
// server's own, of the same type.
type checker struct {
	messages atomic.Uint64

	mu    sync.Mutex
	wrong []string
}

// wrongs tells what was wrong with messages that came.
func (c *checker) wrongs() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string{}, c.wrong...)
}

// ServeHTTP serves one connection until it ends.
func (c *checker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	lender := &lender{ResponseWriter: w}
	conn, err := websocket.Accept(lender, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow()
	ctx := r.Context()
	for n := uint32(0); ; n++ {
		typ, msg, err := conn.Read(ctx)
		if err != nil || lender.tap.ended.Load() { // the library takes the end of the connection for that of a message
			return
		}
		if err := check(typ, msg, n); err != nil {
			c.mu.Lock()
			c.wrong = append(c.wrong, err.Error())
			c.mu.Unlock()
			conn.Close(4000, "wrong message")
			return
		}
		c.messages.Add(1)
		if conn.Write(ctx, typ, message(typ, n)) != nil {
			return
		}
	}
}

// lender hands out the connection that is hijacked as its tap.
type lender struct {
	http.ResponseWriter
	tap tap
}

// Hijack implements http.Hijacker.
func (l *lender) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, brw, err := http.NewResponseController(l.ResponseWriter).Hijack()
	l.tap.Conn = conn
	return &l.tap, brw, err
}

// tap notes when a connection has ended.
type tap struct {
	net.Conn
	ended atomic.Bool // a read has failed
}

// Read reads from the connection.
func (t *tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	if err != nil {
		t.ended.Store(true)
	}
	return n, err
}

func check(typ websocket.MessageType, msg []byte, want uint32) error {
	if typ == websocket.MessageText {
		n, err := hex.Decode(msg, msg)
		if err != nil {
			return fmt.Errorf("message %d: %w", want, err)
		}
		msg = msg[:n]
	}
	if len(msg) < 8 {
		return fmt.Errorf("message %d is of %d bytes", want, len(msg))
	}
	if n := binary.BigEndian.Uint32(msg); n != want {
		return fmt.Errorf("message %d in place of %d", n, want)
	}
	if crc32.ChecksumIEEE(msg[8:]) != binary.BigEndian.Uint32(msg[4:]) {
		return fmt.Errorf("message %d is changed", want)
	}
	return nil
}

func message(typ websocket.MessageType, n uint32) []byte {
	msg := make([]byte, 8+rand.IntN(97))
	for i := range msg[8:] {
		msg[8+i] = byte(rand.Uint32())
	}
	binary.BigEndian.PutUint32(msg, n)
	binary.BigEndian.PutUint32(msg[4:], crc32.ChecksumIEEE(msg[8:]))
	if typ == websocket.MessageText {
		return hex.AppendEncode(nil, msg)
	}
	return msg
}

package main

import (
	"net"
	"sync"
	"time"
)

// throttle makes the connections of l share a rate of sending, in bytes a second; 0 is without limit.
func throttle(l net.Listener, rate int) net.Listener {
	if rate == 0 {
		return l
	}
	return &slowListener{Listener: l, link: link{rate: rate}}
}

type slowListener struct {
	net.Listener
	link link
}

// Accept implements net.Listener.
func (l *slowListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &slowConn{conn, &l.link}, nil
}

// A link sends one piece after the other.
type link struct {
	mu   sync.Mutex
	rate int
	free time.Time // when all that was given to it is sent
}

// take waits until n more bytes have passed.
func (l *link) take(n int) {
	l.mu.Lock()
	now := time.Now()
	if l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(n) * time.Second / time.Duration(l.rate))
	wait := l.free.Sub(now)
	l.mu.Unlock()
	time.Sleep(wait)
}

type slowConn struct {
	net.Conn
	link *link
}

// Write implements net.Conn: a piece arrives when its last byte has passed the link.
func (c *slowConn) Write(p []byte) (written int, err error) {
	for len(p) > 0 {
		piece := p[:min(len(p), 1460)]
		c.link.take(len(piece))
		n, err := c.Conn.Write(piece)
		written += n
		if err != nil {
			return written, err
		}
		p = p[n:]
	}
	return written, nil
}

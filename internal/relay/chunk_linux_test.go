package relay

import (
	"net"
	"testing"
)

// TestIdleSocket holds that a reader of a socket holds no buffer while it waits.
func TestIdleSocket(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	rd := newReader(conn, nil)
	if err := rd.raw.Read(func(fd uintptr) bool {
		if rd.rawRead(fd) {
			t.Error("there is something to read")
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if rd.buf != nil {
		t.Error("it holds the large buffer")
	}
}

// Command ceiling measures what the benchmark's server gives a native client, so that it is seen not to be
// the bottleneck. Its arguments are the server's host:port; it prints messages a second by measure as JSON.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"
)

const duration = time.Second

func main() {
	flag.Parse()
	rates := map[string]float64{}
	for _, size := range []int{64, 4 << 10, 64 << 10, 1 << 20} {
		for name, measure := range map[string]func(string, int) (float64, error){"echo": echo, "flood": flood} {
			rate, err := measure(flag.Arg(0), size)
			if err != nil {
				log.Fatal(err)
			}
			rates[fmt.Sprintf("%s %d", name, size)] = rate
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(rates); err != nil {
		log.Fatal(err)
	}
}

// echo keeps up to 1 MiB or 64 messages under way.
func echo(addr string, size int) (float64, error) {
	conn, in, err := dial(addr, "/echo")
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	window := max(2, min(64, 1<<20/size))
	batch := bytes.Repeat(frame(bytes.Repeat([]byte("x"), size)), window/2)
	start, count := time.Now(), 0
	if _, err := conn.Write(batch); err != nil {
		return 0, err
	}
	for time.Since(start) < duration {
		if _, err := conn.Write(batch); err != nil {
			return 0, err
		}
		for range window / 2 {
			if err := skip(in); err != nil {
				return 0, err
			}
			count++
		}
	}
	return float64(count) / time.Since(start).Seconds(), nil
}

func flood(addr string, size int) (float64, error) {
	conn, in, err := dial(addr, "/flood")
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	count := min(2_000_000, 4<<30/size)
	start := time.Now()
	if _, err := conn.Write(frame(fmt.Appendf(nil, "%d %d binary", count, size))); err != nil {
		return 0, err
	}
	for range count {
		if err := skip(in); err != nil {
			return 0, err
		}
	}
	return float64(count) / time.Since(start).Seconds(), nil
}

func dial(addr, path string) (net.Conn, *bufio.Reader, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", path, addr)
	in := bufio.NewReaderSize(conn, 256<<10)
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("shake hands: %w", err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		return nil, nil, fmt.Errorf("shake hands: %s", response.Status)
	}
	return conn, in, nil
}

// frame makes a binary message masked with a key of zeros (RFC 6455 section 5.2).
func frame(payload []byte) []byte {
	b := []byte{0x82}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}

// skip reads one frame that is not masked.
func skip(in *bufio.Reader) error {
	var b [8]byte
	if _, err := io.ReadFull(in, b[:2]); err != nil {
		return err
	}
	length := int(b[1])
	var err error
	switch length {
	case 126:
		_, err = io.ReadFull(in, b[:2])
		length = int(binary.BigEndian.Uint16(b[:]))
	case 127:
		_, err = io.ReadFull(in, b[:8])
		length = int(binary.BigEndian.Uint64(b[:]))
	}
	if err == nil {
		_, err = in.Discard(length)
	}
	return err
}

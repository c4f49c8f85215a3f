// Command relay (of bench) measures the relay beside nginx and beside no proxy at all, in one run: rates, the CPU that
// each process spends on a message, added round-trip time, and the memory of connections held.
package main

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	echo := flag.Bool("echo", false, "be the upstream (used by the benchmark itself)")
	relay := flag.String("relay", "bin/relay", "the relay's `program`")
	rounds := flag.Int("rounds", 5, "rounds; figures are medians of them, with the range")
	each := flag.Duration("time", time.Second, "of each measurement")
	held := flag.Int("held", 10_000, "pairs to hold")
	only := flag.String("only", "", "measure only what `contains` this in its name")
	scaling := flag.Int("scaling", 0, "instead of all that, have three relays behind nginx serve this many pages, of which one is killed and one drained")
	flag.Parse()
	err := func() error {
		if *echo {
			return serveEcho()
		}
		return run(*relay, *rounds, *each, *held, *only, *scaling)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// path is a way to the echo server.
type path struct {
	name  string
	proxy *process // nil: direct
	// dial opens a WebSocket whose messages the upstream gets compressed if deflate.
	dial func(deflate bool) (net.Conn, error)
	// relays says that the proxy compresses, not the client.
	relays bool
}

// stage is the three paths with their processes, pinned or not.
type stage struct {
	echo  *process
	paths []path
	dir   string
}

func newStage(relay string, pinned bool) (*stage, error) {
	proxyCPU, echoCPU := "", ""
	if pinned {
		proxyCPU, echoCPU = "0", "1"
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &stage{}
	if s.dir, err = os.MkdirTemp("", "bench-relay"); err != nil {
		return nil, err
	}
	if s.echo, err = startProcess(echoCPU, regexp.MustCompile(`^([\d.]+:\d+)$`), self, "-echo"); err != nil {
		return s, err
	}
	direct := path{name: "direct", dial: func(deflate bool) (net.Conn, error) { return dial(s.echo.addr, "/", "", deflate) }}
	s.paths = append(s.paths, direct)
	p, err := startProcess(proxyCPU, regexp.MustCompile(`"relay":"([\d.]+:\d+)"`), relay, "-listen", "127.0.0.1:0", "-metrics", "",
		"-allow", s.echo.addr, "-origin", "*", "-max-conns", "1000000", "-max-conns-per-addr", "1000000", "-handshakes", "1000000",
		"-log-level", "info")
	if err != nil {
		return s, err
	}
	s.paths = append(s.paths, path{name: "relay", proxy: p, relays: true, dial: func(deflate bool) (net.Conn, error) {
		return dial(p.addr, "/relay", fmt.Sprintf(`{"url":"ws://%s/","perMessageDeflate":%t}`, s.echo.addr, deflate), false)
	}})
	n, err := startNginx(proxyCPU, s.dir, proxy(s.echo.addr))
	if err != nil {
		return s, err
	}
	s.paths = append(s.paths, path{name: "nginx", proxy: n, dial: func(deflate bool) (net.Conn, error) { return dial(n.addr, "/", "", deflate) }})
	return s, nil
}

func (s *stage) stop() {
	for _, p := range s.paths {
		if p.proxy != nil {
			p.proxy.stop()
		}
	}
	if s.echo != nil {
		s.echo.stop()
	}
	os.RemoveAll(s.dir)
}

// dial opens a WebSocket, through the relay if there is an offer, compressed if deflate.
func dial(addr, target, offer string, deflate bool) (net.Conn, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	defer conn.SetDeadline(time.Time{})
	fields := ""
	if offer != "" {
		fields = "Sec-WebSocket-Protocol: connectsocket.relay.v1\r\n"
	}
	if deflate {
		fields += extension
	}
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nOrigin: http://bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n%s\r\n", target, addr, base64.StdEncoding.EncodeToString(make([]byte, 16)), fields)
	br := bufio.NewReaderSize(conn, 4096)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("%s: %s", addr, resp.Status)
	}
	if deflate && resp.Header.Get("Sec-WebSocket-Extensions") == "" {
		return nil, fmt.Errorf("%s does not compress", addr)
	}
	if offer != "" {
		text := append(header(len(offer)), offer...)
		text[0] = 0x81
		if _, err := conn.Write(text); err != nil {
			return nil, err
		}
		h, err := br.Peek(4)
		if err != nil {
			return nil, err
		}
		answer := make([]byte, headLen(h)+int(payload(h)))
		if _, err := io.ReadFull(br, answer); err != nil {
			return nil, err
		}
		if !strings.Contains(string(answer), `"open":true`) {
			return nil, fmt.Errorf("relay answered %q", answer)
		}
	}
	if br.Buffered() > 0 {
		return nil, fmt.Errorf("%s sent %d bytes too many", addr, br.Buffered())
	}
	return conn, nil
}

// header begins a binary frame of a client, masked with zeros.
func header(size int) []byte {
	b := []byte{0x82}
	switch {
	case size < 126:
		b = append(b, byte(0x80|size))
	case size <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(size))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(size))
	}
	return append(b, 0, 0, 0, 0)
}

// load is what is sent.
type load struct {
	name   string
	size   int // of a message, bytes
	conns  int
	window int // messages on the way, each connection
	batch  int // messages written at once
	// deflate has messages compressed on their way to the upstream and back: by the relay, else by the client, which
	// compresses once and does not look into what comes back.
	deflate bool
}

var loads = []load{
	{"64 B, 1 connection", 64, 1, 1024, 64, false},
	{"64 B, 32 connections", 64, 32, 128, 32, false},
	{"64 KiB", 64 << 10, 1, 16, 1, false},
	{"1 MiB", 1 << 20, 1, 4, 1, false},
	{"4 KiB, compressed", 4 << 10, 1, 64, 4, true},
	{"64 KiB, compressed", 64 << 10, 1, 16, 1, true},
}

// message is what a client sends for l.
func (l load) message(p path) []byte {
	if !l.deflate {
		return append(header(l.size), make([]byte, l.size)...)
	}
	var text bytes.Buffer
	for n := 0; text.Len() < l.size; n++ {
		fmt.Fprintf(&text, `{"id":%d,"symbol":"S%d","price":%d.%02d,"time":"2026-01-01T00:00:%02d.%03dZ","open":true},`,
			n, n*7919%500, n*104729%90000, n*31%100, n%60, n*17%1000)
	}
	payload, first := text.Bytes()[:l.size], byte(0x82)
	if !p.relays {
		var z bytes.Buffer
		w, _ := flate.NewWriter(&z, flate.BestSpeed) // fails for levels that do not exist
		w.Write(payload)
		w.Flush()
		payload, first = bytes.TrimSuffix(z.Bytes(), []byte{0, 0, 0xff, 0xff}), 0xc2 // RFC 7692 section 7.2.1
	}
	message := append(header(len(payload)), payload...)
	message[0] = first
	return message
}

// counter counts the messages of a server, whatever frames they come in.
type counter struct {
	head []byte // of a frame, unfinished
	left uint64 // payload bytes to come of a frame
	fin  bool   // that frame ends a message
}

// count returns how many messages end in b.
func (c *counter) count(b []byte) int {
	n := 0
	for {
		k := min(c.left, uint64(len(b)))
		b, c.left = b[k:], c.left-k
		if c.left > 0 {
			return n
		}
		if c.fin {
			n++
			c.fin = false
		}
		for len(c.head) < 2 || len(c.head) < headLen(c.head) {
			if len(b) == 0 {
				return n
			}
			c.head, b = append(c.head, b[0]), b[1:]
		}
		c.left = payload(c.head)
		c.fin = c.head[0]&0x88 == 0x80 // the last frame, and no control frame
		c.head = c.head[:0]
	}
}

// sample is one measurement of one path.
type sample struct {
	rate                float64 // messages per second
	proxy, echo, client float64 // CPU, µs per message
}

// measure keeps l.window messages on the way on each connection for the time.
func (s *stage) measure(p path, l load, each time.Duration) (sample, error) {
	batch := slices.Repeat(l.message(p), l.batch)
	conns := make([]net.Conn, l.conns)
	for i := range conns {
		var err error
		if conns[i], err = p.dial(l.deflate); err != nil {
			return sample{}, err
		}
	}
	var received atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, 2*l.conns)
	before := s.cpus(p)
	began := time.Now()
	for _, conn := range conns {
		credit := make(chan struct{}, l.window/l.batch)
		for range cap(credit) {
			credit <- struct{}{}
		}
		wg.Go(func() {
			for range credit {
				if _, err := conn.Write(batch); err != nil {
					errs <- err
					return
				}
			}
		})
		wg.Go(func() {
			defer close(credit)
			buf := make([]byte, 256<<10)
			var c counter
			for messages, batches := 0, 0; ; {
				n, err := conn.Read(buf)
				if err != nil {
					errs <- err
					return
				}
				n = c.count(buf[:n])
				messages += n
				received.Add(int64(n))
				for ; batches < messages/l.batch; batches++ {
					credit <- struct{}{}
				}
			}
		})
	}
	time.Sleep(each)
	took := time.Since(began)
	after := s.cpus(p)
	n := float64(received.Load())
	select {
	case err := <-errs:
		return sample{}, err
	default:
	}
	for _, conn := range conns {
		conn.Close()
	}
	wg.Wait()
	per := func(i int) float64 { return float64(after[i]-before[i]) / n / 1000 }
	return sample{n / took.Seconds(), per(0), per(1), per(2)}, nil
}

// cpus is the CPU used so far by the proxy, the echo server and this process.
func (s *stage) cpus(p path) [3]time.Duration {
	c := [3]time.Duration{1: cpu(s.echo.cmd.Process.Pid), 2: cpu(os.Getpid())}
	if p.proxy != nil {
		c[0] = cpu(p.proxy.cmd.Process.Pid)
	}
	return c
}

// roundTrip is the median of n echoes of 64 bytes, one after the other.
func roundTrip(p path, n int) (time.Duration, error) {
	conn, err := p.dial(false)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	message := append(header(64), make([]byte, 64)...)
	reply := make([]byte, 66)
	took := make([]time.Duration, n)
	for i := range took {
		began := time.Now()
		if _, err := conn.Write(message); err != nil {
			return 0, err
		}
		if _, err := io.ReadFull(conn, reply); err != nil {
			return 0, err
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return took[n/2], nil
}

// hold opens n connections, sends a message on each if they are compressed, lets the proxy come to rest, and returns
// what it holds for each.
func hold(p path, n int, deflate bool) (memory, descriptors float64, err error) {
	pid := p.proxy.cmd.Process.Pid
	memoryBefore, fdsBefore := rss(pid), fds(pid)
	conns := make([]net.Conn, n)
	defer func() {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
	}()
	message := load{size: 4 << 10, deflate: true}.message(p)
	open := func(conn *net.Conn) error {
		c, err := p.dial(deflate)
		if err != nil {
			return err
		}
		*conn = c
		if !deflate {
			return nil
		}
		if _, err := c.Write(message); err != nil {
			return err
		}
		buf := make([]byte, 8<<10)
		for echo := (counter{}); ; {
			n, err := c.Read(buf)
			if err != nil || echo.count(buf[:n]) > 0 {
				return err
			}
		}
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, 16)
	for range 16 {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if err := open(&conns[i]); err != nil {
					errs <- err
					return
				}
				if i%1000 == 999 {
					fmt.Printf("\r  %s: %d pairs ", p.name, i+1)
				}
			}
		})
	}
	wg.Wait()
	fmt.Print("\r\033[K")
	select {
	case err := <-errs:
		return 0, 0, err
	default:
	}
	time.Sleep(20 * time.Second) // a Go program gives memory back slowly
	return float64(rss(pid)-memoryBefore) / float64(n), float64(fds(pid)-fdsBefore) / float64(n), nil
}

func run(relay string, rounds int, each time.Duration, held int, only string, scaling int) error {
	relay, err := filepath.Abs(relay)
	if err != nil {
		return err
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raising the limit of file descriptors: %w", err)
	}
	if scaling > 0 {
		return benchScaling(relay, scaling)
	}
	if most := int(min(limit.Max, 1<<20)-200) / 2; held > most {
		fmt.Printf("of %d pairs, %d fit the limit of %d file descriptors\n", held, most, limit.Max)
		held = most
	}
	if err := benchLoads(relay, rounds, each, only); err != nil {
		return err
	}
	if strings.Contains("round trip", only) {
		if err := benchRoundTrip(relay, rounds); err != nil {
			return err
		}
	}
	for _, deflate := range []bool{false, true} {
		what := fmt.Sprintf("%d pairs held", held)
		if deflate {
			what += ", compressed, after a message each"
		}
		if !strings.Contains(what, only) {
			continue
		}
		if err := benchHeld(relay, what, held, deflate); err != nil {
			return err
		}
	}
	return nil
}

func benchLoads(relay string, rounds int, each time.Duration, only string) error {
	s, err := newStage(relay, false)
	if s != nil {
		defer s.stop()
	}
	if err != nil {
		return err
	}
	for _, l := range loads {
		if !strings.Contains(l.name, only) {
			continue
		}
		samples := make([][]sample, len(s.paths))
		for round := range rounds {
			for i, p := range s.paths {
				fmt.Printf("\r\033[K%s: round %d of %d, %s", l.name, round+1, rounds, p.name)
				got, err := s.measure(p, l, each)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", l.name, p.name, err)
				}
				samples[i] = append(samples[i], got)
			}
		}
		fmt.Printf("\r\033[K%s\n", l.name)
		for i, p := range s.paths {
			fmt.Printf("  %-7s %s msgs/s   CPU µs/msg: proxy %s  echo %s  client %s", p.name,
				stats(samples[i], func(s sample) float64 { return s.rate }),
				stats(samples[i], func(s sample) float64 { return s.proxy }),
				stats(samples[i], func(s sample) float64 { return s.echo }),
				stats(samples[i], func(s sample) float64 { return s.client }))
			if p.name == "relay" {
				// Neighbours in time are compared, so that what slows the machine slows both.
				ratios := make([]float64, rounds)
				for r := range ratios {
					ratios[r] = samples[i][r].rate / samples[i+1][r].rate
				}
				fmt.Printf("   rate %s of nginx's", stats(ratios, func(v float64) float64 { return v }))
			}
			fmt.Println()
		}
	}
	return nil
}

func benchRoundTrip(relay string, rounds int) error {
	s, err := newStage(relay, true)
	if s != nil {
		defer s.stop()
	}
	if err != nil {
		return err
	}
	// This process shares the CPU with the upstream, and never waits for one that moves.
	if err := exec.Command("taskset", "-apc", "1", strconv.Itoa(os.Getpid())).Run(); err != nil {
		return fmt.Errorf("pinning the client: %w", err)
	}
	defer exec.Command("taskset", "-apc", "0-"+strconv.Itoa(runtime.NumCPU()-1), strconv.Itoa(os.Getpid())).Run()
	rounds *= 5 // short ones
	us := func(d time.Duration) float64 { return float64(d) / 1000 }
	var direct []float64
	added := make([][]float64, len(s.paths))
	for round := range rounds {
		var base float64
		for i, p := range s.paths {
			fmt.Printf("\r\033[Kround trip: round %d of %d, %s", round+1, rounds, p.name)
			d, err := roundTrip(p, 2_000)
			if err != nil {
				return fmt.Errorf("round trip, %s: %w", p.name, err)
			}
			if i == 0 {
				base = us(d)
				direct = append(direct, base)
			}
			added[i] = append(added[i], us(d)-base)
		}
	}
	same := func(v float64) float64 { return v }
	ratio := make([]float64, rounds)
	for r := range ratio {
		ratio[r] = added[1][r] / added[2][r]
	}
	fmt.Printf("\r\033[Kround trip of 64 B, p50, proxy pinned to one CPU and upstream to the other\n  direct %s µs, added by relay %s µs, by nginx %s µs, ratio %s\n",
		stats(direct, same), stats(added[1], same), stats(added[2], same), stats(ratio, same))
	return nil
}

func benchHeld(relay, what string, held int, deflate bool) error {
	fmt.Printf("%s, for each\n", what)
	s, err := newStage(relay, false)
	if s != nil {
		defer s.stop()
	}
	if err != nil {
		return err
	}
	for _, p := range s.paths[1:] {
		memory, descriptors, err := hold(p, held, deflate)
		if err != nil {
			return fmt.Errorf("holding, %s: %w", p.name, err)
		}
		fmt.Printf("  %-7s %.1f KiB resident, %.2f file descriptors\n", p.name, memory/1024, descriptors)
	}
	return nil
}

// stats is the median of what f gives, with the range.
func stats[T any](samples []T, f func(T) float64) string {
	v := make([]float64, len(samples))
	for i, s := range samples {
		v[i] = f(s)
	}
	slices.Sort(v)
	format := "%.2f [%.2f–%.2f]"
	if v[len(v)/2] >= 1000 {
		format = "%.0f [%.0f–%.0f]"
	}
	return fmt.Sprintf(format, v[len(v)/2], v[0], v[len(v)-1])
}

package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The pause before a page's next attempt, as that of connectSocket's reconnect: from 0 to this, doubled after each failure.
const (
	minDelay = time.Second
	maxDelay = 30 * time.Second
)

// outage is what a page saw between two connections.
type outage struct {
	lost, back time.Time
	how        string         // the close code, or that there was none
	unanswered int            // messages
	failed     map[string]int // attempts, by what was said
}

// crowd is pages that send a message a second and reconnect.
type crowd struct {
	addr, offer string
	connected   atomic.Int64
	done        chan struct{}

	mu      sync.Mutex
	conns   map[net.Conn]struct{}
	outages []outage
}

// benchScaling has three relays behind nginx, with deploy/nginx.conf less its TLS, serve n pages; one relay is killed, then
// another one drained. It prints what the pages saw.
func benchScaling(relay string, n int) error {
	dir, err := os.MkdirTemp("", "bench-scaling")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	echo, err := startProcess("", regexp.MustCompile(`^([\d.]+:\d+)$`), self, "-echo")
	if err != nil {
		return err
	}
	defer echo.stop()
	var relays []*process
	var servers []string
	for range 3 {
		// All pages have one address here, whose limits are those of all.
		p, err := startProcess("", regexp.MustCompile(`"relay":"([\d.]+:\d+)"`), relay, "-listen", "127.0.0.1:0", "-metrics", "",
			"-allow", echo.addr, "-origin", "*", "-max-conns", "9000", "-max-conns-per-addr", "9000", "-handshakes-per-addr", "10000")
		if err != nil {
			return err
		}
		defer p.stop()
		relays = append(relays, p)
		servers = append(servers, "server "+p.addr)
	}
	site, err := os.ReadFile("deploy/nginx.conf")
	if err != nil {
		return err
	}
	nginx, err := startNginx("", dir, func(addr string) string {
		text := regexp.MustCompile(` *ssl_.*\n`).ReplaceAllString(string(site), "")
		return strings.NewReplacer("listen 443 ssl", "listen "+addr+" backlog=4096", "server 127.0.0.1:8080", strings.Join(servers, " max_fails=0; ")).Replace(text)
	})
	if err != nil {
		return err
	}
	defer nginx.stop()

	c := &crowd{addr: nginx.addr, offer: fmt.Sprintf(`{"url":"ws://%s/"}`, echo.addr), done: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	var wg sync.WaitGroup
	began := time.Now()
	for range n {
		wg.Go(func() { c.page(10 * time.Second) })
	}
	defer func() {
		close(c.done)
		c.mu.Lock()
		for conn := range c.conns {
			conn.Close()
		}
		c.mu.Unlock()
		wg.Wait()
	}()
	if err := c.wait(n); err != nil {
		return err
	}
	fmt.Printf("%d pages behind 3 relays, all connected after %.1f s\n", n, time.Since(began).Seconds())
	for _, end := range []struct {
		what   string
		signal syscall.Signal
	}{{"one is killed (SIGKILL)", syscall.SIGKILL}, {"one is drained (SIGTERM)", syscall.SIGTERM}} {
		time.Sleep(3 * time.Second) // of rest
		c.mu.Lock()
		c.outages = nil
		c.mu.Unlock()
		at := time.Now()
		if err := relays[0].cmd.Process.Signal(end.signal); err != nil {
			return fmt.Errorf("ending a relay: %w", err)
		}
		relays[0].cmd.Wait()
		relays = relays[1:]
		time.Sleep(time.Second) // all that it held has been seen to end
		if err := c.wait(n); err != nil {
			return err
		}
		c.report(end.what, at, n)
	}
	return nil
}

// wait waits until n pages are connected.
func (c *crowd) wait(n int) error {
	for range 1200 {
		if c.connected.Load() == int64(n) {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("of %d pages %d are connected after two minutes", n, c.connected.Load())
}

// page is one page, from a random moment within first to the end of the crowd.
func (c *crowd) page(first time.Duration) {
	pause, o := minDelay, outage{failed: map[string]int{}}
	next := rand.N(first)
	for {
		select {
		case <-c.done:
			return
		case <-time.After(next):
		}
		conn, err := dial(c.addr, "/relay", c.offer, false)
		if err != nil {
			o.failed[strings.TrimPrefix(err.Error(), c.addr+": ")]++
			next = rand.N(pause)
			pause = min(maxDelay, 2*pause)
			continue
		}
		c.mu.Lock()
		c.conns[conn] = struct{}{}
		if !o.lost.IsZero() {
			o.back = time.Now()
			c.outages = append(c.outages, o)
		}
		c.mu.Unlock()
		c.connected.Add(1)
		how, unanswered := c.talk(conn)
		c.connected.Add(-1)
		c.mu.Lock()
		delete(c.conns, conn)
		c.mu.Unlock()
		pause, o = minDelay, outage{lost: time.Now(), how: how, unanswered: unanswered, failed: map[string]int{}}
		next = rand.N(pause)
	}
}

// talk sends a message a second until the connection ends, and says how it did and how many got no answer.
func (c *crowd) talk(conn net.Conn) (how string, unanswered int) {
	defer conn.Close()
	var sent atomic.Int64
	ended := make(chan struct{})
	defer close(ended)
	message := append(header(64), make([]byte, 64)...)
	go func() {
		for wait := rand.N(time.Second); ; wait = time.Second {
			select {
			case <-ended:
				return
			case <-time.After(wait):
			}
			if _, err := conn.Write(message); err != nil {
				return
			}
			sent.Add(1)
		}
	}()
	br := bufio.NewReaderSize(conn, 256)
	for got := 0; ; {
		h := make([]byte, 2)
		if _, err := io.ReadFull(br, h); err != nil {
			return "cut", int(sent.Load()) - got
		}
		b := make([]byte, payload(h)) // all frames here are short
		if _, err := io.ReadFull(br, b); err != nil {
			return "cut", int(sent.Load()) - got
		}
		switch h[0] & 0xf {
		case 8:
			conn.Write(append([]byte{0x88, 0x80 | byte(len(b)), 0, 0, 0, 0}, b...))
			code := 1005
			if len(b) >= 2 {
				code = int(binary.BigEndian.Uint16(b))
			}
			return fmt.Sprint(code), int(sent.Load()) - got
		case 2:
			got++
		}
	}
}

// report prints what the pages saw of the end of a relay at a moment.
func (c *crowd) report(what string, at time.Time, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	how, failed, unanswered := map[string]int{}, map[string]int{}, 0
	var lost, without []time.Duration
	perSecond := map[int]int{}
	for _, o := range c.outages {
		how[o.how]++
		unanswered += o.unanswered
		for said, times := range o.failed {
			failed[said] += times
		}
		lost = append(lost, o.lost.Sub(at))
		without = append(without, o.back.Sub(o.lost))
		perSecond[int(o.back.Sub(at)/time.Second)]++
	}
	if len(lost) == 0 {
		fmt.Printf("%s: no page saw anything\n", what)
		return
	}
	slices.Sort(lost)
	slices.Sort(without)
	quantile := func(d []time.Duration, q float64) float64 { return d[int(q*float64(len(d)-1))].Seconds() }
	fmt.Printf("%s: %d of %d pages lost their connection, after %.1f to %.1f s: %v\n", what, len(lost), n, quantile(lost, 0), quantile(lost, 1), how)
	fmt.Printf("  without one for %.2f s (median), %.2f s (99 of 100), %.2f s (the longest)\n", quantile(without, 0.5), quantile(without, 0.99), quantile(without, 1))
	fmt.Printf("  attempts that failed: %v; messages without an answer: %d; most that came back in a second: %d\n",
		failed, unanswered, slices.Max(slices.Collect(maps.Values(perSecond))))
}

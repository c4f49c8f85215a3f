//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain is the relay itself where a test has started it so, with as many descriptors as that test says.
func TestMain(m *testing.M) {
	if files, ok := os.LookupEnv("TEST_RELAY_FILES"); ok {
		if n, _ := strconv.ParseUint(files, 10, 32); n > 0 {
			if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: n}); err != nil {
				panic(err)
			}
		}
		main()
		return
	}
	os.Exit(m.Run())
}

// process is a relay of its own.
type process struct {
	cmd            *exec.Cmd
	relay, metrics string
	lines          chan string // of its log, after the first
	ended          chan struct{}
}

func startRelay(t *testing.T, files int, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0], append([]string{"-listen", "127.0.0.1:0", "-metrics", "127.0.0.1:0", "-allow", "a.test", "-origin", "*"}, args...)...),
		lines: make(chan string, 1000), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "TEST_RELAY_FILES="+strconv.Itoa(files))
	log, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill(); <-p.ended })
	serving := make(chan struct{})
	go func() {
		defer close(p.ended)
		for s := bufio.NewScanner(log); s.Scan(); {
			var line struct{ Msg, Relay, Metrics string }
			if json.Unmarshal(s.Bytes(), &line); line.Msg == "serving" {
				p.relay, p.metrics = line.Relay, line.Metrics
				close(serving)
			}
			p.lines <- s.Text()
		}
		p.cmd.Wait()
	}()
	select {
	case <-serving:
	case <-p.ended:
		t.Fatal("the relay ended")
	}
	return p
}

// wait waits for a line of the log.
func (p *process) wait(t *testing.T, want string) {
	t.Helper()
	for deadline := time.After(20 * time.Second); ; {
		select {
		case line := <-p.lines:
			if strings.Contains(line, want) {
				return
			}
		case <-deadline:
			t.Fatalf("never logged: %s", want)
		}
	}
}

// TestSecondSignal has a second signal end the relay at once, during the delay and during the drain.
func TestSecondSignal(t *testing.T) {
	for name, args := range map[string][]string{"delay": {"-drain-delay", "1h"}, "drain": {"-drain", "1h"}} {
		t.Run(name, func(t *testing.T) {
			p := startRelay(t, 0, args...)
			if name == "drain" { // a page that holds it up
				conn, err := net.Dial("tcp", p.relay)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				io.WriteString(conn, "GET /relay HTTP/1.1\r\nHost: relay\r\nOrigin: https://a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
					"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: connectsocket.relay.v1\r\n\r\n")
				conn.Read(make([]byte, 1))
			}
			p.cmd.Process.Signal(syscall.SIGTERM)
			p.wait(t, `"msg":"draining"`)
			p.cmd.Process.Signal(syscall.SIGTERM)
			select {
			case <-p.ended:
			case <-time.After(8 * time.Second): // its offer's timeout, after which the drain would end by itself, is ten
				t.Error("the second signal is not obeyed")
			}
		})
	}
}

// TestFewDescriptors has connections that wait use all descriptors: the relay says so, counts it and is not ready.
func TestFewDescriptors(t *testing.T) {
	p := startRelay(t, 40, "-max-conns-per-addr", "1000")
	var conns []net.Conn
	for range 60 {
		conn, err := net.Dial("tcp", p.relay)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
	}
	p.wait(t, "out of file descriptors")
	for _, conn := range conns {
		conn.Close()
	}
	get := func(url string) (int, string) {
		for range 100 {
			if resp, err := http.Get(url); err == nil {
				b, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				return resp.StatusCode, string(b)
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Fatalf("%s does not answer", url)
		return 0, ""
	}
	if code, body := get("http://" + p.relay + "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "descriptors") {
		t.Errorf("/readyz: %d %s", code, body)
	}
	if _, body := get("http://" + p.metrics + "/metrics"); !strings.Contains(body, "\nconnectsocket_relay_descriptors_exhausted_total ") ||
		strings.Contains(body, "\nconnectsocket_relay_descriptors_exhausted_total 0\n") {
		t.Error("it is not counted")
	}
}

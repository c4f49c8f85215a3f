package main

//lint:file-ignore SA1019 the module is marked deprecated for its change of name, not of substance

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"nhooyr.io/websocket"
)

var program string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "serve")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "serve")
		if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
			panic(string(out))
		}
		return m.Run()
	}())
}

// limit bounds a test that would hang.
func limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// site writes what the server is to serve and returns its directory.
func site(t *testing.T) string {
	t.Helper()
	outer := t.TempDir()
	dir := filepath.Join(outer, "dist")
	for name, content := range map[string]string{
		"secret.txt":                 "secret",
		"dist/playground/index.html": "play",
		"dist/connectsocket.wasm":    "plain",
		"dist/connectsocket.wasm.br": "brotli",
	} {
		name = filepath.Join(outer, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, time.Time{}, time.Unix(1e9, 0)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

type process struct {
	*exec.Cmd
	url    string
	stdout *bufio.Reader
	stderr *bytes.Buffer
}

// start runs the server and returns once it has printed its URL.
func start(t *testing.T, args ...string) process {
	t.Helper()
	p := process{Cmd: exec.CommandContext(limit(t), program, append([]string{"-addr", "127.0.0.1:0"}, args...)...), stderr: new(bytes.Buffer)}
	p.Stderr = p.stderr
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Process.Kill(); p.Wait() })
	p.stdout = bufio.NewReader(out)
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		t.Fatalf("read the URL: %v", err)
	}
	m := regexp.MustCompile(`^listening on (https?://127\.0\.0\.1:[1-9][0-9]*)\n$`).FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("printed %q", line)
	}
	p.url = m[1]
	return p
}

// stopped waits for the server to end and fails the test unless it ended well and said nothing more.
func (p process) stopped(t *testing.T) {
	t.Helper()
	rest, err := io.ReadAll(p.stdout)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil || len(rest) > 0 || p.stderr.Len() > 0 {
		t.Errorf("ended with %v, then printed %q and %q", err, rest, p.stderr)
	}
}

func TestServe(t *testing.T) {
	p := start(t, "-dir", site(t))
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	for _, test := range []struct {
		path, accept string
		status       int
		body         string
	}{
		{"/", "", 200, "play"},
		{"/connectsocket.wasm", "", 200, "plain"},
		{"/connectsocket.wasm", "br", 200, "brotli"},
		{"/missing.js", "", 404, "404 page not found\n"},
	} {
		req, err := http.NewRequestWithContext(limit(t), "GET", p.url+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if test.accept != "" {
			req.Header.Set("Accept-Encoding", test.accept)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != test.status || string(body) != test.body {
			t.Errorf("%s (%s): %s %q %v, want %d %q", test.path, test.accept, res.Status, body, err, test.status, test.body)
		}
	}

	res, err := client.Post(p.url+"/", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s, want 405", res.Status)
	}

	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.stopped(t)
}

// TestTraversal sends paths unchanged; http.Client would clean them.
func TestTraversal(t *testing.T) {
	p := start(t, "-dir", site(t))
	for _, path := range []string{
		"/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/playground/../../secret.txt",
		"/playground/..%2f..%2fsecret.txt", "//../secret.txt", `/..\secret.txt`, "/%00", "/./../secret.txt",
		"/connectsocket.wasm/../../secret.txt",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		answer, err := io.ReadAll(conn)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(answer, []byte("HTTP/1.1 ")) || bytes.HasPrefix(answer, []byte("HTTP/1.1 200")) || bytes.Contains(answer, []byte("\r\n\r\nsecret")) {
			t.Errorf("%s: %.200q", path, answer)
		}
	}
}

func TestStopClosesWebSockets(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p := start(t, "-dir", site(t))
		conn, _, err := websocket.Dial(limit(t), p.url+"/echo", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.CloseNow()
		if err := conn.Write(limit(t), websocket.MessageText, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if _, msg, err := conn.Read(limit(t)); string(msg) != "hello" {
			t.Fatalf("echoed %q: %v", msg, err)
		}
		if err := p.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		if _, _, err := conn.Read(limit(t)); websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("%v: read: %v, want a close with 1001", sig, err)
		}
		p.stopped(t)
	}
}

func TestTLS(t *testing.T) {
	cert, key, roots := certificate(t)
	p := start(t, "-dir", site(t), "-tls-cert", cert, "-tls-key", key)
	if !strings.HasPrefix(p.url, "https://") {
		t.Errorf("told %s, want https", p.url)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer client.CloseIdleConnections()
	res, err := client.Get(p.url + "/connectsocket.wasm")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("https: %s", res.Status)
	}
	conn, _, err := websocket.Dial(limit(t), p.url+"/echo?code=4000", &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if _, _, err := conn.Read(limit(t)); websocket.CloseStatus(err) != 4000 {
		t.Errorf("wss: %v, want a close with 4000", err)
	}
}

// certificate writes a certificate for 127.0.0.1 and its key, and returns their files and what trusts it.
func certificate(t *testing.T) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	roots = x509.NewCertPool()
	parsed, err := x509.ParseCertificate(cert)
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(parsed)
	return write("cert.pem", "CERTIFICATE", cert), write("key.pem", "PRIVATE KEY", pkcs8), roots
}

func TestCannotStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := site(t)
	for _, test := range []struct {
		want string
		args []string
	}{
		{"no-such-dir", []string{"-addr", "127.0.0.1:0", "-dir", "no-such-dir"}},
		{"not a directory", []string{"-addr", "127.0.0.1:0", "-dir", filepath.Join(dir, "connectsocket.wasm")}},
		{taken.Addr().String(), []string{"-addr", taken.Addr().String(), "-dir", dir}},
		{"TLS certificate", []string{"-addr", "127.0.0.1:0", "-dir", dir, "-tls-cert", "none.pem"}},
		{"TLS certificate", []string{"-addr", "127.0.0.1:0", "-dir", dir, "-tls-key", "none.pem"}},
	} {
		var stdout, stderr bytes.Buffer
		cmd := exec.CommandContext(limit(t), program, test.args...)
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		if cmd.ProcessState.ExitCode() != 1 || stdout.Len() > 0 || !strings.Contains(stderr.String(), test.want) {
			t.Errorf("%q: %v, printed %q and %q, want exit status 1 and %q told", test.args, err, &stdout, &stderr, test.want)
		}
	}
}

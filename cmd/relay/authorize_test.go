//go:build unix

package main

//lint:file-ignore SA1019 the module is marked deprecated for its change of name, not of substance

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectsocket/internal/echo"
	"connectsocket/internal/relay"

	"nhooyr.io/websocket"
)

// TestAuthorizeExample runs the example of deploy/authorize: nginx with deploy/nginx.conf before the relay, the endpoint, and an
// upstream that wants the user's token. The session's cookie opens the connection and stays away from the upstream.
func TestAuthorizeExample(t *testing.T) {
	endpoint, locations, readme := read(t, "authorize/endpoint.mjs"), read(t, "authorize/nginx.conf"), read(t, "README.md")
	for _, text := range []string{endpoint, locations} {
		if !strings.Contains(readme, "\n"+text+"```\n") {
			t.Errorf("deploy/README.md does not show this:\n%s", text)
		}
	}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") != "Bearer token-of-alice" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		echo.Handler().ServeHTTP(w, req)
	}))
	t.Cleanup(upstream.Close)
	addr := strings.TrimPrefix(upstream.URL, "http://")

	asked := freeAddr(t)
	start(t, exec.Command("node", "../../deploy/authorize/endpoint.mjs"), "PORT="+asked[strings.LastIndex(asked, ":")+1:])
	p := startRelay(t, 0, "-allow", addr, "-origin", "https://app.example", "-authorize", "http://"+asked+"/authorize", "-trusted-proxy", "127.0.0.1/32")

	dir, site := t.TempDir(), freeAddr(t)
	cert, key := certificate(t, dir, 1, time.Now().Add(time.Hour))
	server := strings.NewReplacer(
		"listen 443 ssl", "listen "+site+" ssl",
		"/etc/letsencrypt/live/relay.example/fullchain.pem", cert,
		"/etc/letsencrypt/live/relay.example/privkey.pem", key,
		"127.0.0.1:8080", p.relay,
		"127.0.0.1:9000", asked,
	).Replace(strings.TrimSuffix(read(t, "nginx.conf"), "}\n") + locations + "}\n")
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "daemon off; master_process off; pid %[1]s/pid; error_log stderr crit; events {}\nhttp { access_log off; "+
		"client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;\n%[2]s}\n", dir, server), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, exec.Command("nginx", "-c", conf))
	for _, addr := range []string{asked, site} {
		listens(t, addr)
	}

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	// page connects with this cookie, and returns the relay's answer and the first message of the upstream.
	page := func(cookie string) (answer, message string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		c, _, err := websocket.Dial(ctx, "wss://"+site+"/relay", &websocket.DialOptions{HTTPClient: client, Subprotocols: []string{relay.Subprotocol},
			HTTPHeader: http.Header{"Origin": {"https://app.example"}, "Cookie": {cookie}}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		c.Write(ctx, websocket.MessageText, []byte(`{"url":"ws://`+addr+`/?headers=1"}`))
		_, b, err := c.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		_, first, _ := c.Read(ctx)
		return string(b), string(first)
	}
	if answer, _ := page("session=guessed"); !strings.Contains(answer, `"open":false`) || !strings.Contains(answer, "log in first") {
		t.Errorf("without a session: %s", answer)
	}
	resp, err := client.Post("https://"+site+"/session", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	cookies := resp.Cookies()
	if len(cookies) != 1 || !cookies[0].HttpOnly || !cookies[0].Secure {
		t.Fatalf("logging in: %s, %v", resp.Status, cookies)
	}
	answer, message := page("other=1; session=" + cookies[0].Value)
	if !strings.Contains(answer, `"open":true`) {
		t.Fatalf("with a session: %s", answer)
	}
	var header http.Header
	if err := json.Unmarshal([]byte(message), &header); err != nil {
		t.Fatalf("%q: %v", message, err)
	}
	if header.Get("Authorization") != "Bearer token-of-alice" || header.Get("Cookie") != "" || header.Get("X-Forwarded-For") != "127.0.0.1" {
		t.Errorf("the upstream sees %v", header)
	}
	if resp, err = client.Get("https://" + site + "/session"); err != nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("a GET of the session: %v, %v", resp, err)
	}
	resp.Body.Close()
}

// freeAddr is an address that nobody listens at.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start starts a program that ends with the test.
func start(t *testing.T, cmd *exec.Cmd, environ ...string) {
	t.Helper()
	var out bytes.Buffer
	cmd.Env = append(os.Environ(), environ...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatalf("this test needs %s: %v", cmd.Args[0], err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGKILL)
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s: %s", cmd.Args[0], &out)
		}
	})
}

func listens(t *testing.T, addr string) {
	t.Helper()
	for range 400 {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("nobody listens at %s", addr)
}

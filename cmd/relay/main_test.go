package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func noEnv(string) (string, bool) { return "", false }

func TestParse(t *testing.T) {
	vars := map[string]string{"RELAY_MAX_CONNS": "5", "RELAY_ALLOW": "a:1, *.b", "RELAY_PING": "3s", "RELAY_LISTEN": "ignored"}
	env := func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
	o, err := parse([]string{"-listen", ":1", "-origin", "https://a,https://b", "-origin", "https://c", "-trusted-proxy", "10.0.0.0/8,::1/128"}, env, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if o.listen != ":1" || o.MaxConns != 5 || strings.Join(o.Allow, " ") != "a:1 *.b" || strings.Join(o.Origins, " ") != "https://a https://b https://c" ||
		o.PingInterval != 3*time.Second || len(o.TrustedProxies) != 2 || o.MaxMessage != 64<<20 {
		t.Errorf("%+v", o)
	}
	for _, args := range [][]string{{"-nonsense"}, {"extra"}, {"-tls-cert", "x"}, {"-max-conns", "many"}, {"-trusted-proxy", "10.0.0.1"}} {
		if _, err := parse(args, noEnv, io.Discard); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
	if _, err := parse(nil, func(name string) (string, bool) { return "x", name == "RELAY_PING" }, io.Discard); err == nil || !strings.Contains(err.Error(), "RELAY_PING") {
		t.Errorf("a bad variable: %v", err)
	}
	var help bytes.Buffer
	if _, err := parse([]string{"-h"}, noEnv, &help); !errors.Is(err, flag.ErrHelp) || !strings.Contains(help.String(), "RELAY_MAX_CONNS") {
		t.Errorf("-h: %v\n%s", err, &help)
	}
}

// certificate writes a self-signed certificate with this serial number.
func certificate(t *testing.T, dir string, serial int64) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// TestRun serves with TLS, reloads the certificate, answers the operator's questions and ends in order.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	cert, key := certificate(t, dir, 1)
	ctx, cancel := context.WithCancel(t.Context())
	logs, logged := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"-listen", "127.0.0.1:0", "-metrics", "127.0.0.1:0", "-tls-cert", cert, "-tls-key", key, "-drain-delay", "300ms"}, noEnv, logged)
		logged.Close()
	}()
	lines := json.NewDecoder(logs)
	var line struct{ Msg, Relay, Metrics string }
	if err := lines.Decode(&line); err != nil || line.Relay == "" {
		t.Fatalf("%+v, %v", line, err)
	}
	addrs := line
	rest := make(chan []string)
	go func() {
		var msgs []string
		for lines.Decode(&line) == nil {
			msgs = append(msgs, line.Msg)
		}
		rest <- msgs
	}()

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	get := func(url string) (int, string) {
		t.Helper()
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/relay": 400, "/metrics": 404, "/": 404} {
		if got, _ := get("https://" + addrs.Relay + path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if _, b := get("http://" + addrs.Metrics + "/metrics"); !strings.Contains(b, `connectsocket_relay_handshakes_total{outcome="upgrade"} 1`) ||
		!strings.Contains(b, `connectsocket_relay_bytes_total{direction="up"} 0`) || !strings.Contains(b, "connectsocket_relay_connections 0") {
		t.Errorf("metrics:\n%s", b)
	}

	serial := func() int64 {
		c, err := tls.Dial("tcp", addrs.Relay, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	becomes := func(want int64) {
		t.Helper()
		for range 100 {
			if serial() == want {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatalf("certificate %d is still served, not %d", serial(), want)
	}
	becomes(1)
	certificate(t, dir, 2)
	becomes(2)
	os.WriteFile(cert, []byte("half written"), 0o600)
	time.Sleep(1100 * time.Millisecond) // past the next look at the files
	becomes(2)
	certificate(t, dir, 3)
	becomes(3)

	cancel()
	for code := 200; code != http.StatusServiceUnavailable; {
		code, _ = get("https://" + addrs.Relay + "/readyz")
	}
	if code, _ := get("https://" + addrs.Relay + "/healthz"); code != 200 {
		t.Errorf("/healthz while draining: %d", code)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if msgs := strings.Join(<-rest, ", "); !strings.HasSuffix(msgs, "draining, drained") {
		t.Errorf("logs: %s", msgs)
	}
}

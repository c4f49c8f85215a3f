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
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	environ := []string{"RELAY_MAX_CONNS=5", "RELAY_ALLOW=a:1, *.b,", "RELAY_PING=3s", "RELAY_LISTEN=:9", "RELAY_COMPRESSION=false", "RELAY_FORWARDED=false", "HOME=x",
		"RELAY_MAX_CONN=5", "RELAY_ping=1s", "RELAY_PORT_8080_TCP=tcp://10.0.0.1:8080", "RELAY_SERVICE_HOST=10.0.0.1"}
	o, err := parse([]string{"-listen", ":1", "-origin", "https://a,https://b", "-origin", "https://c", "-trusted-proxy", "10.0.0.0/8,::1/128"}, environ, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if o.listen != ":1" || o.MaxConns != 5 || strings.Join(o.Allow, " ") != "a:1 *.b" || strings.Join(o.Origins, " ") != "https://a https://b https://c" ||
		o.PingInterval != 3*time.Second || len(o.TrustedProxies) != 2 || o.MaxMessage != 64<<20 || !o.NoCompression || !o.NoForwarded || o.NoRequestID {
		t.Errorf("%+v", o)
	}
	if got := strings.Join(o.unknown, " "); got != "RELAY_MAX_CONN RELAY_ping" {
		t.Errorf("unknown variables: %s", got)
	}
	for _, args := range []string{
		"-nonsense", "extra", "-tls-cert x", "-max-conns many", "-trusted-proxy 10.0.0.1", "-listen=", "-listen nonsense", "-metrics :99999",
		"-listen 127.0.0.1:8081", "-listen :8081", "-metrics 0.0.0.0:9 -listen 127.0.0.1:9",
		"-max-conns 0", "-max-conns -1", "-max-conns-per-addr 0", "-handshakes 0", "-handshakes -1", "-handshakes NaN", "-handshakes-per-addr 0",
		"-max-message 0", "-max-message -1", "-ping 1ns", "-ping 0", "-ping -1s", "-write-stall 1ns", "-dial-timeout 1ns", "-drain -1s", "-drain-delay -1s",
		"-drain 1000h", "-log-level loud",
	} {
		if _, err := parse(strings.Fields(args), nil, io.Discard); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
	if _, err := parse([]string{"-drain", "0"}, nil, io.Discard); err != nil {
		t.Errorf("no drain: %v", err)
	}
	if _, err := parse(nil, []string{"RELAY_PING=x"}, io.Discard); err == nil || !strings.Contains(err.Error(), "RELAY_PING") {
		t.Errorf("a bad variable: %v", err)
	}
	var help bytes.Buffer
	if _, err := parse([]string{"-h"}, nil, &help); !errors.Is(err, flag.ErrHelp) || !strings.Contains(help.String(), "RELAY_MAX_CONNS") {
		t.Errorf("-h: %v\n%s", err, &help)
	}
}

// TestSettingsTable holds the table of docs/relay.md to the flags and their defaults.
func TestSettingsTable(t *testing.T) {
	var help bytes.Buffer
	parse([]string{"-h"}, nil, &help)
	page := read(t, "../docs/relay.md")
	rows := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`-.*?) \\| (.*?) ?\\|").FindAllStringSubmatch(page, -1) {
		for _, flag := range regexp.MustCompile("`-([a-z-]+)`").FindAllStringSubmatch(row[1], -1) {
			rows[flag[1]] = strings.Trim(row[2], "`")
		}
	}
	flags := 0
	for _, flag := range strings.Split(help.String(), "\n  -")[1:] {
		name := regexp.MustCompile(`^[a-z-]+`).FindString(flag)
		flags++
		fallback := ""
		if m := regexp.MustCompile(`\(default "?([^)"]*)"?\)`).FindStringSubmatch(flag); m != nil {
			fallback = m[1]
		}
		got, ok := rows[name]
		if !ok || got != fallback && !(fallback == "" && (got == "false" || got == "0s")) {
			t.Errorf("docs/relay.md says %q of -%s, whose default is %q", got, name, fallback)
		}
		delete(rows, name)
	}
	if flags < 20 || len(rows) > 0 {
		t.Errorf("of %d flags, docs/relay.md has %v too many", flags, rows)
	}
}

// TestDefaults holds the defaults against the world: proxies that cut after 60 s of silence, docker stop, which waits 10 s,
// Kubernetes, which waits 30, and the systemd unit.
func TestDefaults(t *testing.T) {
	o, err := parse(nil, nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if o.PingInterval > 55*time.Second {
		t.Errorf("pings after %v", o.PingInterval)
	}
	if end := o.drainDelay + o.drain + 2*time.Second; end > 9*time.Second {
		t.Errorf("the drain ends after %v", end)
	}
	stop := regexp.MustCompile(`(?m)^TimeoutStopSec=(\d+)$`).FindStringSubmatch(read(t, "relay.service"))
	if stop == nil || !strings.Contains(read(t, "README.md"), "of the unit, "+stop[1]+" s") {
		t.Errorf("deploy/README.md does not have the unit's %q", stop)
	}
}

// TestCheck has -check say what is wrong, or hardly meant, without serving.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	cert, key := certificate(t, dir, 1, time.Now().Add(-time.Minute))
	upstreams := filepath.Join(dir, "upstreams.json")
	if err := os.WriteFile(upstreams, []byte("{\n\"a.example\": {\"orgins\": []}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := "-check -allow a.example -origin https://a.example"
	for args, want := range map[string]string{
		good:                                             "",
		"-check -origin https://a.example":               "no upstream is allowed",
		"-check -allow a.example":                        "no origin is allowed",
		good + " -trusted-proxy 0.0.0.0/0":               "choose its address",
		good + " -proxy-protocol":                        "does nothing without -trusted-proxy",
		good + " -max-conns 1000000000":                  "open files are not enough",
		good + " -max-conns-per-addr 100000":             "above -max-conns",
		good + " -tls-cert " + cert + " -tls-key " + key: "expired",
		good + " -tls-cert /none -tls-key /none":         "!loading the certificate",
		good + " -upstreams " + upstreams:                `!line 2: "a.example": "orgins": unknown`,
		good + " -authorize localhost:9000":              "!not an http",
		good + " -allow *x":                              "!*x",
		good + " -origin https://*app.example":           "!https://*app.example",
		good + " -deny-header a:b":                       "!a:b",
		good + " -handshakes Inf":                        "!HandshakeRate",
	} {
		var out, logs bytes.Buffer
		err := run(t.Context(), strings.Fields(args), []string{"RELAY_LISTEN=127.0.0.1:1"}, &out, &logs)
		if refused, ok := strings.CutPrefix(want, "!"); ok {
			if err == nil || !strings.Contains(err.Error(), refused) {
				t.Errorf("%s: %v, want %s", args, err, refused)
			}
			continue
		}
		if err != nil || out.String() != "the settings are valid\n" {
			t.Errorf("%s: %v, %s", args, err, &out)
		}
		if !strings.Contains(logs.String(), want) || want == "" && strings.Contains(logs.String(), "allowed") {
			t.Errorf("%s: warns of %s, want %s", args, &logs, want)
		}
	}
	var logs bytes.Buffer
	if err := run(t.Context(), strings.Fields(good), []string{"RELAY_ALOW=x"}, io.Discard, &logs); err != nil || !strings.Contains(logs.String(), "no such setting: RELAY_ALOW") {
		t.Errorf("a misspelt variable: %v, %s", err, &logs)
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-version"}, nil, &out, io.Discard); err != nil || !strings.HasPrefix(out.String(), "relay ") || !strings.Contains(out.String(), "go1.") {
		t.Errorf("-version: %q, %v", &out, err)
	}
}

// certificate writes a self-signed certificate with this serial number and end.
func certificate(t *testing.T, dir string, serial int64, notAfter time.Time) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, NotAfter: notAfter}
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
	cert, key := certificate(t, dir, 1, time.Now().Add(time.Hour))
	ctx, cancel := context.WithCancel(t.Context())
	logs, logged := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"-listen", "127.0.0.1:0", "-metrics", "127.0.0.1:0", "-tls-cert", cert, "-tls-key", key, "-drain-delay", "300ms"}, nil, io.Discard, logged)
		logged.Close()
	}()
	lines := json.NewDecoder(logs)
	var line struct{ Msg, Relay, Metrics string }
	for line.Relay == "" { // after warnings
		if err := lines.Decode(&line); err != nil {
			t.Fatalf("%+v, %v", line, err)
		}
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
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/relay": 400, "/metrics": 404, "/log-level": 404, "/debug/pprof/": 404, "/": 404} {
		if got, _ := get("https://" + addrs.Relay + path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	_, metrics := get("http://" + addrs.Metrics + "/metrics")
	for _, want := range []string{`connectsocket_relay_handshakes_total{outcome="upgrade"} 1`, `connectsocket_relay_bytes_total{direction="up"} 0`,
		"connectsocket_relay_connections 0", "connectsocket_relay_max_connections 10000", "go_build_info{", "process_max_fds ", "process_open_fds "} {
		if !strings.Contains(metrics, "\n"+want) {
			t.Errorf("no %s in the metrics:\n%s", want, metrics)
		}
	}
	if code, b := get("http://" + addrs.Metrics + "/debug/pprof/goroutine?debug=1"); code != 200 || !strings.Contains(b, "goroutine profile") {
		t.Errorf("a profile: %d %.100s", code, b)
	}
	for _, c := range []struct {
		level string
		code  int
		want  string
	}{{"warn\n", 200, "WARN\n"}, {"loud", 400, "not a level: "}, {strings.Repeat("x", 1<<20), 400, "not a level: "}, {"debug", 200, "DEBUG\n"}} {
		req, _ := http.NewRequest(http.MethodPut, "http://"+addrs.Metrics+"/log-level", strings.NewReader(c.level))
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != c.code || !strings.HasPrefix(string(b), c.want) {
			t.Errorf("log level %.10q: %d %s", c.level, resp.StatusCode, b)
		}
	}
	if _, b := get("http://" + addrs.Metrics + "/log-level"); b != "DEBUG\n" {
		t.Errorf("log level %q", b)
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
	certificate(t, dir, 2, time.Now().Add(time.Hour))
	becomes(2)
	os.WriteFile(cert, []byte("half written"), 0o600)
	time.Sleep(1100 * time.Millisecond) // past the next look at the files
	becomes(2)
	certificate(t, dir, 3, time.Now().Add(time.Hour))
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
	if msgs := strings.Join(<-rest, ", "); !strings.HasSuffix(msgs, "draining, drained") || strings.Count(msgs, "log level set") != 2 {
		t.Errorf("logs: %s", msgs)
	}
}

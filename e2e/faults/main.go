// Faults is what the fault matrix and the soak run against: one server of ws: or wss: with
//
//	/echo     the echo server
//	/relay    a relay that leads to this program's servers and those of -allow
//	/hostile  a server that breaks the protocol: see hostile
//	/checked  a server of numbered messages: see checker
//
// behind two proxies of Shopify/toxiproxy, named "server" and "relay", that lead to it, and beside it servers that refuse
// TLS. On standard output it prints one line of JSON, its addresses; it ends when its standard input does.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"

	"connectsocket/internal/echo"
	"connectsocket/internal/relay"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "`host:port` of the server")
	cert := flag.String("tls-cert", "", "certificate `file` (PEM), to serve wss")
	key := flag.String("tls-key", "", "its private key `file` (PEM)")
	allow := flag.String("allow", "", "another upstream `host:port` for the relay")
	flag.Parse()
	if err := run(*addr, *cert, *key, *allow); err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

// addresses are host:port, except Control, which is a URL.
type addresses struct {
	Control string `json:"control"` // toxiproxy's HTTP API, and /stats
	Server  string `json:"server"`
	Toxic   string `json:"toxic"` // the proxy "server"
	Relay   string `json:"relay"` // the proxy "relay"
	Plain   string `json:"plain"` // speaks no TLS
	Refuses string `json:"refuses"`
	Strange string `json:"strange"` // its certificate is nobody's
}

// run serves until standard input ends.
func run(addr, cert, key, allow string) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err // names the address
	}
	at := addresses{Server: listener.Addr().String()}
	silent := log.New(io.Discard, "", 0)

	zerolog.SetGlobalLevel(zerolog.Disabled) // a toxic logs by a logger of its own
	toxics := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	for name, listen := range map[string]*string{"server": &at.Toxic, "relay": &at.Relay} {
		proxy := toxiproxy.NewProxy(toxics, name, "127.0.0.1:0", at.Server)
		if err := toxics.Collection.Add(proxy, true); err != nil {
			return fmt.Errorf("start proxy %s: %w", name, err)
		}
		*listen = proxy.Listen
	}

	none := http.NotFoundHandler()
	plain, strange, refuses := httptest.NewServer(none), httptest.NewUnstartedServer(none), httptest.NewUnstartedServer(none)
	strange.Config.ErrorLog, refuses.Config.ErrorLog = silent, silent
	refuses.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return nil, errors.New("refused")
	}}
	strange.StartTLS()
	refuses.StartTLS()
	at.Plain, at.Strange, at.Refuses = plain.Listener.Addr().String(), strange.Listener.Addr().String(), refuses.Listener.Addr().String()

	var roots *x509.CertPool
	srv := &http.Server{ErrorLog: silent}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return fmt.Errorf("load TLS certificate: %w", err)
		}
		roots = x509.NewCertPool()
		roots.AddCert(pair.Leaf)
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}})
	}
	upstreams := []string{at.Server, at.Toxic, at.Plain, at.Refuses, at.Strange}
	if allow != "" {
		upstreams = append(upstreams, allow)
	}
	r, err := relay.New(relay.Config{
		Allow:                upstreams,
		Origins:              []string{"*"},
		HandshakeRate:        10_000,
		HandshakeRatePerAddr: 10_000, // all pages have one address
		TLS:                  &tls.Config{RootCAs: roots},
		Logger:               slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return fmt.Errorf("make the relay: %w", err)
	}

	checked := new(checker)
	mux := http.NewServeMux()
	mux.Handle("GET /echo", echo.Handler())
	mux.Handle("GET /relay", r)
	mux.HandleFunc("GET /hostile", hostile)
	mux.Handle("GET /checked", checked)
	srv.Handler = mux

	control := http.NewServeMux()
	control.Handle("/", toxics.Routes())
	control.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		json.NewEncoder(w).Encode(map[string]any{
			"goroutines": goroutines(),
			"heap":       memory.HeapAlloc,
			"messages":   checked.messages.Load(),
			"wrong":      checked.wrongs(),
		})
	})
	control.HandleFunc("GET /goroutines", func(w http.ResponseWriter, _ *http.Request) {
		pprof.Lookup("goroutine").WriteTo(w, 1)
	})
	at.Control = httptest.NewServer(control).URL

	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(listener) }()
	line, err := json.Marshal(at)
	if err != nil {
		return fmt.Errorf("encode the addresses: %w", err)
	}
	fmt.Println(string(line))
	go func() {
		io.Copy(io.Discard, os.Stdin)
		failed <- nil
	}()
	return <-failed
}

// goroutines counts those of the server and the relay, and leaves out those of the proxies, which outlive what a toxic has
// silenced.
func goroutines() (n int) {
	var stacks bytes.Buffer
	pprof.Lookup("goroutine").WriteTo(&stacks, 2)
	for stack := range strings.SplitSeq(stacks.String(), "\n\n") {
		if !strings.Contains(stack, "Shopify/toxiproxy") {
			n++
		}
	}
	return n
}

// Serve is the development server: the built package and its playground at /, the examples at /examples/, an echo server at
// /echo, the same at /ticket/echo for requests with a one-time ticket of /ticket (?ticket=…), and at /relay a relay that leads
// to this server only. It prints "listening on" and its URL on standard output once
// it accepts connections, and stops on SIGINT or SIGTERM, closing its WebSockets with 1001; a second signal ends it at once.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"connectsocket/internal/echo"
	"connectsocket/internal/relay"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`host:port` to listen on; port 0 picks a free one")
	dir := flag.String("dir", "web/dist", "`directory` to serve at /")
	pages := flag.String("examples", "", "`directory` to serve at /examples/, with its hosts led to this server")
	cert := flag.String("tls-cert", "", "certificate `file` (PEM), to serve https and wss")
	key := flag.String("tls-key", "", "its private key `file` (PEM)")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := serve(ctx, *addr, *dir, *pages, *cert, *key); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

// serve listens until ctx ends and returns when every request and WebSocket has ended.
func serve(ctx context.Context, addr, dir, pages, cert, key string) error {
	if info, err := os.Stat(dir); err != nil {
		return fmt.Errorf("find what to serve: %w", err)
	} else if !info.IsDir() {
		return fmt.Errorf("find what to serve: %s is not a directory", dir)
	}

	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err // names the address
	}
	defer listener.Close()
	roots, err := trust(cert)
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return fmt.Errorf("split the address: %w", err)
	}
	toEcho, err := relay.New(relay.Config{
		Allow:                []string{"127.0.0.1:" + port, "localhost:" + port, listener.Addr().String()},
		Origins:              []string{"*"},
		HandshakeRatePerAddr: 200, // all its pages have one address
		TLS:                  &tls.Config{RootCAs: roots},
		Logger:               slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return fmt.Errorf("make the relay: %w", err)
	}

	mux := http.NewServeMux()
	dist := os.DirFS(dir)
	built := files(dist)
	mux.Handle("GET /", built)
	if pages != "" {
		mux.Handle("GET /examples/", examples(os.DirFS(pages), dist, built))
	}
	echoes, oneTime := echo.Handler(), &tickets{valid: map[string]bool{}}
	mux.Handle("GET /echo", echoes)
	mux.Handle("GET /ticket", oneTime)
	mux.Handle("GET /ticket/echo", oneTime.admit(echoes))
	mux.Handle("GET /relay", toEcho)

	var requests sync.WaitGroup // http.Server does not wait for WebSockets
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			defer requests.Done()
			mux.ServeHTTP(w, r)
		}),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second,
	}
	scheme, run := "http", srv.Serve
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return fmt.Errorf("load TLS certificate: %w", err)
		}
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}}
		scheme, run = "https", func(l net.Listener) error { return srv.ServeTLS(l, "", "") }
	}

	fmt.Printf("listening on %s://%s\n", scheme, listener.Addr())
	failed := make(chan error, 1)
	go func() { failed <- run(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("accept connections: %w", err)
	case <-ctx.Done():
	}

	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := srv.Shutdown(grace); errors.Is(err, context.DeadlineExceeded) {
		srv.Close() // connections that stay open without a request
	}
	requests.Wait()
	toEcho.Drain(grace) // its connections end with the echo server's
	return nil
}

// trust returns the roots for the relay's way to the echo server: the server's own certificate where it
// has one, else nil for the system's.
func trust(cert string) (*x509.CertPool, error) {
	if cert == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(cert)
	if err != nil {
		return nil, fmt.Errorf("read TLS certificate: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return roots, nil
}

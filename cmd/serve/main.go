// Serve is the development server: the built package and its playground at /, and the echo server at
// /echo. It prints "listening on" and its URL on standard output once it accepts connections, and
// stops on SIGINT or SIGTERM, closing its WebSockets with 1001; a second signal ends it at once.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"connectsocket/internal/echo"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`host:port` to listen on; port 0 picks a free one")
	dir := flag.String("dir", "web/dist", "`directory` to serve at /")
	cert := flag.String("tls-cert", "", "certificate `file` (PEM), to serve https and wss")
	key := flag.String("tls-key", "", "its private key `file` (PEM)")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := serve(ctx, *addr, *dir, *cert, *key); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

// serve listens until ctx ends and returns when every request and WebSocket has ended.
func serve(ctx context.Context, addr, dir, cert, key string) error {
	if info, err := os.Stat(dir); err != nil {
		return fmt.Errorf("find what to serve: %w", err)
	} else if !info.IsDir() {
		return fmt.Errorf("find what to serve: %s is no directory", dir)
	}

	mux := http.NewServeMux()
	mux.Handle("GET /", files(os.DirFS(dir)))
	mux.Handle("GET /echo", echo.Handler())

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

	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err // names the address
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
	return nil
}

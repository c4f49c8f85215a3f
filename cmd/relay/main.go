// Command relay serves package relay: flags and environment, TLS, metrics, health and an orderly end.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"connectsocket/internal/relay"
)

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	ctx, drain := context.WithCancel(context.Background())
	go func() {
		<-signals
		drain()
		<-signals
		fmt.Fprintln(os.Stderr, "relay: ended by a second signal")
		os.Exit(1)
	}()
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "relay:", err)
		os.Exit(1)
	}
}

// version is the module's, with the commit, and Go's.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version + " " + info.GoVersion
}

// run serves until ctx ends and the connections are drained. It blocks. The help and the version go to stdout, logs to
// stderr.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	o, err := parse(args, environ, stdout)
	if err != nil {
		return err
	}
	if o.version {
		fmt.Fprintln(stdout, "relay", version())
		return nil
	}
	level := new(slog.LevelVar)
	level.Set(o.logLevel)
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: level}))
	o.Logger = log
	r, err := relay.New(o.Config)
	if err != nil {
		return err
	}
	for _, w := range o.warnings() {
		log.Warn("settings", "reason", w)
	}
	var files *certFiles
	if o.tlsCert != "" {
		files = &certFiles{cert: o.tlsCert, key: o.tlsKey, log: log}
		if err := files.load(); err != nil {
			return err
		}
	}
	if o.check {
		fmt.Fprintln(stdout, "the settings are valid")
		return nil
	}

	mux := http.NewServeMux()
	mux.Handle("/relay", r)
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		err := r.Ready()
		if ctx.Err() != nil {
			err = errors.New("draining")
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "ok\n")
	})
	server := &http.Server{
		Handler:        mux,
		ReadTimeout:    10 * time.Second, // of a request, its body included
		WriteTimeout:   10 * time.Second, // after that; a WebSocket takes its connection over, out of both
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelDebug), // what strangers do wrong
		Protocols:      new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)    // HTTP/2 has no connection to take over
	server.SetKeepAlivesEnabled(false) // one request each, so that none is held idle
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("serving the relay: %w", err)
	}
	listener = r.Guard(server, listener)
	if files != nil {
		listener = tls.NewListener(listener, &tls.Config{GetCertificate: files.certificate, NextProtos: []string{"http/1.1"}})
	}
	failed := make(chan error, 2)
	go func() { failed <- server.Serve(listener) }()
	defer server.Close()
	addrs := []any{"version", version(), "relay", listener.Addr().String()}

	if o.metrics != "" {
		metrics := &http.Server{Handler: inside(newRegistry(r), level, log), ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute, ErrorLog: server.ErrorLog}
		listener, err := net.Listen("tcp", o.metrics)
		if err != nil {
			return fmt.Errorf("serving metrics: %w", err)
		}
		go func() { failed <- metrics.Serve(listener) }()
		defer metrics.Close()
		addrs = append(addrs, "metrics", listener.Addr().String())
	}
	log.Info("serving", addrs...)

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	log.Info("draining", "delay", o.drainDelay.String(), "deadline", o.drain.String())
	time.Sleep(o.drainDelay)
	deadline, cancel := context.WithTimeout(context.Background(), o.drain)
	defer cancel()
	closed, err := r.Drain(deadline)
	if err != nil {
		log.Warn("drained", "closed", closed, "reason", err.Error())
	} else {
		log.Info("drained", "closed", closed)
	}
	return nil
}

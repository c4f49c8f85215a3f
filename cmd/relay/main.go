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
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"connectsocket/internal/relay"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.LookupEnv, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "relay:", err)
		os.Exit(1)
	}
}

// options are the command's own; the relay's are in relay.Config.
type options struct {
	relay.Config
	listen, metrics   string
	tlsCert, tlsKey   string
	drain, drainDelay time.Duration
	logLevel          slog.Level
}

// parse reads flags, and for each flag not given the variable of its name: -max-conns is RELAY_MAX_CONNS.
func parse(args []string, env func(string) (string, bool), output io.Writer) (*options, error) {
	var o options
	fs := flag.NewFlagSet("relay", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // main reports errors, once
	list := func(p *[]string, name, usage string) {
		fs.Func(name, usage, func(s string) error {
			for v := range strings.SplitSeq(s, ",") {
				*p = append(*p, strings.TrimSpace(v))
			}
			return nil
		})
	}
	fs.StringVar(&o.listen, "listen", ":8080", "`address` to serve /relay, /healthz and /readyz at")
	fs.StringVar(&o.metrics, "metrics", "localhost:8081", "`address` to serve /metrics (Prometheus) at; empty for none")
	fs.StringVar(&o.tlsCert, "tls-cert", "", "certificate chain, a PEM `file`; with -tls-key, serves wss; read again when it changes")
	fs.StringVar(&o.tlsKey, "tls-key", "", "private key, a PEM `file`")
	list(&o.Allow, "allow", "`upstreams` that pages may reach, comma-separated or repeated: host:port, host (the port of ws or wss),\n*.suffix; none by default. Only a host named in full may have a private address")
	list(&o.Origins, "origin", "`origins` of the pages to serve, comma-separated or repeated: https://app.example, https://*.app.example,\nor * for any; none by default")
	fs.Func("trusted-proxy", "`networks` of proxies whose X-Forwarded-For names the client, comma-separated or repeated: 10.0.0.0/8", func(s string) error {
		for v := range strings.SplitSeq(s, ",") {
			p, err := netip.ParsePrefix(strings.TrimSpace(v))
			if err != nil {
				return err
			}
			o.TrustedProxies = append(o.TrustedProxies, p)
		}
		return nil
	})
	fs.IntVar(&o.MaxConns, "max-conns", 10_000, "connections held at once")
	fs.IntVar(&o.MaxConnsPerAddr, "max-conns-per-addr", 100, "connections held at once by one IPv4 address or IPv6 /64")
	fs.Float64Var(&o.HandshakeRate, "handshakes", 200, "handshakes per second, with bursts of as many")
	fs.Int64Var(&o.MaxMessage, "max-message", 64<<20, "`bytes` of the largest message")
	fs.DurationVar(&o.DialTimeout, "dial-timeout", time.Minute, "the most a page may ask for as timeout of its upstream")
	fs.DurationVar(&o.WriteStall, "write-stall", time.Minute, "how long a peer may take nothing of what is sent to it")
	fs.DurationVar(&o.PingInterval, "ping", time.Minute, "silence before a peer is pinged, and again before it is given up")
	fs.DurationVar(&o.drainDelay, "drain-delay", 0, "how long to serve on after SIGTERM while /readyz fails, for balancers to notice")
	fs.DurationVar(&o.drain, "drain", 30*time.Second, "how long connections may go on after that, before they are closed with 1001")
	fs.TextVar(&o.logLevel, "log-level", slog.LevelInfo, "least `level` to log, as JSON to standard error: debug, info, warn or error")
	fs.Usage = func() {
		fmt.Fprint(output, "relay connects web pages to the WebSocket servers you allow, with the headers that browsers cannot set.\n\n"+
			"Each flag can be given as a variable instead: -max-conns is RELAY_MAX_CONNS. A flag wins over its variable.\n\n")
		fs.SetOutput(output)
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var err error
	fs.VisitAll(func(f *flag.Flag) {
		name := "RELAY_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if v, ok := env(name); ok && !given[f.Name] && err == nil {
			if e := f.Value.Set(v); e != nil {
				err = fmt.Errorf("%s=%q: %w", name, v, e)
			}
		}
	})
	switch {
	case err != nil:
		return nil, err
	case fs.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case (o.tlsCert == "") != (o.tlsKey == ""):
		return nil, errors.New("-tls-cert and -tls-key go together")
	}
	return &o, nil
}

// run serves until ctx ends and the connections are drained.
func run(ctx context.Context, args []string, env func(string) (string, bool), logs io.Writer) error {
	o, err := parse(args, env, logs)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: o.logLevel}))
	o.Logger = log
	r, err := relay.New(o.Config)
	if err != nil {
		return err
	}

	mux := http.NewServeMux()
	mux.Handle("/relay", r)
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if ctx.Err() != nil {
			http.Error(w, "draining", http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "ok\n")
	})
	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // what strangers do wrong
		Protocols:         new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true) // a WebSocket takes its connection over, which HTTP/2 cannot give
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("serving the relay: %w", err)
	}
	if o.tlsCert != "" {
		files := &certFiles{cert: o.tlsCert, key: o.tlsKey, log: log}
		if err := files.load(); err != nil {
			return err
		}
		listener = tls.NewListener(listener, &tls.Config{GetCertificate: files.certificate, NextProtos: []string{"http/1.1"}})
	}
	failed := make(chan error, 2)
	go func() { failed <- server.Serve(listener) }()
	defer server.Close()
	addrs := []any{"relay", listener.Addr().String()}

	if o.metrics != "" {
		registry := prometheus.NewRegistry()
		registry.MustRegister(r, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
		mux := http.NewServeMux()
		mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
		metrics := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ErrorLog: server.ErrorLog}
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
	if err := r.Drain(deadline); err != nil {
		log.Warn("drained", "reason", err.Error())
	} else {
		log.Info("drained")
	}
	return nil
}

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"connectsocket/internal/relay"
)

// options are the command's own; the relay's are in relay.Config.
type options struct {
	relay.Config
	listen, metrics   string
	tlsCert, tlsKey   string
	drain, drainDelay time.Duration
	logLevel          slog.Level
	check, version    bool

	unknown []string // variables that look like settings but are not
}

// parse reads flags, and for each flag not given the variable of its name in environ, which has the form of os.Environ:
// -max-conns is RELAY_MAX_CONNS. It writes the help to output.
func parse(args, environ []string, output io.Writer) (*options, error) {
	o := &options{}
	compression, forwarded, requestID, trace := true, true, true, true
	fs := flag.NewFlagSet("relay", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // main reports errors, once
	list := func(name, usage string, add func(string) error) {
		fs.Func(name, usage, func(s string) error {
			for v := range strings.SplitSeq(s, ",") {
				if v = strings.TrimSpace(v); v == "" {
					continue
				}
				if err := add(v); err != nil {
					return err
				}
			}
			return nil
		})
	}
	texts := func(p *[]string) func(string) error {
		return func(s string) error { *p = append(*p, s); return nil }
	}
	fs.StringVar(&o.listen, "listen", ":8080", "`address` to serve /relay, /healthz and /readyz at")
	fs.StringVar(&o.metrics, "metrics", "localhost:8081", "`address` to serve /metrics (Prometheus), /debug/pprof/ and /log-level at; empty for none")
	fs.StringVar(&o.tlsCert, "tls-cert", "", "certificate chain, a PEM `file`; with -tls-key, serves wss; read again when it changes")
	fs.StringVar(&o.tlsKey, "tls-key", "", "private key, a PEM `file`")
	list("allow", "`upstreams` that pages may reach, comma-separated or repeated: host:port, host (the port of ws or wss),\n*.suffix, with wss:// before it for TLS only; none by default. Only a host named in full may have a private address", texts(&o.Allow))
	fs.StringVar(&o.Upstreams, "upstreams", "", "more upstreams, each with origins, headers, TLS, a proxy and limits of its own, a JSON `file` (deploy/README.md);\nread again when it changes")
	list("origin", "`origins` of the pages to serve, comma-separated or repeated: https://app.example, https://*.app.example,\nor * for any; none by default", texts(&o.Origins))
	list("deny-header", "more request `headers` that pages may not set, comma-separated or repeated: X-Internal, X-Internal-*", texts(&o.DenyHeaders))
	list("trusted-proxy", "`networks` of proxies whose X-Forwarded-For names the client, comma-separated or repeated: 10.0.0.0/8", func(s string) error {
		p, err := netip.ParsePrefix(s)
		o.TrustedProxies = append(o.TrustedProxies, p)
		return err
	})
	fs.BoolVar(&o.ProxyProtocol, "proxy-protocol", false, "the proxies of -trusted-proxy begin each connection with a PROXY header, version 1 or 2, which names the client")
	fs.IntVar(&o.MaxConns, "max-conns", 10_000, "connections held at once; as many may wait for their upgrade")
	fs.IntVar(&o.MaxConnsPerAddr, "max-conns-per-addr", 100, "the same, of one IPv4 address or IPv6 /64")
	fs.Float64Var(&o.HandshakeRate, "handshakes", 200, "handshakes per second, with bursts of as many")
	fs.Float64Var(&o.HandshakeRatePerAddr, "handshakes-per-addr", 50, "handshakes per second of one IPv4 address or IPv6 /64, with bursts of -max-conns-per-addr")
	fs.Int64Var(&o.MaxMessage, "max-message", 64<<20, "`bytes` of the largest message")
	fs.BoolVar(&compression, "compression", true, "let pages have the connection to their upstream compressed (perMessageDeflate)")
	fs.StringVar(&o.Authorize, "authorize", "", "`URL` of your endpoint that is asked whether a page may have its upstream (deploy/README.md)")
	fs.DurationVar(&o.AuthorizeTimeout, "authorize-timeout", 5*time.Second, "how long that endpoint may take")
	fs.BoolVar(&forwarded, "forwarded", true, "tell upstreams the page's address and scheme: X-Forwarded-For, X-Forwarded-Proto")
	fs.BoolVar(&requestID, "request-id", true, "tell upstreams the connection's id, which log and page have too: X-Request-Id")
	fs.BoolVar(&trace, "trace", true, "pass on to upstreams the traceparent and tracestate that come with a page's handshake")
	fs.DurationVar(&o.DialTimeout, "dial-timeout", time.Minute, "the most a page may ask for as timeout of its upstream")
	fs.DurationVar(&o.WriteStall, "write-stall", time.Minute, "how long a peer may take nothing of what is sent to it")
	fs.DurationVar(&o.PingInterval, "ping", 25*time.Second, "silence before a peer is pinged, and again before it is given up; proxies often cut after 60s")
	fs.DurationVar(&o.drainDelay, "drain-delay", 0, "how long to serve on after SIGTERM while /readyz fails, for load balancers to notice")
	fs.DurationVar(&o.drain, "drain", 6*time.Second, "the time over which connections are closed with 1001 after that, one after another; the last takes 2s more at most")
	fs.TextVar(&o.logLevel, "log-level", slog.LevelInfo, "least `level` to log, as JSON to standard error: debug, info, warn or error")
	fs.BoolVar(&o.check, "check", false, "check the settings and the files they name, and exit")
	fs.BoolVar(&o.version, "version", false, "print the version, and exit")
	fs.Usage = func() {
		fmt.Fprint(output, "relay connects web pages to the WebSocket servers you allow, with the headers that browsers cannot set.\n\n"+
			"Each flag can be given as a variable instead: -max-conns is RELAY_MAX_CONNS. A flag wins over its variable.\n"+
			"A first SIGTERM or SIGINT drains, a second one ends it at once.\n\n")
		fs.SetOutput(output)
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		setting, ok := strings.CutPrefix(name, "RELAY_")
		if !ok {
			continue
		}
		f := fs.Lookup(strings.ToLower(strings.ReplaceAll(setting, "_", "-")))
		switch {
		case f == nil || setting != strings.ToUpper(setting):
			// Kubernetes sets these in every container if a Service is named relay.
			if !strings.HasPrefix(name, "RELAY_SERVICE_") && !strings.HasPrefix(name, "RELAY_PORT") {
				o.unknown = append(o.unknown, name)
			}
		case !given[f.Name]:
			if err := f.Value.Set(value); err != nil {
				return nil, fmt.Errorf("%s=%q: %w", name, value, err)
			}
		}
	}
	o.NoCompression, o.NoForwarded, o.NoRequestID, o.NoTrace = !compression, !forwarded, !requestID, !trace
	return o, o.validate()
}

// validate refuses values that are no limits. The zero value of relay.Config means a default there, but not here, where the
// defaults are known.
func (o *options) validate() error {
	const longest = 24 * time.Hour
	for _, limit := range []struct {
		name string
		ok   bool
	}{
		{"-max-conns", o.MaxConns > 0}, {"-max-conns-per-addr", o.MaxConnsPerAddr > 0}, {"-handshakes", o.HandshakeRate > 0},
		{"-handshakes-per-addr", o.HandshakeRatePerAddr > 0}, {"-max-message", o.MaxMessage > 0},
	} {
		if !limit.ok {
			return fmt.Errorf("%s is not above zero", limit.name)
		}
	}
	for _, limit := range []struct {
		name  string
		d     time.Duration
		least time.Duration
	}{
		{"-authorize-timeout", o.AuthorizeTimeout, 100 * time.Millisecond}, {"-dial-timeout", o.DialTimeout, 100 * time.Millisecond}, {"-write-stall", o.WriteStall, time.Second}, {"-ping", o.PingInterval, time.Second},
		{"-drain-delay", o.drainDelay, 0}, {"-drain", o.drain, 0},
	} {
		if limit.d < limit.least || limit.d > longest {
			return fmt.Errorf("%s %v is not between %v and %v", limit.name, limit.d, limit.least, longest)
		}
	}
	if (o.tlsCert == "") != (o.tlsKey == "") {
		return errors.New("-tls-cert and -tls-key go together")
	}
	if o.listen == "" {
		return errors.New("-listen is empty")
	}
	listen, err := net.ResolveTCPAddr("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("-listen: %w", err)
	}
	if o.metrics == "" {
		return nil
	}
	metrics, err := net.ResolveTCPAddr("tcp", o.metrics)
	if err != nil {
		return fmt.Errorf("-metrics: %w", err)
	}
	anyIP := len(listen.IP) == 0 || len(metrics.IP) == 0 || listen.IP.IsUnspecified() || metrics.IP.IsUnspecified()
	if listen.Port != 0 && listen.Port == metrics.Port && (anyIP || listen.IP.Equal(metrics.IP)) {
		return fmt.Errorf("-listen %s and -metrics %s are the same address; give -metrics another, or an empty one for none", o.listen, o.metrics)
	}
	return nil
}

// warnings says what can be started with, and is hardly meant.
func (o *options) warnings() []string {
	var w []string
	for _, name := range o.unknown {
		w = append(w, "no such setting: "+name)
	}
	if len(o.Allow) == 0 && o.Upstreams == "" {
		w = append(w, "no upstream is allowed (-allow, -upstreams), so no page can be served")
	}
	if len(o.Origins) == 0 && o.Upstreams == "" {
		w = append(w, "no origin is allowed (-origin), so no page can be served")
	}
	for _, p := range o.TrustedProxies {
		if p.Bits() == 0 {
			w = append(w, fmt.Sprintf("-trusted-proxy %v lets every client choose its address", p))
		}
	}
	if o.ProxyProtocol && len(o.TrustedProxies) == 0 {
		w = append(w, "-proxy-protocol does nothing without -trusted-proxy")
	}
	if o.MaxConnsPerAddr > o.MaxConns {
		w = append(w, "-max-conns-per-addr is above -max-conns")
	}
	if files := maxFiles(); files > 0 && files < uint64(o.MaxConns)*2+100 {
		w = append(w, fmt.Sprintf("%d open files are not enough for -max-conns %d, which takes two each", files, o.MaxConns))
	}
	return w
}

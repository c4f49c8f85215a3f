package relay

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxUpstreams is the largest file of upstreams, or that it names, in bytes.
const maxUpstreams = 16 << 20

// rule is an allowed upstream, or a family of them, and how it is connected.
type rule struct {
	pattern
	origins        origins // of the pages that may reach it; nil: those of the relay
	header         http.Header
	cookies        bool        // the page's cookies are passed on
	tls            *tls.Config // nil: the relay's
	proxy          *url.URL
	idle, lifetime time.Duration // 0: no limit
	maxConns       int           // 0: no limit
	handshakes     float64       // a second; 0: no limit
	usage          *usage
}

// usage is what a rule's limits count; it outlives the rule when the file is read again. Relay.mu guards held.
type usage struct {
	held int
	rate *rate.Limiter
}

// upstreamsFile reads a file of upstreams, and sees when it, or a file that it names, changes.
type upstreamsFile struct {
	name  string
	files []string // read: itself and those that it names
	state string   // what stat said of them, each before it was read
}

// note has name watched from now on.
func (u *upstreamsFile) note(name string) {
	u.files = append(u.files, name)
	u.state += stat(name)
}

func (u *upstreamsFile) changed() bool {
	now := ""
	for _, name := range u.files {
		now += stat(name)
	}
	return now != u.state
}

func stat(name string) string {
	fi, err := os.Stat(name)
	if err != nil {
		return "none\n"
	}
	return fmt.Sprintf("%d %d\n", fi.ModTime().UnixNano(), fi.Size())
}

// read returns the rules of the file, in its order. An error names the line.
func (u *upstreamsFile) read() ([]*rule, error) {
	u.files, u.state = nil, ""
	u.note(u.name)
	b, err := readFile(u.name)
	if err != nil {
		return nil, fmt.Errorf("reading the upstreams: %w", err)
	}
	line := func(offset int64) int { return 1 + bytes.Count(b[:offset], []byte("\n")) }
	var form json.RawMessage
	var syntax *json.SyntaxError
	if err := json.Unmarshal(b, &form); errors.As(err, &syntax) {
		return nil, fmt.Errorf("%s, line %d: %w", u.name, line(syntax.Offset), err)
	}
	var rules []*rule
	seen := map[pattern]bool{}
	dec := json.NewDecoder(bytes.NewReader(b))
	if err := decodeObject(dec, func(key string) error {
		p, err := parsePattern(key)
		if err != nil {
			return err
		}
		if seen[p] {
			return errors.New("another entry is for the same upstream")
		}
		seen[p] = true
		r, err := u.entry(dec, p)
		rules = append(rules, r)
		return err
	}); err != nil {
		return nil, fmt.Errorf("%s, line %d: %w", u.name, line(dec.InputOffset()), err)
	}
	return rules, nil
}

// entry reads what the file says of one upstream.
func (u *upstreamsFile) entry(dec *json.Decoder, p pattern) (*rule, error) {
	r := &rule{pattern: p}
	var ca, cert, key string
	duration := func(d *time.Duration) error {
		var s string
		if err := dec.Decode(&s); err != nil {
			return err
		}
		var err error
		if *d, err = time.ParseDuration(s); err == nil && *d < time.Second {
			err = errors.New("less than a second")
		}
		return err
	}
	file := func(name *string) error {
		if err := dec.Decode(name); err != nil {
			return err
		}
		if *name == "" {
			return errors.New("no file")
		}
		if !filepath.IsAbs(*name) {
			*name = filepath.Join(filepath.Dir(u.name), *name)
		}
		u.note(*name)
		return nil
	}
	err := decodeObject(dec, func(name string) error {
		switch name {
		case "origins":
			var list []string
			if err := dec.Decode(&list); err != nil {
				return err
			}
			var err error
			r.origins, err = parseOrigins(list)
			return err
		case "header":
			r.header = http.Header{}
			return decodeObject(dec, func(name string) error {
				f := field{name: name}
				if err := dec.Decode(&f.value); err != nil {
					return err
				}
				var err error
				if f.value, err = expand(f.value); err != nil {
					return err
				}
				if reason := checkField(f, connectionFields); reason != "" {
					return errors.New(reason)
				}
				r.header.Add(name, f.value)
				return nil
			})
		case "cookies":
			return dec.Decode(&r.cookies)
		case "ca":
			return file(&ca)
		case "cert":
			return file(&cert)
		case "key":
			return file(&key)
		case "proxy":
			var s string
			if err := dec.Decode(&s); err != nil {
				return err
			}
			var err error
			r.proxy, err = parseProxy(s, p)
			return err
		case "maxConns":
			if err := dec.Decode(&r.maxConns); err != nil || r.maxConns > 0 {
				return err
			}
			return errors.New("not above zero")
		case "handshakes":
			if err := dec.Decode(&r.handshakes); err != nil || r.handshakes > 0 && r.handshakes <= maxRate {
				return err
			}
			return errors.New("not above zero, or too large")
		case "idle":
			return duration(&r.idle)
		case "lifetime":
			return duration(&r.lifetime)
		}
		return errors.New("unknown")
	})
	if err != nil {
		return nil, err
	}
	if (cert == "") != (key == "") {
		return nil, errors.New("cert and key go together")
	}
	if ca != "" || cert != "" {
		r.tls = &tls.Config{}
	}
	if ca != "" {
		pem, err := readFile(ca)
		if err != nil {
			return nil, fmt.Errorf("reading ca: %w", err)
		}
		r.tls.RootCAs = x509.NewCertPool()
		if !r.tls.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("ca holds no certificate in PEM")
		}
	}
	if cert != "" {
		certPEM, err := readFile(cert)
		if err != nil {
			return nil, fmt.Errorf("reading cert: %w", err)
		}
		keyPEM, err := readFile(key)
		if err != nil {
			return nil, fmt.Errorf("reading key: %w", err)
		}
		pair, err := tls.X509KeyPair(certPEM, keyPEM)
		if err != nil {
			return nil, fmt.Errorf("loading cert and key: %w", err)
		}
		r.tls.Certificates = []tls.Certificate{pair}
	}
	return r, nil
}

// readFile reads a regular file of at most maxUpstreams bytes: others may have no end, or none that comes.
func readFile(name string) ([]byte, error) {
	if fi, err := os.Stat(name); err == nil && !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxUpstreams+1))
	if err == nil && len(b) > maxUpstreams {
		err = fmt.Errorf("%s exceeds %d MiB", name, maxUpstreams>>20)
	}
	return b, err
}

var variable = regexp.MustCompile(`\$\{([^}]*)\}`)

// expand replaces each ${NAME} in s by the environment's value, which must be set.
func expand(s string) (string, error) {
	var missing error
	s = variable.ReplaceAllStringFunc(s, func(v string) string {
		name := v[2 : len(v)-1]
		value, ok := os.LookupEnv(name)
		if !ok && missing == nil {
			missing = fmt.Errorf("the variable %.40q is not set", name)
		}
		return value
	})
	return s, missing
}

// parseProxy reads the URL of a forward proxy for p. Through an HTTP proxy only wss goes: there it is a tunnel (RFC 9110
// section 9.3.6), while a ws handshake would be one that the proxy takes part in.
func parseProxy(s string, p pattern) (*url.URL, error) {
	s, err := expand(s)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return nil, errors.New("not a URL") // err quotes it, with its password
	}
	switch u.Scheme {
	case "socks5":
	case "http", "https":
		if !p.secure {
			return nil, errors.New("an HTTP proxy is for wss only: write wss:// before the upstream, or use a socks5 proxy")
		}
	default:
		return nil, errors.New("the scheme is none of http, https and socks5")
	}
	return u, nil
}

// upstreamsWatch has the rules follow their file.
type upstreamsWatch struct {
	mu      sync.Mutex
	file    upstreamsFile
	checked time.Time
}

// loadUpstreams reads the file of upstreams and makes the policy of it and of the lists in the configuration. What it finds
// wrong leaves the policy as it was.
func (r *Relay) loadUpstreams() error {
	w := &r.upstreams
	var rules []*rule
	if w.file.name != "" {
		var err error
		if rules, err = w.file.read(); err != nil {
			return err
		}
	}
	p, err := newPolicy(r.cfg.Allow, r.cfg.Origins, r.cfg.DenyHeaders, rules...)
	if err != nil {
		return err
	}
	old := map[pattern]*usage{}
	if before := r.policy.Load(); before != nil {
		for _, rules := range before.rules {
			for _, rule := range rules {
				old[rule.pattern] = rule.usage
			}
		}
	}
	for _, rules := range p.rules {
		for _, rule := range rules {
			limit, burst := rate.Inf, 0
			if rule.handshakes > 0 {
				limit, burst = rate.Limit(rule.handshakes), max(1, int(rule.handshakes))
			}
			if rule.usage = old[rule.pattern]; rule.usage == nil {
				rule.usage = &usage{rate: rate.NewLimiter(limit, burst)}
			} else {
				rule.usage.rate.SetLimit(limit)
				rule.usage.rate.SetBurst(burst)
			}
		}
	}
	r.policy.Store(&p)
	return nil
}

// followUpstreams reads the file of upstreams again if it has changed. It looks once a second at most, and does not wait for
// another that is looking.
func (r *Relay) followUpstreams() {
	w := &r.upstreams
	if w.file.name == "" || !w.mu.TryLock() {
		return
	}
	defer w.mu.Unlock()
	now := time.Now()
	if now.Sub(w.checked) < time.Second {
		return
	}
	w.checked = now
	if !w.file.changed() {
		return
	}
	if err := r.loadUpstreams(); err != nil {
		r.metrics.upstreamsLoaded.Set(0)
		r.cfg.Logger.Error("keeping the old upstreams", "reason", err.Error())
		return
	}
	r.metrics.upstreamsLoaded.Set(1)
	r.cfg.Logger.Info("upstreams reloaded")
}

// enter counts a connection to an upstream in, unless the upstream's limits refuse it.
func (r *Relay) enter(rule *rule) *failure {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rule.maxConns > 0 && rule.usage.held >= rule.maxConns {
		return &failure{outcome: "upstream_full", reason: "too many connections to this upstream"}
	}
	if !rule.usage.rate.Allow() {
		return &failure{outcome: "upstream_rate", reason: "too many handshakes with this upstream, try again later"}
	}
	rule.usage.held++
	return nil
}

// exit undoes enter.
func (r *Relay) exit(rule *rule) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rule.usage.held--
}

// override puts fields into h that win over those of the page, also where the page writes _ for -.
func override(h, own http.Header) {
	names := map[string]bool{}
	for name := range own {
		names[gatewayName(name)] = true
	}
	maps.DeleteFunc(h, func(name string, _ []string) bool { return names[gatewayName(name)] })
	maps.Copy(h, own)
}

// gatewayName is a header's name as gateways of the CGI family read it, which take _ for -.
func gatewayName(name string) string {
	return textproto.CanonicalMIMEHeaderKey(strings.ReplaceAll(name, "_", "-"))
}

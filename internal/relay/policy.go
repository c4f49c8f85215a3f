package relay

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// policy is who may reach what. It does not change: a new one takes its place.
type policy struct {
	rules   map[string][]*rule // by the pattern's host, in the order of their precedence
	origins origins            // of pages that may reach what has no origins of its own
	served  origins            // of pages that may reach anything
	denied  []string           // headers that pages may not set, canonical; a trailing * stands for any ending
}

// pattern is one allowed upstream.
type pattern struct {
	host   string // as asciiHost gives it; with suffix, the ending from its dot on
	port   string // "": the scheme's own
	suffix bool
	secure bool // wss only
}

// newPolicy makes a policy of the rules and, after them, what allow lists.
func newPolicy(allow, listed, denied []string, rules ...*rule) (policy, error) {
	p := policy{rules: map[string][]*rule{}, served: origins{}}
	for _, s := range allow {
		a, err := parsePattern(s)
		if err != nil {
			return policy{}, fmt.Errorf("allowed upstream %q: %w", s, err)
		}
		rules = append(rules, &rule{pattern: a})
	}
	var err error
	if p.origins, err = parseOrigins(listed); err != nil {
		return policy{}, fmt.Errorf("allowed %w", err)
	}
	maps.Copy(p.served, p.origins)
	for _, r := range rules {
		p.rules[r.host] = append(p.rules[r.host], r)
		maps.Copy(p.served, r.origins)
	}
	p.denied = slices.Concat(connectionFields, proxyFields)
	for _, s := range denied {
		if name := strings.TrimSuffix(s, "*"); !token(name) || strings.Contains(name, "*") {
			return policy{}, fmt.Errorf("denied header %q: neither a header's name nor its beginning and *", s)
		}
		p.denied = append(p.denied, textproto.CanonicalMIMEHeaderKey(s))
	}
	return p, nil
}

// parsePattern reads host, host:port, *.suffix or *.suffix:port, after wss:// where that must be the scheme.
func parsePattern(s string) (pattern, error) {
	s, secure := strings.CutPrefix(s, "wss://")
	host, suffix := strings.CutPrefix(s, "*.")
	host, port, err := splitPort(host)
	if err != nil {
		return pattern{}, err
	}
	if host, err = asciiHost(host); err != nil {
		return pattern{}, fmt.Errorf("neither a host nor *.suffix, with or without a port: %w", err)
	}
	if suffix {
		if strings.Contains(host, ":") {
			return pattern{}, errors.New("an address has no suffix")
		}
		host = "." + host
	}
	return pattern{host: host, port: port, suffix: suffix, secure: secure}, nil
}

// splitPort splits host:port, where the port may be missing, and takes the brackets off an IPv6 address.
func splitPort(s string) (host, port string, err error) {
	if inner, ok := strings.CutSuffix(s, "]"); ok && strings.HasPrefix(inner, "[") && strings.Contains(inner, ":") {
		return inner[1:], "", nil
	}
	if !strings.Contains(s, ":") {
		return s, "", nil
	}
	host, port, err = net.SplitHostPort(s)
	if err != nil {
		return "", "", errors.New("not host:port")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", "", errors.New("not a port")
	}
	return host, strconv.FormatUint(n, 10), nil
}

// parseOrigin reads an allowed origin into what browsers send (RFC 6454 section 6.2): lower case, the host in ASCII, no
// default port. The host may begin with "*.".
func parseOrigin(s string) (string, error) {
	if s == "*" || s == "null" {
		return s, nil
	}
	scheme, authority, ok := strings.Cut(s, "://")
	if u, err := url.Parse(scheme + "://host"); !ok || err != nil || u.Scheme == "" || strings.ContainsAny(authority, "/?#@ ") {
		return "", errors.New("not scheme://host[:port]")
	}
	scheme = strings.ToLower(scheme)
	host, wild := strings.CutPrefix(authority, "*.")
	host, port, err := splitPort(host)
	if err != nil {
		return "", err
	}
	if strings.HasSuffix(host, ".") {
		return "", errors.New("the host ends with a dot")
	}
	if host, err = asciiHost(host); err != nil {
		return "", fmt.Errorf("neither a host nor *.suffix: %w", err)
	}
	if (scheme == "http" || scheme == "https") && port == schemePort(scheme) {
		port = ""
	}
	host = joinHost(host, port)
	if wild {
		host = "*." + host
	}
	return scheme + "://" + host, nil
}

// origins are allowed origins, each as parseOrigin gives it.
type origins map[string]bool

func parseOrigins(list []string) (origins, error) {
	all := origins{}
	for _, s := range list {
		o, err := parseOrigin(s)
		if err != nil {
			return nil, fmt.Errorf("origin %q: %w", s, err)
		}
		all[o] = true
	}
	return all, nil
}

// has reports whether pages of this origin (RFC 6454 section 6.2) are among them.
func (o origins) has(origin string) bool {
	origin = strings.ToLower(origin)
	if o["*"] || o[origin] {
		return true
	}
	scheme, host, _ := strings.Cut(origin, "://")
	for i, c := range host {
		if c == '.' && i > 0 && o[scheme+"://*"+host[i:]] {
			return true
		}
	}
	return false
}

// upstream returns the rule for u, which parseURL has made, or nil if it may not be dialled: one for its full name rather than
// for a suffix, so that its addresses are the operator's choice, and one for a longer suffix rather than for a shorter.
func (p *policy) upstream(u *url.URL) *rule {
	host, port := u.Hostname(), port(u)
	fits := func(r *rule) bool {
		return (r.port == port || r.port == "" && port == schemePort(u.Scheme)) && (!r.secure || u.Scheme == "wss")
	}
	for _, r := range p.rules[host] {
		if fits(r) {
			return r
		}
	}
	for i, c := range host {
		if c != '.' {
			continue
		}
		for _, r := range p.rules[host[i:]] {
			if fits(r) {
				return r
			}
		}
	}
	return nil
}

// offer judges all of a page's offer that can be judged before a name is resolved, parses its URL and finds its rule.
func (p *policy) offer(o *offer, origin string) *failure {
	u, err := parseURL(o.url)
	if err != nil {
		return &failure{outcome: "bad_offer", reason: "invalid url: " + err.Error(), text: fmt.Sprintf("invalid url %.200q", o.url)}
	}
	o.parsed = u
	for i, protocol := range o.protocols {
		if !token(protocol) || slices.Contains(o.protocols[:i], protocol) {
			return &failure{outcome: "bad_offer", reason: "invalid or repeated protocol", text: fmt.Sprintf("invalid or repeated protocol %.40q", protocol)}
		}
	}
	for _, f := range o.header {
		if reason := checkField(f, p.denied); reason != "" {
			return &failure{outcome: "policy", reason: "a header that is invalid or may not be set", text: reason}
		}
	}
	o.rule = p.upstream(u)
	if o.rule == nil {
		return &failure{outcome: "policy", reason: "upstream not allowed", text: fmt.Sprintf("upstream %q is not allowed by the relay", o.target())}
	}
	allowed := o.rule.origins
	if allowed == nil {
		allowed = p.origins
	}
	if !allowed.has(origin) {
		return &failure{outcome: "policy", reason: "origin not allowed for this upstream", text: fmt.Sprintf("this page's origin may not use upstream %q", o.target())}
	}
	return nil
}

// The request headers that pages may not set; a trailing * stands for any ending.
var (
	// connectionFields are the connection's own.
	connectionFields = []string{
		"Host", "Connection", "Upgrade", "Http2-Settings", "Keep-Alive", "Content-Length", "Transfer-Encoding", "Te", "Trailer", "Expect", "Sec-*",
	}
	// proxyFields are the browser's and the relay's, or those that upstreams believe because a proxy sets them.
	proxyFields = []string{
		"Origin",
		"Via", "Forwarded", "Proxy", "Proxy-*", "Wl-Proxy-*", "Cdn-Loop", "Client-Ip", "True-Client-Ip", "Cf-*", "Fastly-*", "Fly-*",
		"Ali-Cdn-*", "X-Forwarded", "X-Forwarded-*", "X-Real-Ip", "X-Client-*", "X-Cluster-Client-Ip", "X-Remote-*", "X-Original-*",
		"X-Rewrite-Url", "X-Envoy-*", "X-Azure-*", "X-Appengine-*", "X-Ssl-*",
	}
)

// checkField says why a header may not be set: denied lists it, or it would not be one header on the wire (RFC 9110
// section 5). It returns "" if it may.
func checkField(f field, denied []string) string {
	if !token(f.name) {
		return fmt.Sprintf("invalid header name %.40q", f.name)
	}
	if strings.ContainsFunc(f.value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return fmt.Sprintf("invalid value of header %.40q", f.name)
	}
	name := gatewayName(f.name)
	if slices.ContainsFunc(denied, func(pattern string) bool {
		prefix, any := strings.CutSuffix(pattern, "*")
		return name == pattern || any && strings.HasPrefix(name, prefix)
	}) {
		return fmt.Sprintf("header %.40q may not be set", f.name)
	}
	return ""
}

// requestHeader is the page's part of what goes upstream: its own Origin and User-Agent, and its offer's fields but Referer, which
// the API does without.
func requestHeader(page http.Header, fields []field) http.Header {
	h := http.Header{}
	if v := page.Get("Origin"); v != "" {
		h.Set("Origin", v)
	}
	for _, f := range fields {
		if !strings.EqualFold(f.name, "Referer") {
			h.Add(f.name, f.value)
		}
	}
	if _, set := h["User-Agent"]; !set {
		h.Set("User-Agent", page.Get("User-Agent"))
	}
	return h
}

// token reports whether s is a token of RFC 9110 section 5.6.2.
func token(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r < 0x7f && strings.ContainsRune("!#$%&'*+-.^_`|~", r))
	})
}

// special are the address blocks that are not, or may lead to what is not, the public Internet (RFC 6890 and the
// registries it made), with the one public address by which a cloud serves its machines' secrets.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"224.0.0.0/3", "168.63.129.16/32",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

var (
	globalUnicast = netip.MustParsePrefix("2000::/3")
	nat64         = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(s ...string) []netip.Prefix {
	p := make([]netip.Prefix, len(s))
	for i := range s {
		p[i] = netip.MustParsePrefix(s[i])
	}
	return p
}

// public reports whether addr belongs to the public Internet, whichever way it is written.
func public(addr netip.Addr) bool {
	addr = addr.Unmap()
	if nat64.Contains(addr) {
		b := addr.As16()
		addr = netip.AddrFrom4([4]byte(b[12:]))
	}
	if !addr.IsValid() || addr.Zone() != "" || addr.Is6() && !globalUnicast.Contains(addr) {
		return false
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// addressError says that a name led to an address the relay does not dial.
type addressError struct{ addr string }

func (e *addressError) Error() string { return "address " + e.addr + " is not public" }

// checkAddress refuses an address as the dialer is about to connect to it: "ip:port".
func checkAddress(address string) error {
	if a, err := netip.ParseAddrPort(address); err != nil || !public(a.Addr()) {
		return &addressError{address}
	}
	return nil
}

package relay

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// policy is who may reach what.
type policy struct {
	allow   []pattern
	origins []string
	denied  []string // headers that pages may not set, canonical; a trailing * stands for any ending
}

// pattern is one allowed upstream.
type pattern struct {
	host   string // as asciiHost gives it; with suffix, the ending from its dot on
	port   string // "": the scheme's own
	suffix bool
}

func newPolicy(allow, origins, denied []string) (policy, error) {
	var p policy
	for _, s := range allow {
		a, err := parsePattern(s)
		if err != nil {
			return policy{}, fmt.Errorf("allowed upstream %q: %w", s, err)
		}
		p.allow = append(p.allow, a)
	}
	for _, s := range origins {
		o, err := parseOrigin(s)
		if err != nil {
			return policy{}, fmt.Errorf("allowed origin %q: %w", s, err)
		}
		p.origins = append(p.origins, o)
	}
	p.denied = forbiddenFields
	for _, s := range denied {
		if name := strings.TrimSuffix(s, "*"); !token(name) || strings.Contains(name, "*") {
			return policy{}, fmt.Errorf("denied header %q: neither a header's name nor its beginning and *", s)
		}
		p.denied = append(p.denied[:len(p.denied):len(p.denied)], textproto.CanonicalMIMEHeaderKey(s))
	}
	return p, nil
}

// parsePattern reads host, host:port, *.suffix or *.suffix:port.
func parsePattern(s string) (pattern, error) {
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
	return pattern{host: host, port: port, suffix: suffix}, nil
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

// origin reports whether pages of this origin (RFC 6454 section 6.2) are served.
func (p *policy) origin(origin string) bool {
	origin = strings.ToLower(origin)
	return slices.ContainsFunc(p.origins, func(pattern string) bool {
		scheme, suffix, wild := strings.Cut(pattern, "*")
		if !wild || pattern == "*" {
			return wild || pattern == origin
		}
		return strings.HasPrefix(origin, scheme) && strings.HasSuffix(origin, suffix) && len(origin) > len(pattern)-1
	})
}

// upstream reports whether u, which parseURL has made, may be dialled, and whether its host is listed by its full name, so
// that its addresses are the operator's choice.
func (p *policy) upstream(u *url.URL) (ok, byName bool) {
	host, port := u.Hostname(), port(u)
	for _, a := range p.allow {
		if a.port != port && (a.port != "" || port != schemePort(u.Scheme)) {
			continue
		}
		if !a.suffix && a.host == host {
			return true, true
		}
		ok = ok || a.suffix && strings.HasSuffix(host, a.host)
	}
	return ok, false
}

// offer judges all of an offer that can be judged before a name is resolved, and parses its URL.
func (p *policy) offer(o *offer) *failure {
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
		if reason := p.checkField(f); reason != "" {
			return &failure{outcome: "policy", reason: "a header that is invalid or may not be set", text: reason}
		}
	}
	if ok, _ := p.upstream(u); !ok {
		return &failure{outcome: "policy", reason: "upstream not allowed", text: fmt.Sprintf("upstream %q is not allowed by the relay", o.target())}
	}
	return nil
}

// forbiddenFields are the request headers that are the connection's or the relay's to set, or that upstreams believe
// because a proxy sets them; a trailing * stands for any ending.
var forbiddenFields = []string{
	"Host", "Connection", "Upgrade", "Http2-Settings", "Keep-Alive", "Content-Length", "Transfer-Encoding", "Te", "Trailer",
	"Expect", "Origin", "Sec-*",
	"Via", "Forwarded", "Proxy", "Proxy-*", "Wl-Proxy-*", "Cdn-Loop", "Client-Ip", "True-Client-Ip", "Cf-*", "Fastly-*", "Fly-*",
	"Ali-Cdn-*", "X-Forwarded", "X-Forwarded-*", "X-Real-Ip", "X-Client-*", "X-Cluster-Client-Ip", "X-Remote-*", "X-Original-*",
	"X-Rewrite-Url", "X-Envoy-*", "X-Azure-*", "X-Appengine-*", "X-Ssl-*",
}

// checkField says why a page may not set a header: it is forbidden, or would not be one header on the wire (RFC 9110
// section 5). It returns "" if the page may.
func (p *policy) checkField(f field) string {
	if !token(f.name) {
		return fmt.Sprintf("invalid header name %.40q", f.name)
	}
	if strings.ContainsFunc(f.value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return fmt.Sprintf("invalid value of header %.40q", f.name)
	}
	// Gateways of the CGI family read _ as -.
	name := textproto.CanonicalMIMEHeaderKey(strings.ReplaceAll(f.name, "_", "-"))
	if slices.ContainsFunc(p.denied, func(pattern string) bool {
		prefix, any := strings.CutSuffix(pattern, "*")
		return name == pattern || any && strings.HasPrefix(name, prefix)
	}) {
		return fmt.Sprintf("header %.40q may not be set", f.name)
	}
	return ""
}

// requestHeader is what goes upstream: the page's own Origin and User-Agent, and its offer's fields but Referer, which
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

package relay

import (
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
}

// pattern is one allowed upstream.
type pattern struct {
	host   string // lower case; with suffix, the ending from its dot on
	port   string // "": the scheme's own
	suffix bool
}

func newPolicy(allow, origins []string) (policy, error) {
	var p policy
	for _, s := range allow {
		host, port := strings.ToLower(s), ""
		if strings.Contains(s, ":") {
			var err error
			host, port, err = net.SplitHostPort(host)
			if _, notPort := strconv.ParseUint(port, 10, 16); err != nil || notPort != nil {
				return policy{}, fmt.Errorf("allowed upstream %q: not host:port", s)
			}
		}
		host, suffix := strings.CutPrefix(host, "*")
		if suffix && (len(host) < 2 || host[0] != '.') || host == "" || strings.ContainsAny(host, "*/") {
			return policy{}, fmt.Errorf("allowed upstream %q: neither a host nor *.suffix", s)
		}
		p.allow = append(p.allow, pattern{host: host, port: port, suffix: suffix})
	}
	for _, s := range origins {
		u, err := url.Parse(s)
		if s != "*" && s != "null" && (err != nil || u.Scheme == "" || u.Host == "" || s != u.Scheme+"://"+u.Host) {
			return policy{}, fmt.Errorf("allowed origin %q: not scheme://host[:port]", s)
		}
		p.origins = append(p.origins, strings.ToLower(s))
	}
	return p, nil
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

// upstream reports whether u may be dialled, and whether its host is listed by its very name, so that its addresses are
// the operator's business.
func (p *policy) upstream(u *url.URL) (ok, byName bool) {
	host, port := strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), port(u)
	for _, a := range p.allow {
		if a.port != port && (a.port != "" || port != schemePort(u)) {
			continue
		}
		if !a.suffix && a.host == host {
			return true, true
		}
		ok = ok || a.suffix && strings.HasSuffix(host, a.host)
	}
	return ok, false
}

func schemePort(u *url.URL) string {
	if u.Scheme == "wss" {
		return "443"
	}
	return "80"
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return schemePort(u)
}

// offer judges all of an offer that can be judged before a name is resolved, and parses its URL.
func (p *policy) offer(o *offer) *failure {
	u, err := url.Parse(o.url)
	if err != nil || u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "" {
		return &failure{outcome: "bad_offer", text: fmt.Sprintf("invalid url %.200q", o.url)}
	}
	for i, protocol := range o.protocols {
		if !token(protocol) || slices.Contains(o.protocols[:i], protocol) {
			return &failure{outcome: "bad_offer", text: fmt.Sprintf("invalid or repeated protocol %.40q", protocol)}
		}
	}
	for _, f := range o.header {
		if err := checkField(f); err != nil {
			return &failure{outcome: "policy", text: err.Error()}
		}
	}
	if ok, _ := p.upstream(u); !ok {
		return &failure{outcome: "policy", text: fmt.Sprintf("upstream %q is not allowed by the relay", o.target())}
	}
	o.parsed = u
	return nil
}

// forbiddenFields are the request headers that are the connection's or the relay's to set, or that upstreams take for a
// proxy's word; a trailing * stands for any ending.
var forbiddenFields = []string{
	"Host", "Connection", "Upgrade", "Keep-Alive", "Content-Length", "Transfer-Encoding", "Te", "Trailer", "Expect",
	"Origin", "Via", "Forwarded", "X-Real-Ip", "X-Forwarded-*", "Proxy-*", "Sec-*",
}

// checkField refuses a header that a page may not set, or that would not be one header on the wire (RFC 9110 section 5).
func checkField(f field) error {
	if !token(f.name) {
		return fmt.Errorf("invalid header name %.40q", f.name)
	}
	if strings.ContainsFunc(f.value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return fmt.Errorf("invalid value of header %.40q", f.name)
	}
	// Gateways of the CGI family take _ for -.
	name := textproto.CanonicalMIMEHeaderKey(strings.ReplaceAll(f.name, "_", "-"))
	if slices.ContainsFunc(forbiddenFields, func(pattern string) bool {
		prefix, any := strings.CutSuffix(pattern, "*")
		return name == pattern || any && strings.HasPrefix(name, prefix)
	}) {
		return fmt.Errorf("header %.40q may not be set", f.name)
	}
	return nil
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

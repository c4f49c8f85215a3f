package relay

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// names turns domain names into ASCII as the URL Standard does ("domain to ASCII"): UTS 46, non-transitional. Underscores
// are allowed, because container networks use them.
var names = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(), idna.CheckHyphens(false),
	idna.VerifyDNSLength(true), idna.StrictDomainName(false))

// asciiHost returns the one form of a host that policy, dial and log use: an IPv6 address (without brackets or zone) in its
// shortest form, or a lower-case ASCII name without a trailing dot.
func asciiHost(host string) (string, error) {
	if strings.Contains(host, ":") {
		addr, err := netip.ParseAddr(host)
		if err != nil || addr.Zone() != "" {
			return "", errors.New("not an IPv6 address")
		}
		return addr.String(), nil
	}
	ascii, err := names.ToASCII(host)
	if err != nil {
		return "", errors.New("not a host name")
	}
	ascii = strings.TrimSuffix(ascii, ".")
	if ascii == "" || strings.ContainsFunc(ascii, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
	}) {
		return "", errors.New("not a host name")
	}
	return ascii, nil
}

// parseURL reads the URL of an upstream. What it returns has its host in ASCII, no default port and no fragment, and makes
// a valid request target (RFC 9112 section 3.2.1): spaces and the like are escaped as the URL Standard escapes them.
func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(escapeURL(s))
	if err != nil {
		return nil, errors.New("not a URL") // err quotes it
	}
	if u.Scheme != "ws" && u.Scheme != "wss" {
		return nil, errors.New("the scheme is neither ws nor wss")
	}
	host, err := asciiHost(u.Hostname())
	if err != nil {
		return nil, err
	}
	if bracketed := strings.HasPrefix(u.Host, "["); bracketed != strings.Contains(host, ":") {
		return nil, errors.New("not an IPv6 address")
	}
	port := u.Port()
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return nil, errors.New("not a port")
		}
		if port = strconv.FormatUint(n, 10); port == schemePort(u.Scheme) {
			port = ""
		}
	}
	u.Host = joinHost(host, port)
	return u, nil
}

// joinHost is net.JoinHostPort for a port that may be empty.
func joinHost(host, port string) string {
	if port != "" {
		return net.JoinHostPort(host, port)
	}
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// escapeURL escapes what the URL Standard's path and special-query percent-encode sets hold, and drops the fragment. An
// escape that ends up in the host is undone by url.Parse, which refuses it if it stands for ASCII.
func escapeURL(s string) string {
	s, _, _ = strings.Cut(s, "#")
	query := false
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		set := "\"<>`{}^"
		if query {
			set = "\"<>'"
		}
		query = query || c == '?'
		if c == ' ' || c >= 0x7f || strings.IndexByte(set, c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func schemePort(scheme string) string {
	if scheme == "wss" || scheme == "https" {
		return "443"
	}
	return "80"
}

// port is u's port, its scheme's if it names none.
func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return schemePort(u.Scheme)
}

package relay

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestHeaderFilter(t *testing.T) {
	p, err := newPolicy(nil, nil, []string{"X-Internal-*", "x-exact"})
	if err != nil {
		t.Fatal(err)
	}
	forbidden := []string{
		"Host", "Connection", "Upgrade", "Origin", "Content-Length", "Transfer-Encoding", "TE", "Trailer", "Keep-Alive",
		"Expect", "Via", "Forwarded", "X-Real-IP", "Proxy-Authorization", "Proxy-Connection", "Sec-WebSocket-Key",
		"Sec-WebSocket-Protocol", "Sec-Fetch-Site", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Anything", "X_Forwarded_For",
		"Proxy", "True-Client-IP", "CF-Connecting-IP", "Fastly-Client-IP", "Client-IP", "X-Client-IP", "X-Cluster-Client-IP", "X-Original-URL",
		"X-Forwarded", "HTTP2-Settings", "X-Internal-Token", "X-Exact",
	}
	for _, name := range forbidden {
		for _, cased := range []string{name, strings.ToLower(name), strings.ToUpper(name), swapCase(name)} {
			if checkField(field{cased, "x"}, p.denied) == "" {
				t.Errorf("%q may be set", cased)
			}
		}
	}
	for _, f := range []field{
		{"", "x"}, {"a b", "x"}, {"a:", "x"}, {"a\r\nb", "x"}, {"é", "x"}, {"(a)", "x"},
		{"A", "x\r\nHost: y"}, {"A", "x\n"}, {"A", "\r"}, {"A", "\x00"}, {"A", "\x7f"}, {"A", "\x1b"},
	} {
		if checkField(f, p.denied) == "" {
			t.Errorf("%q: %q may be set", f.name, f.value)
		}
	}
	for _, f := range []field{
		{"Authorization", "Bearer x"}, {"content-type", "application/json"}, {"Cookie", "a=b"}, {"X-Custom", "tab\there"},
		{"X-Empty", ""}, {"X-Text", "世界"}, {"Hosts", "x"}, {"X-Exactly", "x"}, {"Proxying", "x"}, {"Section", "x"}, {"User-Agent", "x"}, {"Referer", "dropped, not refused"},
	} {
		if reason := checkField(f, p.denied); reason != "" {
			t.Error(reason)
		}
	}
	h := requestHeader(http.Header{"Origin": {"https://a"}, "User-Agent": {"browser"}, "Cookie": {"the relay's own"}},
		[]field{{"referer", "x"}, {"REFERER", "x"}, {"a", "1"}, {"A", "2"}})
	if want := (http.Header{"Origin": {"https://a"}, "User-Agent": {"browser"}, "A": {"1", "2"}}); !reflect.DeepEqual(h, want) {
		t.Errorf("upstream gets %v, want %v", h, want)
	}
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r ^ 0x20
		}
		return r
	}, s)
}

func TestAllow(t *testing.T) {
	p, err := newPolicy([]string{"Chat.example:9000", "plain.example", "*.wild.example", "*.port.example:81", "127.0.0.1:1", "[::1]:2", "dotted.example.", "[2001:DB8:0::1]",
		"bücher.example", "xn--mnchen-3ya.example", "under_score", "*.例え.example"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for u, want := range map[string]string{
		"ws://chat.example:9000":         "name",
		"ws://CHAT.EXAMPLE.:9000/p?q":    "name",
		"ws://chat.example":              "",
		"wss://chat.example:9000":        "name",
		"wss://plain.example":            "name",
		"ws://plain.example":             "name",
		"ws://plain.example:80":          "name",
		"ws://plain.example:443":         "",
		"wss://plain.example:8443":       "",
		"ws://a.wild.example":            "suffix",
		"ws://a.b.wild.example":          "suffix",
		"ws://wild.example":              "",
		"ws://evilwild.example":          "",
		"ws://a.wild.example.evil":       "",
		"ws://x.port.example:81":         "suffix",
		"ws://x.port.example":            "",
		"ws://127.0.0.1:1":               "name",
		"ws://127.0.0.1:2":               "",
		"ws://[::1]:2":                   "name",
		"ws://[::ffff:127.0.0.1]:1":      "",
		"ws://2130706433:1":              "",
		"ws://0177.0.0.1:1":              "",
		"ws://0x7f.1:1":                  "",
		"ws://other.example":             "",
		"ws://chat.example:9000@evil/":   "",
		"ws://dotted.example":            "name",
		"wss://[2001:db8::1]":            "name",
		"wss://[2001:db8::1]:443":        "name",
		"ws://bücher.example":            "name",
		"ws://BÜCHER.example":            "name",
		"ws://b%C3%BCcher.example":       "name",
		"ws://xn--bcher-kva.example":     "name",
		"ws://münchen.example":           "name",
		"ws://under_score":               "name",
		"ws://a.例え.example":              "suffix",
		"ws://a.xn--r8jz45g.example":     "suffix",
		"ws://ｐｌａｉｎ.example":             "name", // full width, which IDNA maps to ASCII
		"ws://plain。example":             "name",
		"ws://plaın.example":             "", // U+0131
		"ws://plaİn.example":             "", // U+0130
		"ws://pla%C4%B0n.example":        "",
		"ws://[v6%25.wild.example]":      "-",
		"ws://[fe80::1%25.wild.example]": "-",
		"ws://[fe80::1%25eth0]":          "-",
		"ws://[127.0.0.1]:1":             "-",
		"ws://.wild.example":             "-",
		"ws://a..wild.example":           "-",
		"ws://pla in.example":            "-",
		"ws://plain%20.example":          "-",
		"ws://plain.example%2eevil":      "-",
		"ws://plain.example:0":           "-",
		"ws://plain.example:65616":       "-",
		"ws://plain.example:":            "name",
		"ws://plain.example:080":         "name",
	} {
		parsed, err := parseURL(u)
		if err != nil {
			if want != "-" {
				t.Errorf("%s: %v", u, err)
			}
			continue
		}
		got := ""
		if rule := p.upstream(parsed); rule != nil {
			got = map[bool]string{true: "suffix", false: "name"}[rule.suffix]
		}
		if got != want {
			t.Errorf("%s: allowed by %q, want %q", u, got, want)
		}
	}
	if new(policy).upstream(&url.URL{Scheme: "wss", Host: "any.example"}) != nil {
		t.Error("an empty policy allows something")
	}
	for _, bad := range []string{"", "*", "*.", "*x.example", "a.*.example", "host:", "http://host", "::1", "host:0", "host:65536", "host:x",
		"a b", "*.[::1]", "[fe80::1%eth0]", "[host]", "host/path", "a..b", "*.*.example", "user@host"} {
		if _, err := newPolicy([]string{bad}, nil, nil); err == nil {
			t.Errorf("pattern %q is taken", bad)
		}
	}
}

func TestOrigin(t *testing.T) {
	p, err := newPolicy(nil, []string{"https://App.example", "https://*.wild.example", "http://localhost:8080", "null",
		"https://port.example:443", "http://port.example:80", "https://other.example:444", "https://bücher.example", "https://[::1]:5", "capacitor://localhost"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for origin, want := range map[string]bool{
		"https://app.example": true, "HTTPS://APP.EXAMPLE": true, "http://app.example": false, "https://app.example:444": false,
		"https://app.example.evil": false, "https://evilapp.example": false, "https://a.wild.example": true, "https://a.b.wild.example": true,
		"https://wild.example": false, "https://.wild.example": false, "https://evilwild.example": false, "http://a.wild.example": false,
		"http://localhost:8080": true, "http://localhost": false, "null": true, "": false,
		"https://port.example": true, "http://port.example": true, "https://other.example:444": true, "https://other.example": false,
		"https://xn--bcher-kva.example": true, "https://[::1]:5": true, "capacitor://localhost": true,
	} {
		if p.served.has(origin) != want {
			t.Errorf("%q: %v", origin, !want)
		}
	}
	open, _ := newPolicy(nil, []string{"*"}, nil)
	if !open.served.has("https://anyone") {
		t.Error("* does not allow any")
	}
	for _, bad := range []string{"", "app.example", "https://app.example/", "https://app.example/path", "https://", "https://*app.example", "https://pre.*", "https://*", "https://*.",
		"https://a.*.example", "https://**.example", "*.example", "https://app.example.", "https://app.example:0", "https://app.example:https", "https://user@app.example",
		"https://app.example?x", "https://app.example#x", "https:/app.example", "://app.example", "Null"} {
		if _, err := newPolicy(nil, []string{bad}, nil); err == nil {
			t.Errorf("origin %q is taken", bad)
		}
	}
}

func TestDenyHeaders(t *testing.T) {
	for _, bad := range []string{"", "*", "a b", "a:*", "*-x", "é"} {
		if _, err := newPolicy(nil, nil, []string{bad}); err == nil {
			t.Errorf("header %q is taken", bad)
		}
	}
}

// FuzzHost holds that a host has one form: policy, dial and log cannot come to different names.
func FuzzHost(f *testing.F) {
	for _, s := range []string{"plain.example", "İntranet.test", "ıntranet.test", "bücher.example", "xn--bcher-kva.example", "plain。example", "fe80::1%.suffix",
		"::FFFF:127.0.0.1", "a..b", "a_b", "\u00ad", "xn--", "\u200d", "127.1", "ｅ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		ascii, err := asciiHost(host)
		if err != nil {
			return
		}
		if again, err := asciiHost(ascii); err != nil || again != ascii {
			t.Errorf("%q is %q, which is %q, %v", host, ascii, again, err)
		}
		u, err := parseURL("ws://" + joinHost(ascii, "1"))
		if err != nil || u.Hostname() != ascii {
			t.Fatalf("%q in a URL: %v, %v", ascii, u, err)
		}
		if dialled, err := url.Parse(u.String()); err != nil || dialled.Hostname() != ascii { // as the library does
			t.Errorf("%q is dialled as %v, %v", ascii, dialled, err)
		}
	})
}

func TestURL(t *testing.T) {
	for in, want := range map[string]string{
		"ws://a":                     "a /",
		"WSS://A:443/x":              "a /x",
		"ws://a:443/x":               "a:443 /x",
		"ws://a/b c?d e":             "a /b%20c?d%20e",
		"ws://a/世界?名=世":              "a /%E4%B8%96%E7%95%8C?%E5%90%8D=%E4%B8%96",
		"ws://a/%2F%e4?%2f%E4&x=%zz": "a /%2F%e4?%2f%E4&x=%zz",
		"ws://a/é%2Fé":               "a /%C3%A9%2F%C3%A9",
		"ws://a?a={b}|\\^`[]":        "a /?a={b}|\\^`[]",
		"ws://a?\"<'>":               "a /?%22%3C%27%3E",
		"ws://a/{x}":                 "a /%7Bx%7D",
		"ws://a/?":                   "a /?",
		"ws://a/??":                  "a /??",
		"ws://a/x#fragment?y":        "a /x",
		"ws://user:pass@a/x":         "a /x",
		"ws://a\r\nHost: b":          "",
		"ws://a/\x00":                "",
		"ws://a/\x7f":                "a /%7F",
		"ws://a/%zz":                 "",
		"ws:a":                       "",
		"ws://":                      "",
		"http://a":                   "",
		"//a":                        "",
	} {
		u, err := parseURL(in)
		if err != nil {
			if want != "" {
				t.Errorf("%q: %v", in, err)
			}
			continue
		}
		if got := u.Host + " " + u.RequestURI(); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// FuzzURL holds that whatever is passed makes one valid request line.
func FuzzURL(f *testing.F) {
	for _, s := range []string{"ws://a/b c?d e", "wss://bücher.example/世界?名=世#x", "ws://a\r\nHost: b", "ws://u:p@[::1]:80/%2F?'", "ws://a?\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := parseURL(s)
		if err != nil {
			return
		}
		req, err := http.NewRequest("GET", strings.Replace(u.String(), "ws", "http", 1), nil)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		var wire bytes.Buffer
		if err := req.Write(&wire); err != nil {
			t.Fatalf("%q cannot be written: %v", s, err)
		}
		line, _, _ := strings.Cut(wire.String(), "\r\n")
		if strings.Count(line, " ") != 2 || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
			t.Errorf("%q makes %q", s, line)
		}
		got, err := http.ReadRequest(bufio.NewReader(&wire))
		if err != nil || got.Host != u.Host || got.RequestURI != u.RequestURI() {
			t.Errorf("%q is read as %+v, %v", s, got, err)
		}
	})
}

func TestPublic(t *testing.T) {
	for addr, want := range map[string]bool{
		"93.184.216.34": true, "8.8.8.8": true, "2606:4700::1111": true, "::ffff:8.8.8.8": true, "64:ff9b::8.8.8.8": true,
		"127.0.0.1": false, "127.255.255.254": false, "0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "172.16.0.1": false,
		"172.31.255.255": false, "172.32.0.1": true, "192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false,
		"100.100.100.200": false, "168.63.129.16": false, "192.0.0.192": false, "198.18.0.1": false, "203.0.113.1": false,
		"224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false,
		"::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd00:ec2::254": false, "ff02::1": false,
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::127.0.0.1": false, "64:ff9b::127.0.0.1": false, "64:ff9b::a9fe:a9fe": false,
		"64:ff9b:1::1": false, "2001::1": false, "2002:7f00:1::": false, "2001:db8::1": false, "fec0::1": false,
	} {
		if got := public(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: public %v", addr, got)
		}
	}
}

// FuzzAddress holds the check against the standard library's idea of what is not public.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"8.8.8.8:80", "127.0.0.1:80", "[::1]:80", "[::ffff:10.0.0.1]:1", "2130706433:80", "0177.0.0.1:80", "[fe80::1%lo]:80", "localhost:80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, address string) {
		if checkAddress(address) != nil {
			return
		}
		host, _, err := net.SplitHostPort(address)
		ip := net.ParseIP(host)
		if err != nil || ip == nil || ip.IsLoopback() || ip.IsPrivate() || ip.IsUnspecified() || !ip.IsGlobalUnicast() {
			t.Errorf("%q passes", address)
		}
	})
}

// FuzzHeader holds that what the filter passes is exactly one header on the wire, and no other's.
func FuzzHeader(f *testing.F) {
	f.Add("Authorization", "Bearer x")
	f.Add("X", "a\r\nHost: b")
	f.Add("x_forwarded_for", "1")
	f.Fuzz(func(t *testing.T, name, value string) {
		if checkField(field{name, value}, slices.Concat(connectionFields, proxyFields)) != "" {
			return
		}
		req, _ := http.NewRequest("GET", "http://host.example/", nil)
		req.Header = requestHeader(http.Header{"User-Agent": {"browser"}}, []field{{name, value}})
		var wire bytes.Buffer
		if err := req.Write(&wire); err != nil {
			t.Fatalf("%q: %q cannot be written: %v", name, value, err)
		}
		got, err := http.ReadRequest(bufio.NewReader(&wire))
		if err != nil {
			t.Fatalf("%q: %q cannot be read: %v", name, value, err)
		}
		if got.Host != "host.example" || len(got.TransferEncoding) > 0 || got.ContentLength != 0 || len(got.Header) > 2 {
			t.Errorf("%q: %q makes %+v", name, value, got)
		}
		if !strings.EqualFold(name, "Referer") && got.Header.Get(name) != strings.Trim(value, " \t") {
			t.Errorf("%q: %q arrives as %q", name, value, got.Header.Get(name))
		}
	})
}

func TestDecodeOffer(t *testing.T) {
	o, err := decodeOffer([]byte(` {"url":"ws://a","header":{"B":"1","A":"2"},"protocols":["x"],"tcpNoDelay":false,"perMessageDeflate":true,"timeout":1500.2} `))
	if err != nil {
		t.Fatal(err)
	}
	no := false
	if want := (&offer{url: "ws://a", header: []field{{"B", "1"}, {"A", "2"}}, protocols: []string{"x"}, noDelay: &no, deflate: true, timeout: 1501e6}); !reflect.DeepEqual(o, want) {
		t.Errorf("%+v, want %+v", o, want)
	}
	for _, s := range []string{`{}`, `{"url":null,"header":null,"protocols":null,"tcpNoDelay":null,"timeout":null}`, `{"timeout":-1}`, `{"timeout":0}`} {
		o, err := decodeOffer([]byte(s))
		if err != nil || o.timeout != defaultTimeout || o.noDelay != nil {
			t.Errorf("%s: %+v, %v", s, o, err)
		}
	}
	for in, want := range map[string]string{
		``: "no JSON", `{`: "no JSON", `[]`: "no JSON object", `"x"`: "no JSON object", `{"url":"a"} {}`: "more than one", `{"url":"a"}x`: "more than one",
		`{"url":"a","url":"b"}`: "twice", `{"header":{"A":"1","A":"2"}}`: "twice", `{"URL":"a"}`: "unknown", `{"other":1}`: "unknown",
		`{"url":1}`: "number instead of string", `{"header":[]}`: "no JSON object", `{"header":{"A":1}}`: "number instead of string",
		`{"protocols":"x"}`: "string instead of []string", `{"tcpNoDelay":"yes"}`: "string instead of bool", `{"timeout":"1"}`: "string instead of float64",
		`{"timeout":1e999}`: "", "{\"url\":\"\xff\"}": "UTF-8", `{"url":"a",}`: "no JSON",
	} {
		if _, err := decodeOffer([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", in, err, want)
		}
	}
}

// FuzzOffer holds that what is accepted is what encoding/json would read.
func FuzzOffer(f *testing.F) {
	f.Add([]byte(`{"url":"wss://a/b?c","header":{"A":"b"},"protocols":["p"],"tcpNoDelay":true,"perMessageDeflate":false,"timeout":60000}`))
	f.Add([]byte(`{"url":"a","url":"b"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := decodeOffer(b)
		if err != nil {
			if s := cut("the first message: "+err.Error(), maxReason); len(s) > maxReason {
				t.Errorf("reason of %d bytes", len(s))
			}
			return
		}
		var want struct {
			URL       string            `json:"url"`
			Header    map[string]string `json:"header"`
			Protocols []string          `json:"protocols"`
		}
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatalf("%q is accepted: %v", b, err)
		}
		if o.url != want.URL || len(o.header) != len(want.Header) || fmt.Sprint(o.protocols) != fmt.Sprint(want.Protocols) || o.timeout <= 0 {
			t.Errorf("%q is read as %+v", b, o)
		}
		(&policy{}).offer(o, pageOrigin)
	})
}

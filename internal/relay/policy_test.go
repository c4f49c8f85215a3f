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
	"strings"
	"testing"
)

func TestHeaderFilter(t *testing.T) {
	forbidden := []string{
		"Host", "Connection", "Upgrade", "Origin", "Content-Length", "Transfer-Encoding", "TE", "Trailer", "Keep-Alive",
		"Expect", "Via", "Forwarded", "X-Real-IP", "Proxy-Authorization", "Proxy-Connection", "Sec-WebSocket-Key",
		"Sec-WebSocket-Protocol", "Sec-Fetch-Site", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Anything", "X_Forwarded_For",
	}
	for _, name := range forbidden {
		for _, cased := range []string{name, strings.ToLower(name), strings.ToUpper(name), swapCase(name)} {
			if err := checkField(field{cased, "x"}); err == nil {
				t.Errorf("%q may be set", cased)
			}
		}
	}
	for _, f := range []field{
		{"", "x"}, {"a b", "x"}, {"a:", "x"}, {"a\r\nb", "x"}, {"é", "x"}, {"(a)", "x"},
		{"A", "x\r\nHost: y"}, {"A", "x\n"}, {"A", "\r"}, {"A", "\x00"}, {"A", "\x7f"}, {"A", "\x1b"},
	} {
		if err := checkField(f); err == nil {
			t.Errorf("%q: %q may be set", f.name, f.value)
		}
	}
	for _, f := range []field{
		{"Authorization", "Bearer x"}, {"content-type", "application/json"}, {"Cookie", "a=b"}, {"X-Custom", "tab\there"},
		{"X-Empty", ""}, {"X-Text", "世界"}, {"Hosts", "x"}, {"Section", "x"}, {"User-Agent", "x"}, {"Referer", "dropped, not refused"},
	} {
		if err := checkField(f); err != nil {
			t.Error(err)
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
	p, err := newPolicy([]string{"Chat.example:9000", "plain.example", "*.wild.example", "*.port.example:81", "127.0.0.1:1", "[::1]:2"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for u, want := range map[string]string{
		"ws://chat.example:9000":       "name",
		"ws://CHAT.EXAMPLE.:9000/p?q":  "name",
		"ws://chat.example":            "",
		"wss://chat.example:9000":      "name",
		"wss://plain.example":          "name",
		"ws://plain.example":           "name",
		"ws://plain.example:80":        "name",
		"ws://plain.example:443":       "",
		"wss://plain.example:8443":     "",
		"ws://a.wild.example":          "suffix",
		"ws://a.b.wild.example":        "suffix",
		"ws://wild.example":            "",
		"ws://evilwild.example":        "",
		"ws://a.wild.example.evil":     "",
		"ws://x.port.example:81":       "suffix",
		"ws://x.port.example":          "",
		"ws://127.0.0.1:1":             "name",
		"ws://127.0.0.1:2":             "",
		"ws://[::1]:2":                 "name",
		"ws://[::ffff:127.0.0.1]:1":    "",
		"ws://2130706433:1":            "",
		"ws://0177.0.0.1:1":            "",
		"ws://0x7f.1:1":                "",
		"ws://other.example":           "",
		"ws://chat.example:9000@evil/": "",
	} {
		parsed, err := url.Parse(u)
		if err != nil {
			continue // refused sooner
		}
		ok, byName := p.upstream(parsed)
		if got := map[bool]map[bool]string{false: {false: "", true: "?"}, true: {false: "suffix", true: "name"}}[ok][byName]; got != want {
			t.Errorf("%s: allowed by %q, want %q", u, got, want)
		}
	}
	if ok, _ := new(policy).upstream(&url.URL{Scheme: "wss", Host: "any.example"}); ok {
		t.Error("an empty policy allows something")
	}
	for _, bad := range []string{"", "*", "*.", "*x.example", "a.*.example", "host:", "http://host", "::1"} {
		if _, err := newPolicy([]string{bad}, nil); err == nil {
			t.Errorf("pattern %q is taken", bad)
		}
	}
}

func TestOrigin(t *testing.T) {
	p, err := newPolicy(nil, []string{"https://App.example", "https://*.wild.example", "http://localhost:8080", "null"})
	if err != nil {
		t.Fatal(err)
	}
	for origin, want := range map[string]bool{
		"https://app.example": true, "HTTPS://APP.EXAMPLE": true, "http://app.example": false, "https://app.example:444": false,
		"https://app.example.evil": false, "https://evilapp.example": false, "https://a.wild.example": true, "https://a.b.wild.example": true,
		"https://wild.example": false, "https://.wild.example": false, "https://evilwild.example": false, "http://a.wild.example": false,
		"http://localhost:8080": true, "http://localhost": false, "null": true, "": false,
	} {
		if p.origin(origin) != want {
			t.Errorf("%q: %v", origin, !want)
		}
	}
	open, _ := newPolicy(nil, []string{"*"})
	if !open.origin("https://anyone") {
		t.Error("* does not allow any")
	}
	for _, bad := range []string{"", "app.example", "https://app.example/", "https://app.example/path", "https://"} {
		if _, err := newPolicy(nil, []string{bad}); err == nil {
			t.Errorf("origin %q is taken", bad)
		}
	}
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
		if checkField(field{name, value}) != nil {
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
		(&policy{}).offer(o)
	})
}

package relay

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"nhooyr.io/websocket"
)

// scripted is an upstream that answers each handshake with the text, in which %s stands for the accept key, and then holds the
// connection open and silent until the relay closes it.
func scripted(t *testing.T, response string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(time.Minute))
				br := bufio.NewReader(conn)
				req, err := http.ReadRequest(br)
				if err != nil {
					return
				}
				sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
				conn.Write([]byte(strings.ReplaceAll(response, "%s", base64.StdEncoding.EncodeToString(sum[:]))))
				br.WriteTo(nowhere{})
			}()
		}
	}()
	return "ws://" + l.Addr().String()
}

type nowhere struct{}

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }

// TestJudgement holds that a handshake passes or fails as in a browser, and that a failure is told at once, though the upstream
// keeps the connection and says nothing more.
func TestJudgement(t *testing.T) {
	const ok = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
	for name, c := range map[string]struct {
		response  string
		protocols []string
		deflate   bool
		want      string // "" if it passes
	}{
		"plain":                {ok, nil, false, ""},
		"protocol":             {ok + "Sec-WebSocket-Protocol: chat\r\n", []string{"other", "chat"}, false, ""},
		"other case of values": {strings.Replace(ok, "websocket", "WebSocket", 1), nil, false, ""},
		"none chosen":          {ok, []string{"chat"}, false, "upstream chose none of the protocols offered"},
		"empty choice":         {ok + "Sec-WebSocket-Protocol:\r\n", []string{"chat"}, false, "upstream chose a protocol that was not offered"},
		"other case":           {ok + "Sec-WebSocket-Protocol: Chat\r\n", []string{"chat"}, false, "upstream chose a protocol that was not offered"},
		"not offered":          {ok + "Sec-WebSocket-Protocol: chat\r\n", nil, false, "upstream chose a protocol that was not offered"},
		"empty, none offered":  {ok + "Sec-WebSocket-Protocol:\r\n", nil, false, "upstream chose a protocol that was not offered"},
		"two chosen":           {ok + "Sec-WebSocket-Protocol: a, b\r\n", []string{"a", "b"}, false, "upstream chose a protocol that was not offered"},
		"protocol twice":       {ok + "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n", []string{"a"}, false, "upstream's handshake repeats Sec-WebSocket-Protocol"},
		"accept twice":         {ok + "Sec-WebSocket-Accept: %s\r\n", nil, false, "upstream's handshake repeats Sec-WebSocket-Accept"},
		"upgrade twice":        {ok + "Upgrade: websocket\r\n", nil, false, "upstream's handshake repeats Upgrade"},
		"HTTP/1.0":             {strings.Replace(ok, "1.1", "1.0", 1), nil, false, "upstream's handshake is not HTTP/1.1"},
		"wrong key":            {strings.Replace(ok, "%s", "wrong", 1), nil, false, "upstream answered with an invalid WebSocket handshake"},
		"extension":            {ok + "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n", nil, false, "upstream answered with an invalid WebSocket handshake"},
		"context takeover":     {ok + "Sec-WebSocket-Extensions: permessage-deflate\r\n", nil, true, "upstream compresses in a way that was not offered"},
		"compression":          {ok + "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n", nil, true, ""},
		"refused, long body":   {"HTTP/1.1 403 Forbidden\r\nContent-Length: 1000000\r\n\r\nsome", nil, false, "upstream answered 403 Forbidden"},
		"refused, chunked":     {"HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n", nil, false, "upstream answered 401 Unauthorized"},
		"refused, no length":   {"HTTP/1.1 500 Oops\r\n", nil, false, "upstream answered 500 Oops"},
		"endless header":       {ok + "X-Long: " + strings.Repeat("x", 80_000) + "\r\n", nil, false, "upstream gave no valid HTTP response"},
		"a long status":        {"HTTP/1.1 500 " + strings.Repeat("x", 10_000) + "\r\n", nil, false, "upstream answered 500 " + strings.Repeat("x", 196)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := scripted(t, c.response+"\r\n")
			_, relay := serve(t, Config{}, u)
			began := time.Now()
			conn, a := connect(t, relay, m{"url": u, "protocols": c.protocols, "perMessageDeflate": c.deflate})
			if took := time.Since(began); took > 2500*time.Millisecond { // the library alone takes three seconds
				t.Errorf("told after %v", took)
			}
			if want := "connectSocket:fail " + c.want; a.Open != (c.want == "") || !a.Open && a.ErrMsg != want {
				t.Errorf("%.300q, want %q", a.ErrMsg, want)
			}
			conn.CloseNow()
		})
	}
}

// TestNoCompression has the operator's setting win over the page's wish.
func TestNoCompression(t *testing.T) {
	echo := echoServer(t, nil)
	_, relay := serve(t, Config{NoCompression: true}, echo)
	c, a := connect(t, relay, m{"url": echo, "perMessageDeflate": true})
	if !a.Open || a.Header["Sec-WebSocket-Extensions"] != "" {
		t.Errorf("%+v", a)
	}
	c.Close(websocket.StatusNormalClosure, "")
}

// TestRequestTarget holds that an upstream sees a valid request for the very URL, whoever the page is.
func TestRequestTarget(t *testing.T) {
	saw := make(chan string, 1)
	echo := echoServer(t, func(req *http.Request) { saw <- req.Host + " " + req.RequestURI })
	host := strings.TrimPrefix(echo, "ws://")
	_, relay := serve(t, Config{}, echo)
	for target, want := range map[string]string{
		"":                     "/",
		"/世 界?名=世 界":           "/%E4%B8%96%20%E7%95%8C?%E5%90%8D=%E4%B8%96%20%E7%95%8C",
		"/a%2Fb?q={\"a\":'b'}": "/a%2Fb?q={%22a%22:%27b%27}",
		"/?a b HTTP/1.1":       "/?a%20b%20HTTP/1.1",
	} {
		c, a := connect(t, relay, m{"url": echo + target})
		if !a.Open {
			t.Fatalf("%q: %s", target, a.ErrMsg)
		}
		if got := <-saw; got != fmt.Sprint(host, " ", want) {
			t.Errorf("%q arrives as %q, want %q", target, got, want)
		}
		c.Close(websocket.StatusNormalClosure, "")
	}
}

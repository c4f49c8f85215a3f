package echo_test

//lint:file-ignore SA1019 the module is marked deprecated for its change of name, not of substance

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"connectsocket/internal/echo"

	"nhooyr.io/websocket"
)

// serve starts the echo server for the length of the test.
func serve(t *testing.T) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(echo.Handler())
	t.Cleanup(srv.Close)
	return srv
}

// limit bounds a test that would hang.
func limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// dial connects with a query and closes the connection with the test.
func dial(t *testing.T, srv *httptest.Server, query string, opts *websocket.DialOptions) *websocket.Conn {
	t.Helper()
	conn, _, err := websocket.Dial(limit(t), srv.URL+"/?"+query, opts)
	if err != nil {
		t.Fatalf("dial ?%s: %v", query, err)
	}
	conn.SetReadLimit(-1)
	t.Cleanup(func() { conn.CloseNow() })
	return conn
}

// upgrade makes the handshake alone: the body of the answer is the connection, an io.ReadWriteCloser.
func upgrade(t *testing.T, srv *httptest.Server, query string, header http.Header) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(limit(t), "GET", srv.URL+"/?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "websocket")
	req.Header.Set("Sec-WebSocket-Version", "13")
	req.Header.Set("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade ?%s: %s", query, res.Status)
	}
	return res
}

func send(t *testing.T, conn *websocket.Conn, typ websocket.MessageType, msg []byte) {
	t.Helper()
	if err := conn.Write(limit(t), typ, msg); err != nil {
		t.Fatalf("send %d bytes: %v", len(msg), err)
	}
}

// receive fails the test unless the next message is this one.
func receive(t *testing.T, conn *websocket.Conn, wantType websocket.MessageType, want []byte) {
	t.Helper()
	typ, msg, err := conn.Read(limit(t))
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	if typ != wantType || !bytes.Equal(msg, want) {
		t.Fatalf("received %v %.40q (%d bytes), want %v %.40q (%d bytes)", typ, msg, len(msg), wantType, want, len(want))
	}
}

// closedWith fails the test unless the connection ends next, with this code and reason.
func closedWith(t *testing.T, conn *websocket.Conn, code websocket.StatusCode, reason string) {
	t.Helper()
	typ, msg, err := conn.Read(limit(t))
	if err == nil {
		t.Fatalf("received %v %.40q, want a close", typ, msg)
	}
	got := websocket.CloseError{Code: websocket.StatusAbnormalClosure}
	if !errors.As(err, &got) && !errors.Is(err, io.EOF) {
		t.Fatalf("read: %v, want a close frame or the end of the connection", err)
	}
	if got.Code != code || got.Reason != reason {
		t.Errorf("closed with %d %q, want %d %q", got.Code, got.Reason, code, reason)
	}
}

type report struct {
	Header   http.Header
	Protocol string
	Opened   bool
	Messages int
	Code     int
	Reason   string
}

// reportOf asks the server what it saw of a connection.
func reportOf(t *testing.T, srv *httptest.Server, id string) (rep report) {
	t.Helper()
	req, err := http.NewRequestWithContext(limit(t), "GET", srv.URL+"/?report="+id, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("report of %s: %v", id, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("report of %s: %s", id, res.Status)
	}
	if got := res.Header.Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("report readable by origin %q, want *", got)
	}
	if err := json.NewDecoder(res.Body).Decode(&rep); err != nil {
		t.Fatalf("report of %s: %v", id, err)
	}
	return rep
}

func TestEcho(t *testing.T) {
	srv := serve(t)
	for _, query := range []string{"", "deflate=1"} {
		conn := dial(t, srv, query, &websocket.DialOptions{CompressionMode: websocket.CompressionNoContextTakeover})
		for _, typ := range []websocket.MessageType{websocket.MessageText, websocket.MessageBinary} {
			for _, size := range []int{0, 1, 125, 126, 65535, 65536, 4 << 20} {
				t.Run(fmt.Sprintf("%s/%v/%d", query, typ, size), func(t *testing.T) {
					msg := bytes.Repeat([]byte("é\x00~ "), size/5+1)[:size]
					send(t, conn, typ, msg)
					receive(t, conn, typ, msg)
				})
			}
		}
	}
}

func TestEcho64MiB(t *testing.T) {
	conn := dial(t, serve(t), "", nil)
	msg := make([]byte, 64<<20)
	for i := range len(msg) / 4 {
		binary.BigEndian.PutUint32(msg[4*i:], uint32(i))
	}
	send(t, conn, websocket.MessageBinary, msg)
	receive(t, conn, websocket.MessageBinary, msg)
}

func TestEchoPipelined(t *testing.T) {
	const n = 20000
	conn := dial(t, serve(t), "after=20000", nil)
	ctx := limit(t)
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			if err := conn.Write(ctx, websocket.MessageText, fmt.Append(nil, i)); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for i := range n {
		receive(t, conn, websocket.MessageText, fmt.Append(nil, i))
	}
	closedWith(t, conn, 1000, "")
	if err := <-sent; err != nil {
		t.Errorf("send: %v", err)
	}
}

func TestDeflateOnlyWhenAsked(t *testing.T) {
	srv := serve(t)
	for query, want := range map[string]bool{"": false, "deflate=0": false, "deflate=1": true} {
		conn, res, err := websocket.Dial(limit(t), srv.URL+"/?"+query, &websocket.DialOptions{
			CompressionMode: websocket.CompressionContextTakeover,
		})
		if err != nil {
			t.Fatalf("dial ?%s: %v", query, err)
		}
		conn.CloseNow()
		if got := strings.HasPrefix(res.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate"); got != want {
			t.Errorf("?%s: compression %v, want %v", query, got, want)
		}
	}
}

func TestServerCloses(t *testing.T) {
	srv := serve(t)
	long := strings.Repeat("é", 61) + "."
	for _, test := range []struct {
		query    string
		messages int
		code     websocket.StatusCode
		reason   string
	}{
		{"code=1000", 0, 1000, ""},
		{"code=1001&reason=bye", 0, 1001, "bye"},
		{"code=1014", 0, 1014, ""},
		{"code=3000&reason=" + url.QueryEscape(long), 0, 3000, long},
		{"code=4999&after=2", 2, 4999, ""},
		{"code=1005", 0, 1005, ""},
		{"code=1005&after=1", 1, 1005, ""},
		{"code=1006", 0, 1006, ""},
		{"code=1006&after=3", 3, 1006, ""},
		{"after=1", 1, 1000, ""},
		{"reason=why", 0, 1000, "why"},
	} {
		t.Run(test.query, func(t *testing.T) {
			id := url.QueryEscape(t.Name())
			conn := dial(t, srv, test.query+"&id="+id, nil)
			for i := range test.messages {
				msg := fmt.Append(nil, "message ", i)
				send(t, conn, websocket.MessageText, msg)
				receive(t, conn, websocket.MessageText, msg)
			}
			closedWith(t, conn, test.code, test.reason)
			// The client's library answers a close frame with the same code.
			rep := reportOf(t, srv, id)
			if rep.Code != int(test.code) || rep.Messages != test.messages || !rep.Opened {
				t.Errorf("reported %+v, want code %d after %d messages", rep, test.code, test.messages)
			}
		})
	}
}

// TestCloseFrameIsLast reads the wire: a browser fails a connection on which two close frames arrive.
func TestCloseFrameIsLast(t *testing.T) {
	for query, want := range map[string]string{
		"code=4001&reason=bye":                 "\x88\x05\x0f\xa1bye",
		"code=1005":                            "\x88\x00",
		"push=1&size=10&type=binary&code=1000": "\x82\x0a" + strings.Repeat("\x00", 10) + "\x88\x02\x03\xe8",
	} {
		res := upgrade(t, serve(t), query, http.Header{})
		wire := res.Body.(io.ReadWriteCloser)
		got := make([]byte, len(want))
		if _, err := io.ReadFull(wire, got); err != nil || string(got) != want {
			t.Errorf("?%s: %q %v, want %q", query, got, err, want)
		}
		// The last frame again, masked with zeros, is the client's answer.
		frame := []byte(want[strings.LastIndexByte(want, 0x88):])
		frame = slices.Insert(frame, 2, 0, 0, 0, 0)
		frame[1] |= 0x80
		if _, err := wire.Write(frame); err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(wire); err != nil || len(rest) > 0 {
			t.Errorf("?%s: %q %v after the close frame, want the end", query, rest, err)
		}
	}
}

func TestClientCloses(t *testing.T) {
	srv := serve(t)
	for _, test := range []struct {
		name   string
		close  func(*websocket.Conn) error
		code   int
		reason string
	}{
		{"normal", func(c *websocket.Conn) error { return c.Close(1000, "") }, 1000, ""},
		{"reason", func(c *websocket.Conn) error { return c.Close(4321, "au revoir, à bientôt") }, 4321, "au revoir, à bientôt"},
		{"empty", func(c *websocket.Conn) error { return c.Close(1005, "") }, 1005, ""},
		{"dropped", (*websocket.Conn).CloseNow, 1006, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn := dial(t, srv, "id="+test.name, &websocket.DialOptions{
				HTTPHeader:   http.Header{"X-Test": {"one", "two"}, "Origin": {"https://elsewhere.example"}},
				Subprotocols: []string{"chat"},
			})
			send(t, conn, websocket.MessageText, []byte("hello"))
			receive(t, conn, websocket.MessageText, []byte("hello"))
			if err := test.close(conn); err != nil {
				t.Fatalf("close: %v", err)
			}
			rep := reportOf(t, srv, test.name)
			if rep.Code != test.code || rep.Reason != test.reason {
				t.Errorf("the server saw %d %q, want %d %q", rep.Code, rep.Reason, test.code, test.reason)
			}
			if !rep.Opened || rep.Messages != 1 || rep.Protocol != "chat" || !slices.Equal(rep.Header["X-Test"], []string{"one", "two"}) {
				t.Errorf("reported %+v, want one message, protocol chat and both X-Test headers", rep)
			}
		})
	}
}

func TestPush(t *testing.T) {
	const n, size = 3000, 1000
	srv := serve(t)
	t.Run("text", func(t *testing.T) {
		conn := dial(t, srv, fmt.Sprintf("push=%d&size=%d&code=4000", n, size), nil)
		for i := range n {
			receive(t, conn, websocket.MessageText, fmt.Appendf(nil, "%010d%s", i, strings.Repeat(".", size-10)))
		}
		closedWith(t, conn, 4000, "")
	})
	t.Run("binary", func(t *testing.T) {
		conn := dial(t, srv, fmt.Sprintf("push=%d&size=%d&type=binary&code=4000", n, size), nil)
		want := make([]byte, size)
		for i := range n {
			binary.BigEndian.PutUint32(want, uint32(i))
			receive(t, conn, websocket.MessageBinary, want)
		}
		closedWith(t, conn, 4000, "")
	})
	t.Run("echoes meanwhile", func(t *testing.T) {
		conn := dial(t, srv, "push=1000000000", nil)
		send(t, conn, websocket.MessageBinary, []byte("ping"))
		for pushed := 0; ; {
			typ, msg, err := conn.Read(limit(t))
			if err != nil {
				t.Fatalf("receive: %v", err)
			}
			if typ == websocket.MessageBinary {
				break
			}
			if want := fmt.Sprintf("%010d", pushed); !strings.HasPrefix(string(msg), want) {
				t.Fatalf("pushed %.20q, want %s", msg, want)
			}
			pushed++
		}
	})
	t.Run("ends with the client", func(t *testing.T) {
		conn := dial(t, srv, "push=1000000000&id=flooded", nil)
		if err := conn.Close(4001, "enough"); err != nil {
			t.Fatalf("close: %v", err)
		}
		if rep := reportOf(t, srv, "flooded"); rep.Code != 4001 || rep.Reason != "enough" {
			t.Errorf("the server saw %d %q, want 4001 enough", rep.Code, rep.Reason)
		}
	})
}

func TestHeaders(t *testing.T) {
	srv := serve(t)
	conn := dial(t, srv, "headers=1&push=1", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer x"}, "X-Test": {"one", "two"}},
	})
	typ, msg, err := conn.Read(limit(t))
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	var header http.Header
	if err := json.Unmarshal(msg, &header); err != nil || typ != websocket.MessageText {
		t.Fatalf("received %v %q: %v", typ, msg, err)
	}
	for name, want := range map[string][]string{
		"Host":          {strings.TrimPrefix(srv.URL, "http://")},
		"Authorization": {"Bearer x"},
		"X-Test":        {"one", "two"},
		"Upgrade":       {"websocket"},
	} {
		if !slices.Equal(header[name], want) {
			t.Errorf("%s: %q, want %q", name, header[name], want)
		}
	}
	receive(t, conn, websocket.MessageText, fmt.Append(nil, "0000000000", strings.Repeat(".", 54)))
}

func TestSubprotocol(t *testing.T) {
	srv := serve(t)
	for _, test := range []struct {
		query   string
		offered []string
		want    string
	}{
		{"", nil, ""},
		{"", []string{"a", "b", "c"}, "a"},
		{"protocol=first", []string{"a", "b"}, "a"},
		{"protocol=last", []string{"a", "b", "c"}, "c"},
		{"protocol=b", []string{"a", "b", "c"}, "b"},
		{"protocol=", []string{"a"}, ""},
	} {
		conn := dial(t, srv, test.query, &websocket.DialOptions{Subprotocols: test.offered})
		if got := conn.Subprotocol(); got != test.want {
			t.Errorf("?%s with %q chose %q, want %q", test.query, test.offered, got, test.want)
		}
	}

	// The library's client would refuse the answer to what it did not offer.
	res := upgrade(t, srv, "protocol=z", http.Header{"Sec-Websocket-Protocol": {"a"}})
	if got := res.Header.Get("Sec-WebSocket-Protocol"); got != "z" {
		t.Errorf("?protocol=z with a offered: answered %q, want z", got)
	}
}

func TestRefuse(t *testing.T) {
	srv := serve(t)
	for _, status := range []int{200, 401, 403, 503} {
		_, res, err := websocket.Dial(limit(t), fmt.Sprintf("%s/?status=%d&id=s%d", srv.URL, status, status), nil)
		if err == nil || res == nil || res.StatusCode != status {
			t.Errorf("status=%d: %v, want it refused so", status, err)
		}
		if rep := reportOf(t, srv, fmt.Sprintf("s%d", status)); rep.Opened || rep.Code != 1006 {
			t.Errorf("status=%d: reported %+v, want not opened, 1006", status, rep)
		}
	}
}

func TestDelay(t *testing.T) {
	srv := serve(t)
	start := time.Now()
	dial(t, srv, "delay=300ms", nil)
	if took := time.Since(start); took < 300*time.Millisecond {
		t.Errorf("opened after %v, want 300ms or more", took)
	}

	// Abandoned: the server lets go of it at once, not in an hour.
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /?delay=1h&id=abandoned HTTP/1.1\r\nHost: x\r\n\r\n")
	conn.Close()
	for ctx := limit(t); ; time.Sleep(5 * time.Millisecond) {
		req, err := http.NewRequestWithContext(ctx, "GET", srv.URL+"/?report=abandoned", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("report: %v", err)
		}
		res.Body.Close()
		if res.StatusCode == http.StatusOK { // 404 until the server has read the request
			break
		}
	}
}

func TestReportBounds(t *testing.T) {
	srv := serve(t)
	for i := range 257 {
		res, err := http.Get(fmt.Sprintf("%s/?status=403&id=c%d", srv.URL, i))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	for id, want := range map[string]int{"c0": 404, "c1": 200, "c256": 200, "never": 404} {
		res, err := http.Get(srv.URL + "/?report=" + id)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want || res.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("report of %s: %s, want %d readable by all", id, res.Status, want)
		}
	}
}

func TestReportNewest(t *testing.T) {
	srv := serve(t)
	for i := range 2 {
		conn := dial(t, srv, "id=same", nil)
		conn.Close(websocket.StatusCode(4000+i), "")
		if rep := reportOf(t, srv, "same"); rep.Code != 4000+i {
			t.Errorf("connection %d: reported code %d", i, rep.Code)
		}
	}
}

func TestBadParameters(t *testing.T) {
	srv := serve(t)
	for _, query := range []string{
		"delay=5", "delay=-1s", "delay=", "status=101", "status=600", "status=x", "deflate=maybe", "headers=2",
		"push=-1", "push=x", "size=9", "size=67108865", "type=blob", "after=-1",
		"code=999", "code=1004", "code=1015", "code=2999", "code=5000", "code=",
		"reason=" + strings.Repeat("x", 124), "code=1005&reason=x", "code=1006&reason=x",
	} {
		_, res, err := websocket.Dial(limit(t), srv.URL+"/?"+query, nil)
		if err == nil || res == nil || res.StatusCode != http.StatusBadRequest {
			t.Errorf("?%s: %v, want 400", query, err)
			continue
		}
		name, _, _ := strings.Cut(query[strings.LastIndexByte(query, '&')+1:], "=")
		if msg, _ := io.ReadAll(res.Body); !strings.HasPrefix(string(msg), name+"=") {
			t.Errorf("?%s: %q does not name the parameter", query, msg)
		}
	}
}

func TestServerStops(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	srv := httptest.NewUnstartedServer(echo.Handler())
	srv.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	srv.Start()
	t.Cleanup(srv.Close)

	conn := dial(t, srv, "", nil)
	send(t, conn, websocket.MessageText, []byte("hello"))
	receive(t, conn, websocket.MessageText, []byte("hello"))
	stop()
	closedWith(t, conn, websocket.StatusGoingAway, "")
}

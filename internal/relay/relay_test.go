package relay

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"nhooyr.io/websocket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const pageOrigin = "https://app.example"

// serve starts a relay that allows the hosts of upstreams (URLs) by name, and ends it with the test.
func serve(t *testing.T, cfg Config, upstreams ...string) (*Relay, string) {
	t.Helper()
	for _, u := range upstreams {
		cfg.Allow = append(cfg.Allow, u[strings.Index(u, "//")+2:])
	}
	if cfg.Origins == nil {
		cfg.Origins = []string{pageOrigin}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(r)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := r.Drain(ctx); err != nil {
			t.Errorf("connections outlived the test: %v", err)
		}
		s.Close()
	})
	return r, s.URL
}

// page opens a WebSocket to the relay as a page does.
func page(t *testing.T, relay string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(t.Context(), relay, &websocket.DialOptions{
		Subprotocols: []string{Subprotocol},
		HTTPHeader:   http.Header{"Origin": {pageOrigin}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(-1)
	t.Cleanup(func() { c.CloseNow() })
	return c
}

// connect sends the offer, a JSON value or a string as it is, and returns the answer.
func connect(t *testing.T, relay string, offer any) (*websocket.Conn, answer) {
	t.Helper()
	c := page(t, relay)
	b, ok := offer.(string)
	if !ok {
		j, err := json.Marshal(offer)
		if err != nil {
			t.Fatal(err)
		}
		b = string(j)
	}
	if err := c.Write(t.Context(), websocket.MessageText, []byte(b)); err != nil {
		t.Fatal(err)
	}
	_, reply, err := c.Read(t.Context())
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	var a answer
	if err := json.Unmarshal(reply, &a); err != nil {
		t.Fatalf("answer %q: %v", reply, err)
	}
	return c, a
}

type m = map[string]any

// echoServer answers each message with itself, and passes closes on.
func echoServer(t *testing.T, see func(*http.Request)) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if see != nil {
			see(req)
		}
		c, err := websocket.Accept(w, req, &websocket.AcceptOptions{
			InsecureSkipVerify: true,
			Subprotocols:       []string{"chat"},
			CompressionMode:    websocket.CompressionNoContextTakeover,
		})
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		for {
			typ, b, err := c.Read(context.Background())
			if err != nil {
				return
			}
			if c.Write(context.Background(), typ, b) != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

func TestEcho(t *testing.T) {
	for _, deflate := range []bool{false, true} {
		var saw http.Header
		echo := echoServer(t, func(r *http.Request) { saw = r.Header })
		_, relay := serve(t, Config{}, echo)
		c, a := connect(t, relay, m{"url": echo + "/x?y=z", "header": m{"Authorization": "Bearer x", "Referer": "no"}, "protocols": []string{"chat"}, "perMessageDeflate": deflate})
		if !a.Open || a.Protocol != "chat" || a.Header["Upgrade"] != "websocket" || a.Profile.Cost < 0 || a.Profile.FetchStart == 0 {
			t.Fatalf("%+v", a)
		}
		if saw.Get("Authorization") != "Bearer x" || saw.Get("Referer") != "" || saw.Get("Origin") != pageOrigin {
			t.Errorf("upstream saw %v", saw)
		}
		for _, msg := range []string{"", "hello", strings.Repeat("long ", 100_000)} {
			for _, typ := range []websocket.MessageType{websocket.MessageText, websocket.MessageBinary} {
				if err := c.Write(t.Context(), typ, []byte(msg)); err != nil {
					t.Fatal(err)
				}
				gotType, got, err := c.Read(t.Context())
				if err != nil || gotType != typ || string(got) != msg {
					t.Fatalf("sent %d bytes of %v, got %d of %v, %v", len(msg), typ, len(got), gotType, err)
				}
			}
		}
		if err := c.Close(4001, "bye"); err != nil {
			t.Error(err)
		}
	}
}

// Package echo is the WebSocket server (RFC 6455) that connectSocket is developed and tested against.
package echo

//lint:file-ignore SA1019 the module is marked deprecated for its change of name, not of substance

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"nhooyr.io/websocket"
)

// Handler returns a server that sends every message back as it came, text or binary, whole and of any
// size. It takes pages of every origin, so it is no server for the public.
//
// The query of the URL asks for more. Before the handshake:
//
//	delay=DURATION    wait that long (1500ms, 2s) before answering
//	status=CODE       refuse with that HTTP status, 200 to 599
//	protocol=first    choose the first subprotocol offered: the default
//	protocol=last     choose the last one
//	protocol=NAME     answer NAME, offered or not; with no NAME, answer none
//	deflate=1         compress where the client offers it (RFC 7692, no context takeover)
//
// Once open, in this order:
//
//	headers=1         first send the request's headers as JSON text, {"Name": ["value", …]}, with Host
//	push=N            send N messages, while echoing
//	size=BYTES        of that size: 64 by default, at least 10, at most 64 MiB
//	type=binary       binary, not text
//	code=CODE         close with a code: 1000 to 1014 less 1004, or 3000 to 4999;
//	                  1005 is a close frame without a code, 1006 a dropped connection without a close frame
//	reason=TEXT       and a reason, at most 123 bytes
//	after=N           but only when what was pushed is sent and N messages are echoed; without code: 1000
//
// Pushed messages count from 0. Text starts with the number in ten decimal digits, filled up with
// dots; binary with the number as a big-endian uint32, filled up with zeros.
//
//	id=NAME           remember this connection as NAME
//	report=NAME       no handshake: a plain GET, readable from every origin, that waits for the newest
//	                  connection of that NAME to end and reports what the server saw of it
//
// A report is JSON: {"header", "protocol", "opened", "messages", "code", "reason"}, where messages counts
// those received, and code and reason are the client's: 1005 for a close frame without a code, 1006 for
// none at all. The reason in an answer to the server's own close is not known. The newest 256
// connections are remembered; of others a report is 404.
//
// Bad parameters are answered with 400. When the context of the request ends, as it does when the
// server's BaseContext is cancelled, the connection is closed with 1001.
func Handler() http.Handler {
	return new(handler)
}

type handler struct {
	reports reports
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if query.Has("report") {
		h.reports.serve(w, r, query.Get("report"))
		return
	}
	o, err := parse(query)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}

	header := r.Header.Clone()
	header.Set("Host", r.Host) // net/http keeps it apart
	rep := &report{id: o.id, Header: header, Code: int(websocket.StatusAbnormalClosure), ended: make(chan struct{})}
	defer close(rep.ended)
	if rep.id != "" {
		h.reports.add(rep)
	}

	select {
	case <-time.After(o.delay):
	case <-r.Context().Done():
		http.Error(w, "server stopping", http.StatusServiceUnavailable)
		return
	}
	if o.status != 0 {
		http.Error(w, http.StatusText(o.status), o.status)
		return
	}
	if rep.Protocol = choose(o.protocol, r.Header); rep.Protocol != "" {
		// Not through AcceptOptions: that would not answer with one that was not offered.
		w.Header().Set("Sec-WebSocket-Protocol", rep.Protocol)
	}
	hijack := &hijacker{ResponseWriter: w}
	conn, err := websocket.Accept(hijack, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true,
		CompressionMode:    o.compression,
	})
	if err != nil {
		return // Accept has answered
	}
	rep.Opened = true
	conn.SetReadLimit(-1)

	s := &session{options: o, conn: conn, wire: hijack.conn, report: rep}
	defer s.pushing.Wait()
	defer conn.CloseNow()
	defer context.AfterFunc(r.Context(), func() { s.close(websocket.StatusGoingAway, "") })()
	// A context that never ends: one that ends drops the connection without a close frame.
	err = s.run(context.WithoutCancel(r.Context()))
	var ce websocket.CloseError
	if errors.As(err, &ce) {
		rep.Code, rep.Reason = int(ce.Code), ce.Reason
	}
}

// choose names the subprotocol to answer with: want, or the first or last that header offers.
func choose(want string, header http.Header) string {
	offered := strings.Split(strings.Join(header.Values("Sec-WebSocket-Protocol"), ","), ",")
	switch want {
	case "first":
		return strings.TrimSpace(offered[0])
	case "last":
		return strings.TrimSpace(offered[len(offered)-1])
	}
	return want
}

// A session is an open connection.
type session struct {
	options
	conn    *websocket.Conn
	wire    *sealable
	report  *report
	pushing sync.WaitGroup
}

// run does what the options ask until either side ends the connection. The error wraps a
// websocket.CloseError when the client sent a close frame.
func (s *session) run(ctx context.Context) error {
	if s.headers {
		msg, err := json.Marshal(s.report.Header)
		if err != nil {
			return fmt.Errorf("encode headers: %w", err)
		}
		if err := s.conn.Write(ctx, websocket.MessageText, msg); err != nil {
			return fmt.Errorf("send headers: %w", err)
		}
	}
	s.pushing.Go(func() { s.sendPushed(ctx) })
	for {
		if s.closes && s.report.Messages == s.after {
			s.pushing.Wait()
			return s.close(s.code, s.reason)
		}
		typ, msg, err := s.conn.Read(ctx)
		if err != nil {
			return fmt.Errorf("read message %d: %w", s.report.Messages, err)
		}
		s.report.Messages++
		if err := s.conn.Write(ctx, typ, msg); err != nil {
			return fmt.Errorf("echo message %d: %w", s.report.Messages-1, err)
		}
	}
}

// sendPushed sends the numbered messages, or as many as the connection lives for.
func (s *session) sendPushed(ctx context.Context) {
	msg := make([]byte, s.size)
	if s.pushType == websocket.MessageText {
		for i := range msg {
			msg[i] = '.'
		}
	}
	for i := range s.push {
		if s.pushType == websocket.MessageText {
			copy(msg, fmt.Sprintf("%010d", i))
		} else {
			binary.BigEndian.PutUint32(msg, uint32(i))
		}
		if s.conn.Write(ctx, s.pushType, msg) != nil {
			return
		}
	}
}

// close closes the connection and waits, at most 5 s, for the client's close frame, which it returns as
// a websocket.CloseError. With 1006 it drops the connection.
func (s *session) close(code websocket.StatusCode, reason string) error {
	if code == websocket.StatusAbnormalClosure {
		return s.conn.CloseNow()
	}
	s.wire.closing.Store(true)
	if err := s.conn.Close(code, reason); err != nil {
		return fmt.Errorf("close with %d: %w", code, err)
	}
	return websocket.CloseError{Code: code} // no error: the client answered with the same code
}

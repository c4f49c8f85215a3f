package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"nhooyr.io/websocket"
)

// failure is why a page gets no connection.
type failure struct {
	outcome string // label of the handshakes metric
	reason  string // for the log: nothing of the page's or the upstream's own text
	text    string // for the page; default reason
	status  int    // of the HTTP response: the relay's before the upgrade, the upstream's after it
	header  http.Header
	code    websocket.StatusCode // instead of an answer, close with this
}

func (f *failure) say() string {
	if f.text == "" {
		return f.reason
	}
	return f.text
}

var shuttingDown = &failure{outcome: "draining", code: websocket.StatusGoingAway, reason: "the relay is shutting down"}

// connect upgrades the page, reads its offer, dials and answers. If it returns nil the connection goes on as a pair.
func (r *Relay) connect(w http.ResponseWriter, req *http.Request, addr netip.Prefix, id string) *failure {
	page := &takeover{}
	handle, err := websocket.Accept(page.wrap(w), req, &websocket.AcceptOptions{
		Subprotocols:       []string{Subprotocol},
		InsecureSkipVerify: true, // admit has checked the origin
	})
	if err != nil {
		return &failure{outcome: "upgrade"}
	}
	page.lease.release(handle)
	log := r.cfg.Logger.With("id", id, "client", addr.Addr(), "origin", logged(req.Header.Get("Origin")))

	offer, f := r.readOffer(page)
	if f == nil {
		f = r.policy.Load().offer(offer, req.Header.Get("Origin"))
		log = log.With("upstream", offer.target())
	}
	if f == nil {
		f = r.enter(offer.rule)
	}
	var up *upstream
	if f == nil {
		ctx, cancel := context.WithTimeout(r.ctx, min(offer.timeout, r.cfg.DialTimeout))
		stop := page.watch(cancel)
		header := r.upstreamHeader(req, offer, id)
		if r.authorizer != nil {
			f = r.authorize(ctx, req, offer, id, header)
		}
		if f == nil {
			up, f = r.dial(ctx, offer, header)
		}
		stop()
		cancel()
		if f != nil {
			r.exit(offer.rule)
		}
	}
	if f != nil {
		log.Info("handshake failed", "outcome", f.outcome, "reason", f.reason, "status", f.status)
		r.refuse(page, f, id)
		return f
	}
	if err := page.write(answerFrame(answer{
		Open:     true,
		Protocol: up.header.Get("Sec-WebSocket-Protocol"),
		Header:   identified(up.header, id),
		Profile:  up.profile,
	})); err != nil {
		page.conn.Close()
		up.lease.Conn.Close()
		r.exit(offer.rule)
		return &failure{outcome: "page_gone"}
	}
	log.Info("open", "status", http.StatusSwitchingProtocols, "cost_ms", up.profile.Cost)
	p := &pair{relay: r, addr: addr, rule: offer.rule, log: log, began: time.Now()}
	p.start(page, up)
	return nil
}

// authorize asks the operator's endpoint about the page, and adds to header what it says.
func (r *Relay) authorize(ctx context.Context, req *http.Request, o *offer, id string, header http.Header) *failure {
	add, f := r.authorizer.ask(ctx, req, o, r.pageAddr(req), id)
	switch {
	case f != nil && r.ctx.Err() != nil:
		return shuttingDown
	case f != nil && errors.Is(ctx.Err(), context.Canceled):
		return &failure{outcome: "page_gone", reason: "the page went away"}
	case f == nil:
		override(header, add)
	}
	return f
}

// upstreamHeader is what goes upstream: the page's part, then what the relay and the upstream's rule add.
func (r *Relay) upstreamHeader(req *http.Request, o *offer, id string) http.Header {
	h := requestHeader(req.Header, o.header)
	inherit := func(name string) {
		if values := req.Header.Values(name); len(values) > 0 && h.Get(name) == "" {
			h[name] = values
		}
	}
	if o.rule.cookies {
		inherit("Cookie")
	}
	if !r.cfg.NoTrace {
		inherit("Traceparent")
		inherit("Tracestate")
	}
	own := http.Header{}
	if !r.cfg.NoForwarded {
		own.Set("X-Forwarded-For", r.pageAddr(req).String())
		own.Set("X-Forwarded-Proto", r.pageProto(req))
	}
	if !r.cfg.NoRequestID {
		own.Set(requestID, id)
	}
	override(h, own)
	override(h, o.rule.header)
	return h
}

// readOffer reads the first message: text, in time, and at most maxOffer bytes.
func (r *Relay) readOffer(page *takeover) (*offer, *failure) {
	page.conn.SetReadDeadline(time.Now().Add(r.cfg.OfferTimeout))
	defer page.conn.SetReadDeadline(time.Time{})
	defer context.AfterFunc(r.ctx, func() { page.conn.SetReadDeadline(aLongTimeAgo) })()
	b, bad, err := page.readMessage()
	var timeout net.Error
	switch {
	case r.ctx.Err() != nil:
		return nil, shuttingDown
	case errors.As(err, &timeout) && timeout.Timeout():
		return nil, &failure{outcome: "no_offer", code: websocket.StatusPolicyViolation,
			reason: fmt.Sprintf("no first message within %v", r.cfg.OfferTimeout)}
	case err != nil:
		return nil, &failure{outcome: "page_gone", reason: "the page went away"}
	case bad == tooBig:
		return nil, &failure{outcome: "bad_offer", code: bad.code, reason: "the first message exceeds 64 KiB"}
	case bad != nil:
		return nil, &failure{outcome: "bad_offer", code: bad.code, reason: bad.reason}
	}
	o, err := decodeOffer(b)
	if err != nil {
		return nil, &failure{outcome: "bad_offer", code: websocket.StatusInvalidFramePayloadData,
			reason: "the first message is not an offer", text: "the first message: " + err.Error()}
	}
	return o, nil
}

// readMessage reads a text message of at most maxOffer bytes. It answers pings. It answers a close, too, and returns io.EOF.
func (t *takeover) readMessage() (text []byte, bad *violation, err error) {
	w := walker{masked: true, limit: maxOffer}
	var s splitter
	for need := 1; ; {
		if _, err := t.br.Peek(need); err != nil {
			return nil, nil, err
		}
		b := t.ahead()
		n, bad := w.walk(b)
		for rest := b[:n]; len(rest) > 0; {
			var p part
			p, rest = s.next(rest)
			payload := append([]byte(nil), p.payload...)
			applyMask(payload, s.mask, p.pos)
			switch s.op() {
			case opBinary:
				return nil, &violation{websocket.StatusUnsupportedData, "the first message is not text"}, nil
			case opPing:
				err = t.write(controlFrame(opPong, payload, false))
			case opClose:
				t.write(controlFrame(opClose, payload, false))
				err = io.EOF
			case opText, opContinuation:
				text = append(text, payload...)
				if p.ends && s.fin() {
					t.br.Discard(n - len(rest))
					t.atFrame = true
					return text, nil, nil
				}
			}
			if err != nil {
				return nil, nil, err
			}
		}
		if bad != nil {
			return nil, bad, nil
		}
		t.br.Discard(n)
		need = len(b) - n + 1
	}
}

type answer struct {
	Open     bool              `json:"open"`
	Protocol string            `json:"protocol,omitempty"`
	ErrMsg   string            `json:"errMsg,omitempty"`
	Status   int               `json:"status,omitempty"`
	Header   map[string]string `json:"header,omitempty"`
	Profile  *profile          `json:"profile,omitempty"`
}

// answerFrame makes a's message. Its JSON holds strings and numbers only, which always encode.
func answerFrame(a answer) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.Encode(a)
	text := bytes.TrimSpace(b.Bytes())
	return append(appendHeader(nil, finBit|byte(opText), len(text), nil), text...)
}

// requestID is the header that holds a connection's id: for the page in its answer, and for the upstream.
const requestID = "X-Request-Id"

// identified is an upstream's header for the page, with the connection's id.
func identified(h http.Header, id string) map[string]string {
	m := flatten(h)
	m[requestID] = id
	return m
}

// flatten joins the values of each header, as mini programs present them, and names the protocol's own as RFC 6455 does.
func flatten(h http.Header) map[string]string {
	m := make(map[string]string, len(h))
	for name, values := range h {
		m[strings.Replace(name, "Sec-Websocket-", "Sec-WebSocket-", 1)] = strings.Join(values, ", ")
	}
	return m
}

// refuse answers why the page gets no connection, with exactly one close frame, and ends its own. It waits for the page's
// close for closeWait at most.
func (r *Relay) refuse(page *takeover, f *failure, id string) {
	defer page.conn.Close()
	var frames []byte
	switch {
	case f.outcome == "page_gone":
		return
	case f.code != 0:
		frames = closeFrame(f.code, f.say(), false)
	default:
		frames = answerFrame(answer{ErrMsg: "connectSocket:fail " + f.say(), Status: f.status, Header: identified(f.header, id)})
		frames = append(frames, closeFrame(websocket.StatusNormalClosure, "", false)...)
	}
	if page.write(frames) != nil {
		return
	}
	page.conn.SetReadDeadline(time.Now().Add(closeWait))
	defer context.AfterFunc(r.ctx, func() { page.conn.SetReadDeadline(time.Now().Add(drainWait)) })()
	page.awaitClose()
}

// awaitClose discards what the page sends until its close frame, its end or the read deadline.
func (t *takeover) awaitClose() {
	w := walker{masked: true, limit: math.MaxInt64}
	for need := 1; t.atFrame && !w.closed; {
		if _, err := t.br.Peek(need); err != nil {
			return
		}
		b := t.ahead()
		n, bad := w.walk(b)
		t.br.Discard(n)
		need = len(b) - n + 1
		t.atFrame = bad == nil
	}
	if !t.atFrame {
		io.Copy(io.Discard, t.br)
	}
}

// write writes frames of the relay itself, within closeWait.
func (t *takeover) write(frames []byte) error {
	t.conn.SetWriteDeadline(time.Now().Add(closeWait))
	defer t.conn.SetWriteDeadline(time.Time{})
	_, err := t.conn.Write(frames)
	return err
}

// logged is an origin as it may be logged: a page's own text is not.
func logged(origin string) string {
	if o, err := parseOrigin(origin); err == nil && o != "*" {
		return o
	}
	return "invalid"
}

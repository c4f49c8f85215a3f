package relay

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"nhooyr.io/websocket"
)

// closeWait is how long a peer may take to end a connection that is closing.
const closeWait = 5 * time.Second

// Control frames pass from end to end like messages: a page's pong answers its upstream's ping. The answer to a ping of the
// relay itself passes too: it is a pong that nobody asked for, which RFC 6455 section 5.5.3 has its receiver ignore.

// pair is a page and its upstream, connected. Two goroutines serve it, one a direction, each until its source ends; the
// relay's sweep supervises it.
type pair struct {
	relay *Relay
	addr  netip.Prefix
	rule  *rule
	log   *slog.Logger
	began time.Time

	legs    [2]leg  // page, upstream: leg i is read by flow i, and written by the other
	flows   [2]flow // up, down
	quiet   quiet
	running atomic.Int32

	closing    atomic.Int64 // the relay's clock when the end began, 0 before
	pageClosed atomic.Bool  // the page's close frame has come
	once       sync.Once
	cause      string               // of the end, set once
	code       websocket.StatusCode // of the first close, set once

	dismissed bool // Drain has closed it; Relay.mu guards it
}

// leg is one connection of a pair.
type leg struct {
	conn   net.Conn
	out    *writer
	masked bool // what the relay writes to it must be masked: the upstream's

	heard   atomic.Int64 // the relay's clock when something last came from it
	writing atomic.Int64 // the relay's clock when the write under way began, 0 without one
	pinged  int64        // the value of heard for which a ping was sent; only sweep uses it

	mu       sync.Mutex // held to write
	midFrame bool       // the last write ended inside a frame: no control frame of ours may follow
	closed   bool       // a close frame was written: nothing may follow
}

// flow is one direction of a pair.
type flow struct {
	walker
	codec    codec // nil where frames pass as they stand
	discards bool  // what still comes is read only to be dropped

	bytes, messages atomic.Uint64 // that have come and were forwarded
	within          atomic.Bool   // a message has begun and goes on
	counted         [2]uint64     // of these, what the metrics have
}

// start takes the upstream's connection over from the library and forwards between it and the page. It returns at once.
func (p *pair) start(page *takeover, upstream *upstream) {
	pageAhead, upAhead := append([]byte(nil), page.ahead()...), upstream.lease.ahead
	p.legs[up].conn = page.conn
	p.legs[down].conn = upstream.lease.Conn
	p.legs[down].masked = true
	for i := range p.legs {
		p.legs[i].out = newWriter(p.legs[i].conn)
	}
	for i := range p.flows {
		p.flows[i].limit = p.relay.cfg.MaxMessage
	}
	p.flows[up].masked = true
	if upstream.compresses() {
		p.flows[up].codec = &deflater{}
		p.flows[down].codec = &inflater{limit: p.relay.cfg.MaxMessage}
		p.flows[down].compressed = true
	}
	p.running.Store(2)
	p.relay.watch(p)
	go p.forward(up, pageAhead)
	go p.forward(down, upAhead)
}

// forward moves the frames of one direction until its source ends or fails.
func (p *pair) forward(direction int, ahead []byte) {
	src, dst, f := &p.legs[direction], &p.legs[1-direction], &p.flows[direction]
	rd := newReader(src.conn, ahead)
	clock := &p.relay.now
	for {
		b, err := rd.next()
		if err != nil {
			break
		}
		if f.discards {
			continue
		}
		src.heard.Store(clock.Load())
		n, bad := f.walk(b)
		if f.walker.closed { // before its answer can come
			p.because([...]string{"page_closed", "upstream_closed"}[direction], f.code)
		}
		if n > 0 {
			written, badCode := p.pass(f, dst, b[:n])
			if badCode != nil {
				bad = badCode
			}
			f.bytes.Store(f.bytes.Load() + uint64(n))
			f.messages.Store(f.walker.messages)
			if within := f.left > 0 || f.fragmented; within != f.within.Load() {
				f.within.Store(within)
			}
			if !written {
				f.discards = true
				p.close()
			}
		}
		switch {
		case bad != nil:
			p.end([...]string{"page_protocol", "upstream_protocol"}[direction], bad.code, bad.reason)
			src.finish() // nothing more is expected of it
			f.discards = true
		case f.walker.closed:
			p.close()
			f.discards = true
			if direction == up {
				p.pageClosed.Store(true)
			}
			if p.pageClosed.Load() && p.legs[up].isClosed() {
				// The server ends the connection, RFC 6455 section 7.1.1: the relay its page's, the upstream its own.
				p.legs[up].conn.Close()
			}
		default:
			rd.keep(b[n:])
		}
	}
	rd.release()
	if f.codec != nil {
		f.codec.close()
	}
	if !f.walker.closed {
		p.because([...]string{"page_dropped", "upstream_dropped"}[direction], websocket.StatusAbnormalClosure)
		if !dst.isClosed() {
			dst.finish()
		}
	}
	p.close()
	if p.running.Add(-1) == 0 {
		p.legs[up].conn.Close()
		p.legs[down].conn.Close()
		p.relay.unwatch(p)
		p.account()
	}
}

// pass writes what a walk has passed, or what the flow's codec makes of it. It blocks while the peer takes nothing.
func (p *pair) pass(f *flow, dst *leg, b []byte) (written bool, bad *violation) {
	clock := &p.relay.now
	if f.codec == nil {
		return dst.write(b, f.midFrame(), f.walker.closed, clock), nil
	}
	out := newBatch(func(b []byte, midFrame, closed bool) bool { return dst.write(b, midFrame, closed, clock) })
	bad = f.codec.pass(b, out)
	return out.end(f.walker.closed && bad == nil), bad
}

// account logs and counts the end of a pair.
func (p *pair) account() {
	took := time.Since(p.began)
	p.relay.metrics.end(p.cause, took)
	p.log.Info("end", "cause", p.cause, "code", int(p.code), "seconds", took.Seconds(),
		"up_bytes", p.flows[up].bytes.Load(), "up_messages", p.flows[up].messages.Load(),
		"down_bytes", p.flows[down].bytes.Load(), "down_messages", p.flows[down].messages.Load())
	p.relay.exit(p.rule)
	p.relay.leave(p.addr)
}

// quiet is when a pair last passed something of a message. Only sweep uses it.
type quiet struct {
	since           int64 // the relay's clock
	messages, bytes uint64
}

// overdue says which time limit of its upstream a pair has reached at now: none ("") or a cause.
func (p *pair) overdue(now int64) (cause, reason string) {
	messages, bytes, within := uint64(0), uint64(0), false
	for i := range p.flows {
		f := &p.flows[i]
		messages += f.messages.Load()
		bytes += f.bytes.Load()
		within = within || f.within.Load()
	}
	// Bytes alone may be pongs.
	if q := &p.quiet; q.since == 0 || messages != q.messages || within && bytes != q.bytes {
		*q = quiet{since: now, messages: messages, bytes: bytes}
	}
	switch r := p.rule; {
	case r.lifetime > 0 && time.Since(p.began) >= r.lifetime:
		return "lifetime", "the connection has reached its longest time"
	case r.idle > 0 && now-p.quiet.since >= int64(r.idle):
		return "idle", "no message for too long"
	}
	return "", ""
}

// because notes why the pair ends, the first time.
func (p *pair) because(cause string, code websocket.StatusCode) {
	p.once.Do(func() { p.cause, p.code = cause, code })
}

// close begins the end: a pair that is closing and makes no progress for closeWait is dropped.
func (p *pair) close() { p.closing.CompareAndSwap(0, p.relay.now.Load()) }

// end closes both legs, with a close frame where one fits, and has the flows discard what still comes. It may block
// until a write that has just begun is over.
func (p *pair) end(cause string, code websocket.StatusCode, reason string) {
	p.because(cause, code)
	for i := range p.legs {
		l := &p.legs[i]
		if l.mu.TryLock() { // else a write to it is under way, which is not waited for
			sent := l.control(closeFrame(code, reason, l.masked), true, &p.relay.now)
			l.mu.Unlock()
			if !sent {
				l.finish() // with a close frame sent, wait for its answer instead: some proxies treat a half-close as the end of both directions
			}
		}
	}
	p.close()
}

func (p *pair) drain() { p.end("drained", websocket.StatusGoingAway, "the relay is shutting down") }

// write writes data that ends as midFrame and closed say, and reports whether it was written. It blocks while the peer takes
// nothing.
func (l *leg) write(b []byte, midFrame, closed bool, clock *atomic.Int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.writing.Store(clock.Load())
	err := l.out.write(b)
	l.writing.Store(0)
	l.midFrame, l.closed = midFrame, closed
	return err == nil
}

// control writes a control frame of the relay itself, if one fits now, and reports whether it was sent. The caller holds
// l.mu.
func (l *leg) control(frame []byte, closes bool, clock *atomic.Int64) bool {
	if l.midFrame || l.closed {
		return false
	}
	l.closed = closes
	l.writing.Store(clock.Load())
	err := l.out.write(frame)
	l.writing.Store(0)
	return err == nil
}

// ping writes a ping. It blocks while the peer takes nothing. A peer that cannot be asked, because a frame to it is not
// complete, is not lost for that: its silence begins again.
func (l *leg) ping(clock *atomic.Int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.midFrame {
		l.heard.Store(clock.Load())
		return
	}
	l.control(controlFrame(opPing, nil, l.masked), false, clock)
}

func (l *leg) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// finish sends the end of the stream after what was written, so that a peer gets all of it: closing a connection with
// unread bytes would reset it.
func (l *leg) finish() {
	if !l.mu.TryLock() {
		return
	}
	defer l.mu.Unlock()
	l.closed = true
	if c, ok := l.conn.(interface{ CloseWrite() error }); ok {
		c.CloseWrite()
	}
}

// watch adds p to what sweep supervises.
func (r *Relay) watch(p *pair) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now.Store(int64(time.Since(r.started)))
	for i := range p.legs {
		p.legs[i].heard.Store(r.now.Load())
	}
	r.pairs[p] = struct{}{}
	if r.ctx.Err() != nil { // Drain has just been through
		go p.drain()
	}
	if !r.sweeping {
		r.sweeping = true
		time.AfterFunc(r.tick(), r.sweep)
	}
}

func (r *Relay) unwatch(p *pair) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.pairs, p)
	r.count(p)
}

func (r *Relay) tick() time.Duration {
	return max(time.Millisecond, min(time.Second, r.cfg.WriteStall/4, r.cfg.PingInterval/4))
}

// sweep supervises all pairs: it counts what they did, pings the silent, and ends the stalled and the lost. It runs once
// a tick while there are pairs.
func (r *Relay) sweep() {
	now := int64(time.Since(r.started))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now.Store(now)
	for p := range r.pairs {
		r.count(p)
		p.check(now)
	}
	if r.sweeping = len(r.pairs) > 0; r.sweeping {
		time.AfterFunc(r.tick(), r.sweep)
	}
}

// count adds to the metrics what p has forwarded since the last count.
func (r *Relay) count(p *pair) {
	for i := range p.flows {
		f := &p.flows[i]
		bytes, messages := f.bytes.Load(), f.messages.Load()
		r.metrics.bytes[i].Add(float64(bytes - f.counted[0]))
		r.metrics.messages[i].Add(float64(messages - f.counted[1]))
		f.counted = [2]uint64{bytes, messages}
	}
}

// check is sweep's look at one pair. It does not block.
func (p *pair) check(now int64) {
	cfg := &p.relay.cfg
	progress := p.closing.Load()
	closing := progress != 0
	if cause, reason := p.overdue(now); cause != "" && !closing {
		go p.end(cause, websocket.StatusGoingAway, reason)
	}
	for i := range p.legs {
		l := &p.legs[i]
		heard, writing := l.heard.Load(), l.writing.Load()
		progress = max(progress, heard)
		if writing != 0 {
			progress = now
			if now-writing > int64(cfg.WriteStall) {
				if closing {
					go l.conn.Close()
				} else {
					go p.end([...]string{"page_stalled", "upstream_stalled"}[i], websocket.StatusPolicyViolation,
						"a peer took nothing for too long")
				}
			}
		}
		if silent := now - heard; closing || p.legs[1-i].writing.Load() != 0 {
			continue // its flow is not waiting for it
		} else if silent > 2*int64(cfg.PingInterval) {
			go p.end([...]string{"page_lost", "upstream_lost"}[i], websocket.StatusInternalError, "a peer answers no pings")
		} else if silent > int64(cfg.PingInterval) && l.pinged != heard {
			l.pinged = heard
			go l.ping(&p.relay.now)
		}
	}
	if closing && now-progress > int64(closeWait) {
		go p.legs[up].conn.Close()
		go p.legs[down].conn.Close()
	}
}

package task

import (
	"math"
	"testing"
)

// host plays the JavaScript half: it keeps payloads in slots, carries out
// decisions, and calls handlers, which may call back in.
type host struct {
	t       testing.TB
	set     *Set
	slots   []*payload
	free    []int32
	conns   []*conn // every task ever admitted, oldest first
	global  [numHandled]bool
	handler func(*conn, *payload) // runs within every delivery to a handler
	byWhole []*payload            // delivered to the global handlers
	now     int64                 // the clock, in milliseconds
	offline bool
	chance  func() int32 // random; the shortest delay by default
}

// payload is something posted, and what became of it.
type payload struct {
	kind      Kind
	n         int // of its kind, in order of posting
	clean     bool
	delivered int // times, to the task's own handlers
	global    int // times, to the global ones
	dropped   int
	carried   int // used by the host alone: a relay's handshake, a failed attempt, a retry, a timer
}

// conn is the host's side of one task.
type conn struct {
	id       int32
	ws       State // of the WebSocket
	listens  [numHandled]bool
	posted   [Tick + 1]int
	all      []*payload
	seen     []*payload // delivered to the task's own handlers, in order
	kept     []*payload
	busy     bool
	again    bool
	over     bool
	detached bool
	left     bool // close() was called and accepted
	shed     bool
	aborted  bool
	asked    bool
	answers  []*payload

	reconnects bool
	timer      Kind    // what is posted
	at         int64   // when it is posted; 0 for never
	delays     []int32 // before each attempt to reconnect
	dials      int

	tickAt int64 // when the next tick is posted, 0 for never
	ticked int64 // when the last was
	beats  int
}

func newHost(t testing.TB, l Limits) *host {
	return &host{t: t, set: NewSet(l, 0), chance: func() int32 { return math.MaxInt32 }}
}

func (h *host) connect(c Call) (*conn, error) {
	id, err := h.set.Connect(c)
	if err != nil {
		return nil, err
	}
	conn := &conn{id: id, reconnects: c.Reconnect != nil}
	h.conns = append(h.conns, conn)
	for id := h.set.Evict(); id != 0; id = h.set.Evict() {
		h.leave(h.conn(id))
	}
	return conn, nil
}

func (h *host) conn(id int32) *conn {
	for _, c := range h.conns {
		if c.id == id {
			return c
		}
	}
	h.t.Fatalf("no task %d", id)
	return nil
}

// leave is the host's part of a close by the user or the limit.
func (h *host) leave(c *conn) {
	c.left = true
	c.closing()
	if h.set.Down(c.id) {
		c.wait(Close, h.now)
	}
}

func (c *conn) wait(k Kind, at int64) { c.timer, c.at = k, at+1 }

// advance moves the clock, and posts what is due by then.
func (h *host) advance(ms int64) {
	h.now += ms
	for _, c := range h.conns {
		if c.at > 0 && c.at <= h.now+1 && !c.over {
			c.at = 0
			h.post(c, c.timer, 0)
		}
		if c.tickAt > 0 && c.tickAt <= h.now+1 && !c.over {
			elapsed := h.now - c.ticked
			c.tickAt = 0
			h.post(c, Tick, int32(elapsed))
			h.waitForTick(c)
		}
	}
}

// waitForTick starts the heartbeat's timer.
func (h *host) waitForTick(c *conn) {
	c.tickAt, c.ticked = 0, h.now
	if pause := h.set.Pause(c.id); pause > 0 {
		c.tickAt = h.now + int64(pause) + 1
	}
}

func (c *conn) closing() {
	if c.ws < Closing {
		c.ws = Closing
	}
}

func (h *host) put(p *payload) int32 {
	if n := len(h.free); n > 0 {
		slot := h.free[n-1]
		h.free = h.free[:n-1]
		h.slots[slot] = p
		return slot
	}
	h.slots = append(h.slots, p)
	return int32(len(h.slots) - 1)
}

func (h *host) take(slot int32) *payload {
	p := h.slots[slot]
	if p == nil {
		h.t.Fatalf("slot %d taken twice", slot)
	}
	h.slots[slot] = nil
	h.free = append(h.free, slot)
	return p
}

func (h *host) inUse() int { return len(h.slots) - len(h.free) }

// post is what a listener of the WebSocket does.
func (h *host) post(c *conn, kind Kind, size int32) {
	if c.over {
		return
	}
	p := &payload{kind: kind, n: c.posted[kind], clean: kind == Close && size != 1006}
	c.posted[kind]++
	c.all = append(c.all, p)
	e := Event{Kind: kind, Slot: h.put(p), Size: size}
	if c.busy {
		c.again = true
		if d := h.set.Event(c.id, e, true); d != (Decision{}) {
			h.t.Fatalf("a busy host was given %+v", d)
		}
		return
	}
	h.carryOut(c, h.set.Event(c.id, e, false))
}

func (h *host) carryOut(c *conn, d Decision) {
	c.busy = true
	h.act(c, d)
	for n := 0; c.again || d.Flags&MoreBit != 0; n++ {
		if n > 100+10*len(c.all) {
			h.t.Fatalf("task %d: no end of decisions for %d events, the last is %+v", c.id, len(c.all), d)
		}
		c.again = false
		d = h.set.Next(c.id)
		h.act(c, d)
	}
	c.busy = false
}

func (h *host) act(c *conn, d Decision) {
	switch d.Verb {
	case None:
	case Deliver:
		p := h.take(d.Slot)
		own, global := d.Flags&OwnBit != 0, d.Flags&GlobalBit != 0
		if !own && !global {
			h.t.Fatalf("task %d: %+v is for nobody", c.id, d)
		}
		if own && !c.listens[d.Kind] || global && !h.global[d.Kind] {
			h.t.Fatalf("task %d: %+v without such a handler", c.id, d)
		}
		c.over = c.over || d.Kind == Close
		if own {
			p.delivered++
			c.seen = append(c.seen, p)
		}
		if global {
			p.global++
			h.byWhole = append(h.byWhole, p)
		}
		if h.handler != nil {
			h.handler(c, p)
		}
	case Drop:
		h.take(d.Slot).dropped++
	case Keep:
		c.kept = append(c.kept, h.take(d.Slot))
		c.over = c.over || d.Kind == Close
	case Abort:
		h.take(d.Slot).carried++
		c.aborted, c.detached, c.ws = true, true, Closed
		h.post(c, Error, 1006)
		h.post(c, Close, 1006)
	case Shed:
		h.take(d.Slot).dropped++
		c.shed = true
		h.post(c, Error, 0)
		c.closing()
	case Ask:
		h.take(d.Slot).carried++
		c.asked = true
	case Answer:
		p := h.take(d.Slot)
		p.carried++
		c.answers = append(c.answers, p)
		if c.id%3 == 0 {
			h.post(c, Failure, 0)
		} else {
			h.open(c)
		}
	case Retry:
		p := h.take(d.Slot)
		p.carried++
		delay := h.set.Delay(c.id, h.chance(), h.offline)
		c.delays = append(c.delays, delay)
		c.wait(Due, h.now+int64(delay))
		if p.clean {
			h.post(c, Error, 0)
		}
	case Dial:
		h.take(d.Slot).carried++
		c.ws, c.detached = Connecting, false
		c.dials++
	case Beat:
		h.take(d.Slot).carried++
		c.beats++
	}
}

// open posts an Open that is not the relay's own.
func (h *host) open(c *conn) {
	if c.reconnects {
		c.wait(Stable, h.now+Uptime)
	}
	h.post(c, Open, 0)
	h.waitForTick(c)
}

// listen registers a handler, and replays as the microtask would.
func (h *host) listen(c *conn, k Kind) {
	if c.listens[k] {
		return
	}
	c.listens[k] = true
	if c.over { // from the task's own object
		for i := 0; i < len(c.kept); {
			if p := c.kept[i]; c.listens[p.kind] {
				c.kept = append(c.kept[:i], c.kept[i+1:]...)
				p.delivered++
				c.seen = append(c.seen, p)
			} else {
				i++
			}
		}
		return
	}
	h.set.Listen(c.id, k, true)
	h.replay(c)
}

func (h *host) listenGlobally(k Kind) {
	h.global[k] = true
	h.set.Listen(0, k, true)
	for _, c := range h.conns {
		if !c.over {
			h.replay(c)
		}
	}
}

func (h *host) replay(c *conn) {
	if c.busy {
		c.again = true
		return
	}
	h.carryOut(c, h.set.Next(c.id))
}

func (h *host) close(c *conn, code float64) error {
	closing, err := h.set.Close(c.id, CloseCall{Code: code})
	if err == nil && closing {
		h.leave(c)
	}
	return err
}

// The WebSocket's own events, each only when a WebSocket would have it.

func (h *host) wsOpen(c *conn) {
	if !c.detached && c.ws == Connecting {
		c.ws = Opened
		h.open(c)
	}
}

func (h *host) wsMessage(c *conn, size int32) {
	if !c.detached && c.ws == Opened {
		h.post(c, Message, size)
	}
}

func (h *host) wsClose(c *conn, clean bool) {
	if clean {
		h.wsCloseWith(c, 1000, true)
	} else {
		h.wsCloseWith(c, 1006, false)
	}
}

func (h *host) wsCloseWith(c *conn, code int32, clean bool) {
	if c.detached || c.ws == Closed {
		return
	}
	c.ws = Closed
	if !clean {
		h.post(c, Error, code)
	}
	h.post(c, Close, code)
}

package task

import (
	"math/rand/v2"
	"testing"
)

// walk runs a random program: each byte, with the one that follows, is a call
// or an event on one of the tasks, and some of what handlers are given makes
// them call back in. At the end everything is closed and every handler is
// registered, and nothing may be lost, doubled or out of order.
func walk(t testing.TB, program []byte) {
	if len(program) < 3 {
		return
	}
	h := newHost(t, Limits{
		MaxSockets:      1 + int(program[0]%6),
		Replace:         program[1]%2 == 0,
		MaxHeldMessages: 1 + int(program[2]%8),
		MaxHeldBytes:    200,
	})
	program = program[3:]
	depth := 0
	var step func(op, arg byte)
	next := func() {
		if len(program) < 2 {
			return
		}
		op, arg := program[0], program[1]
		program = program[2:]
		step(op, arg)
	}
	h.handler = func(*conn, *payload) {
		if depth < 3 && len(program) > 0 && program[0]%3 == 0 { // a handler that calls back in
			depth++
			next()
			depth--
		}
	}
	step = func(op, arg byte) {
		if live := h.set.Live(); live > h.set.limits.MaxSockets {
			t.Fatalf("%d slots held of %d", live, h.set.limits.MaxSockets)
		}
		var c *conn
		if n := len(h.conns); n > 0 {
			c = h.conns[n-1-int(arg)%min(n, 8)]
		}
		if op %= 13; op == 0 || c == nil {
			live := h.set.Live()
			c := Call{Scheme: "ws:", Relayed: arg%3 == 0}
			if arg%4 == 0 {
				c.Reconnect = &Reconnect{Retries: float64(arg / 64), MinDelay: 100, MaxDelay: 1000, Factor: 2, Jitter: 1}
			}
			if arg%5 == 0 {
				c.Heartbeat = &Heartbeat{Interval: 800, Timeout: 400}
			}
			_, err := h.connect(c)
			if full := live == h.set.limits.MaxSockets && !h.set.limits.Replace; full != (err != nil) {
				t.Fatalf("connect with %d of %d live: %v", live, h.set.limits.MaxSockets, err)
			}
			return
		}
		switch op {
		case 1, 2:
			h.wsOpen(c)
		case 3, 4, 5:
			h.wsMessage(c, int32(arg))
		case 6:
			codes := []int32{1000, 1001, 1008, 1011, 4000, 1006}
			h.wsCloseWith(c, codes[int(arg/8)%len(codes)], arg%2 == 0)
		case 7:
			h.listen(c, Kind(arg/8)%numHandled)
		case 8:
			if err := h.close(c, 1000); err != nil {
				t.Fatalf("close: %v", err)
			}
		case 9:
			if !c.over && !c.detached {
				h.post(c, Failure, 0)
			}
		case 10:
			h.listenGlobally(Kind(arg) % numHandled)
		case 11:
			if h.set.Send(c.id, c.ws) && (c.ws != Opened || c.over) {
				t.Fatalf("task %d: send allowed in WebSocket state %d", c.id, c.ws)
			}
		case 12:
			h.advance(int64(arg) * 40)
		}
	}
	for len(program) >= 2 {
		next()
	}
	for i := 0; i < len(h.conns); i++ { // a handler may have connected
		c := h.conns[i]
		for attempt := 0; !c.over; attempt++ { // or this one reconnects
			if attempt > 100 {
				t.Fatalf("task %d has not ended", c.id)
			}
			h.wsClose(c, false)
			h.advance(5_000)
		}
	}
	for _, c := range h.conns {
		for k := Open; k < numHandled; k++ {
			h.listen(c, k)
		}
	}
	check(t, h)
}

func check(t testing.TB, h *host) {
	if n := h.inUse(); n != 0 {
		t.Fatalf("%d slots of the table in use at the end", n)
	}
	if h.set.Live() != 0 || h.set.Len() != 0 {
		t.Fatalf("%d slots held and %d tasks known at the end", h.set.Live(), h.set.Len())
	}
	for _, c := range h.conns {
		if len(c.answers) > 1+c.dials {
			t.Fatalf("task %d: %d answers of the relay", c.id, len(c.answers))
		}
		if !c.over || len(c.kept) > 0 {
			t.Fatalf("task %d: over %v, kept %d", c.id, c.over, len(c.kept))
		}
		told := map[Kind]int{}
		lost := 0
		for _, p := range c.all {
			if p.delivered > 1 || p.global > 1 {
				t.Fatalf("task %d: %+v delivered twice", c.id, p)
			}
			if p.delivered+p.global == 0 && p.dropped+p.carried != 1 || p.delivered+p.global > 0 && p.dropped+p.carried != 0 {
				t.Fatalf("task %d: %+v came to nothing, or to two things", c.id, p)
			}
			if p.carried > 0 {
				continue
			}
			if p.dropped == 0 {
				told[p.kind]++
			} else if p.kind == Message {
				lost++
			}
		}
		if told[Close] != 1 || told[Error] > 1+c.dials || told[Open] > 1+c.dials {
			t.Fatalf("task %d: told %v, having dialled %d times more", c.id, told, c.dials)
		}
		if lost > 0 && !c.left && !c.shed && !c.aborted {
			t.Fatalf("task %d: %d messages dropped without a word", c.id, lost)
		}
		if c.shed && told[Error] == 0 {
			t.Fatalf("task %d: shed in silence", c.id)
		}
		inOrder(t, c)
	}
}

// inOrder checks that each kind was seen in the order of posting, and where
// every handler was there in time, that kinds were too.
func inOrder(t testing.TB, c *conn) {
	last := map[Kind]int{}
	for _, p := range c.seen {
		if n, ok := last[p.kind]; ok && p.n <= n {
			t.Fatalf("task %d: kind %d number %d after %d", c.id, p.kind, p.n, n)
		}
		last[p.kind] = p.n
	}
}

func TestRandomWalks(t *testing.T) {
	seeds := 20_000
	if testing.Short() {
		seeds = 2_000
	}
	for seed := range seeds {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		program := make([]byte, 3+2*r.IntN(200))
		for i := range program {
			program[i] = byte(r.Uint32())
		}
		walk(t, program)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

package task

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func call() Call {
	return Call{URL: "wss://a.example/x", Scheme: "wss:", Host: "a.example"}
}

// connected returns a host with one task, which is connecting.
func connected(t testing.TB, l Limits) (*host, *conn) {
	t.Helper()
	h := newHost(t, l)
	c, err := h.connect(call())
	if err != nil {
		t.Fatal(err)
	}
	return h, c
}

// kinds of what a task's own handlers have seen, in order.
func (c *conn) kinds() []Kind {
	var kinds []Kind
	for _, p := range c.seen {
		kinds = append(kinds, p.kind)
	}
	return kinds
}

func (h *host) listenAll(c *conn) {
	for k := Open; k < numHandled; k++ {
		h.listen(c, k)
	}
}

func TestRefusals(t *testing.T) {
	with := func(change func(*Call)) Call {
		c := call()
		change(&c)
		return c
	}
	for _, test := range []struct {
		name string
		call Call
		want string
	}{
		{"fault", with(func(c *Call) { c.Fault = "reading parameter.url threw 1" }), "connectSocket:fail parameter error: reading parameter.url threw 1"},
		{"scheme", with(func(c *Call) { c.URL, c.Scheme = "http://x", "http:" }), `connectSocket:fail invalid url "http://x"`},
		{"unparsable", with(func(c *Call) { c.URL, c.Scheme = "wss://", "" }), `connectSocket:fail invalid url "wss://"`},
		{"domain", with(func(c *Call) { c.Host = "b.example" }), "connectSocket:fail url not in domain list"},
		{"domain's scheme", with(func(c *Call) { c.Scheme = "ws:" }), "connectSocket:fail url not in domain list"},
		{"fine", call(), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := NewSet(Limits{Domains: []string{"wss://a.example"}}, 0)
			_, err := s.Connect(test.call)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.want != "" && (err == nil || err.Error() != test.want):
				t.Errorf("got %v, want %q", err, test.want)
			}
			if held := s.Live(); (held == 1) != (test.want == "") {
				t.Errorf("%d slots held", held)
			}
		})
	}
}

func TestCloseRules(t *testing.T) {
	for _, test := range []struct {
		call CloseCall
		want string // a part of the errMsg, empty where it is allowed
	}{
		{CloseCall{Code: 1000, ReasonBytes: 123}, ""},
		{CloseCall{Code: 3000}, ""},
		{CloseCall{Code: 4999}, ""},
		{CloseCall{Code: 1000, ReasonBytes: 124}, "124 bytes"},
		{CloseCall{Code: 999}, "invalid code 999"},
		{CloseCall{Code: 1001}, "invalid code 1001"},
		{CloseCall{Code: 2999}, "invalid code 2999"},
		{CloseCall{Code: 5000}, "invalid code 5000"},
		{CloseCall{Code: 3000.5}, "whole number"},
		{CloseCall{Code: math.NaN()}, "whole number"},
		{CloseCall{Code: math.Inf(1)}, "whole number"},
		{CloseCall{Code: 1000, Fault: "parameter.code should be Number instead of String"}, "parameter error: parameter.code"},
	} {
		h, c := connected(t, Limits{})
		closing, err := h.set.Close(c.id, test.call)
		if test.want == "" {
			if err != nil || !closing || h.set.Live() != 0 {
				t.Errorf("%+v: %v, closing %v, %d slots held", test.call, err, closing, h.set.Live())
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), "closeSocket:fail ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: got %v, want %q", test.call, err, test.want)
		}
		if h.set.State(c.id) != Connecting || h.set.Live() != 1 {
			t.Errorf("%+v: a refused close changed the task", test.call)
		}
	}
}

func TestTransitions(t *testing.T) {
	for _, test := range []struct {
		name  string
		steps func(*host, *conn)
		state State
		seen  []Kind
	}{
		{"open", func(h *host, c *conn) { h.wsOpen(c) }, Opened, []Kind{Open}},
		{"open and closed by the peer", func(h *host, c *conn) { h.wsOpen(c); h.wsMessage(c, 1); h.wsClose(c, true) }, Closed, []Kind{Open, Message, Close}},
		{"lost", func(h *host, c *conn) { h.wsOpen(c); h.wsClose(c, false) }, Closed, []Kind{Open, Error, Close}},
		{"refused", func(h *host, c *conn) { h.wsClose(c, false) }, Closed, []Kind{Error, Close}},
		{"two errors", func(h *host, c *conn) { h.post(c, Error, 0); h.wsClose(c, false) }, Closed, []Kind{Error, Close}},
		{"timeout", func(h *host, c *conn) { h.post(c, Failure, 0) }, Closed, []Kind{Error, Close}},
		{"timeout too late", func(h *host, c *conn) { h.wsOpen(c); h.post(c, Failure, 0) }, Opened, []Kind{Open}},
		{"closing", func(h *host, c *conn) { h.wsOpen(c); h.close(c, 1000) }, Closing, []Kind{Open}},
		{"closed by us", func(h *host, c *conn) { h.wsOpen(c); h.close(c, 1000); h.wsClose(c, true) }, Closed, []Kind{Open, Close}},
		{"lost while closing", func(h *host, c *conn) { h.wsOpen(c); h.close(c, 1000); h.wsClose(c, false) }, Closed, []Kind{Open, Error, Close}},
		{"abandoned", func(h *host, c *conn) { h.close(c, 1000); h.wsClose(c, false) }, Closed, []Kind{Close}},
		{"a message before the open", func(h *host, c *conn) { h.post(c, Message, 1) }, Connecting, nil},
		{"failed, then timeout", func(h *host, c *conn) { h.post(c, Error, 0); h.post(c, Failure, 0) }, Connecting, []Kind{Error}},
		{"abandoned twice", func(h *host, c *conn) { h.close(c, 1000); h.close(c, 1000); h.wsClose(c, false) }, Closed, []Kind{Close}},
		{"abandoned, then timeout", func(h *host, c *conn) { h.close(c, 1000); h.post(c, Failure, 0); h.wsClose(c, false) }, Closed, []Kind{Close}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, c := connected(t, Limits{})
			h.listenAll(c)
			test.steps(h, c)
			if got := h.set.State(c.id); got != test.state {
				t.Errorf("state %d, want %d", got, test.state)
			}
			if got := c.kinds(); !slices.Equal(got, test.seen) {
				t.Errorf("handlers saw %v, want %v", got, test.seen)
			}
			if wantLive := test.state <= Opened; (h.set.Live() == 1) != wantLive {
				t.Errorf("%d slots held in state %d", h.set.Live(), test.state)
			}
			if h.inUse() != 0 {
				t.Errorf("%d payloads left behind", h.inUse())
			}
		})
	}
}

func TestSendNeedsAnOpenTaskAndSocket(t *testing.T) {
	h, c := connected(t, Limits{})
	try := func(want bool, ws State) {
		t.Helper()
		if got := h.set.Send(c.id, ws); got != want {
			t.Errorf("send in state %d of a WebSocket in state %d: %v", h.set.State(c.id), ws, got)
		}
	}
	try(false, Connecting)
	try(false, Opened) // the relay's WebSocket may be open before the upstream's
	h.wsOpen(c)
	try(true, Opened)
	try(false, Closing) // the peer has begun to close
	h.close(c, 1000)
	try(false, Opened)
	h.wsClose(c, true)
	try(false, Closed)
	if h.set.Send(99, Opened) {
		t.Error("send on a task that never was")
	}
}

func TestLimit(t *testing.T) {
	h := newHost(t, Limits{})
	for range 5 {
		if _, err := h.connect(call()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.connect(call()); err == nil || err.Error() != "connectSocket:fail exceed max concurrent count 5" {
		t.Fatalf("sixth: %v", err)
	}
	back := []func(*conn){
		func(c *conn) { h.close(c, 1000) },
		func(c *conn) { h.wsClose(c, true) },
		func(c *conn) { h.wsClose(c, false) },
		func(c *conn) { h.post(c, Failure, 0) },
		func(c *conn) { h.set.Discard(c.id) },
	}
	for i, give := range back {
		give(h.conns[i])
		if got := h.set.Live(); got != 5 {
			if got != 4 {
				t.Fatalf("way %d: %d slots held after one came back", i, got)
			}
		}
		if _, err := h.connect(call()); err != nil {
			t.Fatalf("way %d: the slot did not come back: %v", i, err)
		}
		if _, err := h.connect(call()); err == nil {
			t.Fatalf("way %d: two slots came back", i)
		}
	}
	// Its close event, after its close call, is not a second slot.
	h.close(h.conns[5], 1000)
	h.wsClose(h.conns[5], true)
	if h.set.Live() != 4 {
		t.Fatalf("%d slots held", h.set.Live())
	}
}

func TestReplace(t *testing.T) {
	h := newHost(t, Limits{MaxSockets: 1, Replace: true})
	first, _ := h.connect(call())
	h.listenAll(first)
	h.wsOpen(first)
	second, err := h.connect(call())
	if err != nil {
		t.Fatal(err)
	}
	if h.set.State(first.id) != Closing || h.set.State(second.id) != Connecting || h.set.Live() != 1 {
		t.Fatalf("states %d and %d, %d slots held", h.set.State(first.id), h.set.State(second.id), h.set.Live())
	}
	h.wsClose(first, true)
	if got := first.kinds(); !slices.Equal(got, []Kind{Open, Close}) {
		t.Errorf("the replaced task saw %v", got)
	}
	third := call()
	third.Fault = "parameter.url should be String instead of Number"
	if _, err := h.connect(third); err == nil || h.set.State(second.id) != Connecting {
		t.Error("a refused call replaced the task")
	}
}

func TestHeldEventsReplayInOrder(t *testing.T) {
	h, c := connected(t, Limits{})
	h.wsOpen(c)
	for range 100 {
		h.wsMessage(c, 10)
	}
	if h.inUse() != 101 {
		t.Fatalf("%d payloads held", h.inUse())
	}
	h.listen(c, Message)
	if len(c.seen) != 100 {
		t.Fatalf("%d messages replayed", len(c.seen))
	}
	inOrder(t, c)
	h.listen(c, Open)
	h.wsClose(c, true)
	if h.inUse() != 0 || h.set.Len() != 0 || len(c.kept) != 1 {
		t.Errorf("after the close: %d payloads, %d tasks, %d kept", h.inUse(), h.set.Len(), len(c.kept))
	}
}

func TestClosedTaskLetsGoOfWhatItHeld(t *testing.T) {
	h, c := connected(t, Limits{})
	h.wsOpen(c)
	h.wsMessage(c, 1)
	h.wsMessage(c, 1)
	h.wsClose(c, false)
	if h.inUse() != 0 || h.set.Len() != 0 {
		t.Fatalf("%d payloads and %d tasks remain", h.inUse(), h.set.Len())
	}
	var kept []Kind
	for _, p := range c.kept {
		kept = append(kept, p.kind)
	}
	if !slices.Equal(kept, []Kind{Open, Message, Message, Error, Close}) {
		t.Errorf("kept %v", kept)
	}
}

func TestHoldingTooMuchIsTold(t *testing.T) {
	for name, l := range map[string]Limits{"messages": {MaxHeldMessages: 3}, "bytes": {MaxHeldBytes: 30}, "bytes that leave a rest": {MaxHeldBytes: 39}} {
		t.Run(name, func(t *testing.T) {
			h, c := connected(t, l)
			h.wsOpen(c)
			for range 6 {
				h.wsMessage(c, 10)
			}
			if !c.shed {
				t.Fatal("held without bound")
			}
			h.wsClose(c, true)
			h.listenAll(c)
			// What was held before is still told, then why the rest is not.
			if got := c.kinds(); !slices.Equal(got, []Kind{Open, Message, Message, Message, Error, Close}) {
				t.Errorf("told %v", got)
			}
		})
	}
	t.Run("not with a handler", func(t *testing.T) {
		h, c := connected(t, Limits{MaxHeldMessages: 1, MaxHeldBytes: 1})
		h.listen(c, Message)
		h.wsOpen(c)
		for range 100 {
			h.wsMessage(c, 10)
		}
		if c.shed || len(c.seen) != 100 {
			t.Errorf("shed %v, saw %d", c.shed, len(c.seen))
		}
	})
	t.Run("room comes back", func(t *testing.T) {
		h, c := connected(t, Limits{MaxHeldBytes: 30})
		h.wsOpen(c)
		h.wsMessage(c, 30)
		h.listen(c, Message)
		if q := h.set.find(c.id); q.bytes != 0 {
			t.Errorf("%d bytes still counted", q.bytes)
		}
	})
}

// A queue that is never empty keeps no more memory than it needs twice.
func TestQueueReusesItsMemory(t *testing.T) {
	var q queue[Event]
	for n := range int32(100_000) {
		q.push(Event{Slot: n})
		if n >= 10 {
			if got := q.pop().Slot; got != n-10 {
				t.Fatalf("popped %d, want %d", got, n-10)
			}
		}
	}
	if got := cap(q.events); got > 40 {
		t.Errorf("room for %d events, to hold 11", got)
	}
}

// Ids go on where those of the set before have ended.
func TestIDsFollowTheLast(t *testing.T) {
	set := NewSet(Limits{}, 41)
	for _, want := range []int32{42, 43} {
		if id, err := set.Connect(call()); id != want || err != nil {
			t.Errorf("id %d, %v, want %d", id, err, want)
		}
	}
}

func TestBurstWhileBusyKeepsOrder(t *testing.T) {
	h, c := connected(t, Limits{})
	h.listenAll(c)
	h.wsOpen(c)
	burst := 10 * backlog // more than the channel takes
	h.handler = func(c *conn, p *payload) {
		switch {
		case p.kind == Message && p.n == 0:
			for range burst {
				h.wsMessage(c, 1)
			}
			if len(c.seen) != 2 {
				t.Errorf("delivered %d within a handler", len(c.seen))
			}
		case p.kind == Message && p.n < 10: // while the channel has room again
			h.wsMessage(c, 1)
		}
	}
	h.wsMessage(c, 1)
	if got := len(c.seen); got != burst+2+9 {
		t.Fatalf("%d of %d delivered", got, burst+2+9)
	}
	inOrder(t, c)
}

func TestAbandonedWhileItsOpenWaits(t *testing.T) {
	h, c := connected(t, Limits{})
	h.listenAll(c)
	c.busy = true // as within a handler
	h.wsOpen(c)
	h.wsMessage(c, 1)
	h.close(c, 1000)
	c.busy = false
	h.replay(c)
	h.wsClose(c, true)
	if got := c.kinds(); !slices.Equal(got, []Kind{Close}) {
		t.Errorf("saw %v", got)
	}
}

func TestRelayHandshake(t *testing.T) {
	relayed := call()
	relayed.Relayed = true
	h := newHost(t, Limits{})
	c, _ := h.connect(relayed)
	h.listenAll(c)
	h.wsOpen(c)
	if !c.asked || h.set.State(c.id) != Connecting {
		t.Fatalf("asked %v, state %d", c.asked, h.set.State(c.id))
	}
	h.wsMessage(c, 20) // the answer
	if len(c.answers) != 1 || h.set.State(c.id) != Opened {
		t.Fatalf("%d answers, state %d", len(c.answers), h.set.State(c.id))
	}
	h.wsMessage(c, 20)
	if got := c.kinds(); !slices.Equal(got, []Kind{Open, Message}) {
		t.Errorf("saw %v", got)
	}
}

func TestGlobalHandlersAreTheNewestTasks(t *testing.T) {
	h := newHost(t, Limits{})
	if h.set.Newest() != 0 {
		t.Error("a newest task without any")
	}
	old, _ := h.connect(call())
	h.wsOpen(old)
	h.wsMessage(old, 1)
	newer, _ := h.connect(call())
	h.listenGlobally(Message)
	h.wsOpen(newer)
	h.wsMessage(newer, 1)
	h.wsMessage(old, 1)
	if h.set.Newest() != newer.id || len(h.byWhole) != 1 {
		t.Fatalf("newest %d, %d messages told", h.set.Newest(), len(h.byWhole))
	}
	h.listen(newer, Message)
	h.wsMessage(newer, 1)
	if len(h.byWhole) != 2 || len(newer.seen) != 1 {
		t.Errorf("told the global handlers %d, the task's own %d", len(h.byWhole), len(newer.seen))
	}
	h.close(newer, 1000)
	if h.set.Newest() != old.id {
		t.Fatalf("newest %d after the newer one closed", h.set.Newest())
	}
	h.replay(old) // as the host does when a slot comes back
	if len(h.byWhole) != 4 {
		t.Errorf("the older task's held messages were not told: %d", len(h.byWhole))
	}
}

// A task that is closing has given its slot back, and its last events still go
// to the global handlers.
func TestGlobalHandlersSeeTheClose(t *testing.T) {
	h, c := connected(t, Limits{})
	for k := Open; k < numHandled; k++ {
		h.listenGlobally(k)
	}
	h.wsOpen(c)
	h.close(c, 1000)
	h.wsMessage(c, 1)
	h.wsClose(c, true)
	var seen []Kind
	for _, p := range h.byWhole {
		seen = append(seen, p.kind)
	}
	if !slices.Equal(seen, []Kind{Open, Close}) {
		t.Errorf("seen %v", seen)
	}
	check(t, h)
}

func TestUnknownTask(t *testing.T) {
	s := NewSet(Limits{}, 0)
	if d := s.Event(7, Event{Kind: Message, Slot: 3}, false); d.Verb != Drop || d.Slot != 3 {
		t.Errorf("event: %+v", d)
	}
	if closing, err := s.Close(7, CloseCall{Code: 5}); closing || err != nil {
		t.Errorf("close: %v, %v", closing, err)
	}
	if d := s.Next(7); d != (Decision{}) {
		t.Errorf("next: %+v", d)
	}
	s.Listen(7, Open, true)
	s.Listen(0, Kind(99), true)
	s.Discard(7)
	if s.State(7) != Closed || s.Evict() != 0 {
		t.Error("an unknown task has a state or a slot")
	}
}

// receive is one message on an open task with a handler: what the module does
// for each that arrives.
func receive(tb testing.TB) func() {
	h, c := connected(tb, Limits{})
	h.listenAll(c)
	h.wsOpen(c)
	return func() {
		if d := h.set.Event(c.id, Event{Kind: Message, Slot: 1, Size: 64}, false); d.Verb != Deliver || d.Flags&MoreBit != 0 {
			tb.Fatalf("%+v", d)
		}
	}
}

func TestReceiveDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(1000, receive(t)); n != 0 {
		t.Errorf("%v allocations a message", n)
	}
}

func BenchmarkReceive(b *testing.B) {
	f := receive(b)
	b.ReportAllocs()
	for b.Loop() {
		f()
	}
}

func BenchmarkSend(b *testing.B) {
	h, c := connected(b, Limits{})
	h.wsOpen(c)
	b.ReportAllocs()
	for b.Loop() {
		if !h.set.Send(c.id, Opened) {
			b.Fatal("refused")
		}
	}
}

// BenchmarkHeld holds 1,000 messages and replays them.
func BenchmarkHeld(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		h, c := connected(b, Limits{})
		h.wsOpen(c)
		for range 1000 {
			h.wsMessage(c, 1)
		}
		h.listen(c, Message)
		if len(c.seen) != 1000 {
			b.Fatal(len(c.seen))
		}
	}
}

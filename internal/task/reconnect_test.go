package task

import (
	"math"
	"slices"
	"testing"
)

func reconnecting(t *testing.T, r Reconnect) (*host, *conn) {
	t.Helper()
	h := newHost(t, Limits{MaxSockets: 1})
	c := call()
	c.Reconnect = &r
	conn, err := h.connect(c)
	if err != nil {
		t.Fatal(err)
	}
	h.listenAll(conn)
	return h, conn
}

var defaults = Reconnect{math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN()}

// In the worst case, 0 for chance, the pause doubles up to its bound.
func TestDelays(t *testing.T) {
	nan := math.NaN()
	for _, test := range []struct {
		name   string
		r      Reconnect
		chance float64 // of 1
		want   []int32
	}{
		{"defaults", defaults, 0, []int32{1000, 2000, 4000, 8000, 16000, 30000, 30000}},
		{"by half a chance", defaults, 0.5, []int32{500, 1000, 2000, 4000, 8000, 15000, 15000}},
		{"no jitter", Reconnect{nan, nan, nan, nan, 0}, 0.5, []int32{1000, 2000, 4000}},
		{"half of it jitter", Reconnect{nan, nan, nan, nan, 0.5}, 0.5, []int32{750, 1500, 3000}},
		{"bounds", Reconnect{nan, 10, 25, nan, nan}, 0, []int32{10, 20, 25, 25}},
		{"a bound below the default's", Reconnect{nan, 40_000, nan, nan, nan}, 0, []int32{40000, 40000}},
		{"factor", Reconnect{nan, 10, nan, 1.5, nan}, 0, []int32{10, 15, 22, 33}},
		{"at once", Reconnect{nan, 0, nan, nan, nan}, 0, []int32{0, 0, 0}},
		{"for ever", Reconnect{nan, math.Inf(1), nan, nan, nan}, 0, []int32{MaxTimer}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, c := reconnecting(t, test.r)
			h.chance = func() int32 { return int32(test.chance * (1 << 31)) }
			for range test.want {
				h.wsClose(c, false)
				h.advance(math.MaxInt32)
			}
			if !slices.Equal(c.delays, test.want) {
				t.Errorf("delays %v, want %v", c.delays, test.want)
			}
		})
	}
}

func TestReconnect(t *testing.T) {
	h, c := reconnecting(t, Reconnect{math.NaN(), 100, 100, 1, 0})
	h.wsOpen(c)
	h.wsMessage(c, 1)
	h.wsClose(c, false)
	if s := h.set.State(c.id); s != Connecting || !h.set.Down(c.id) {
		t.Fatalf("lost: state %d, down %v", s, h.set.Down(c.id))
	}
	if h.set.Send(c.id, Opened) {
		t.Error("sends while down")
	}
	if h.set.Newest() != c.id || h.set.Live() != 1 {
		t.Error("its slot is not its own any more")
	}
	h.advance(99)
	if c.dials != 0 {
		t.Error("dials before the delay is over")
	}
	h.advance(1)
	if c.dials != 1 || h.set.Down(c.id) {
		t.Fatalf("dialled %d times, down %v", c.dials, h.set.Down(c.id))
	}
	h.wsOpen(c)
	h.wsMessage(c, 1)
	h.wsCloseWith(c, 1012, true) // clean: the host tells of it
	h.advance(100)
	h.post(c, Failure, 0) // takes too long
	h.advance(100)
	h.wsOpen(c)
	h.wsCloseWith(c, 1000, true)
	want := []Kind{Open, Message, Error, Open, Message, Error, Error, Open, Close}
	if got := c.kinds(); !slices.Equal(got, want) {
		t.Errorf("seen %v, want %v", got, want)
	}
	check(t, h)
}

// What the handlers of an error see is a task that connects.
func TestStateInOnError(t *testing.T) {
	h, c := reconnecting(t, defaults)
	var states []State
	h.handler = func(_ *conn, p *payload) {
		if p.kind == Error {
			states = append(states, h.set.State(c.id))
		}
	}
	h.wsOpen(c)
	h.wsClose(c, false)
	h.advance(1000)
	h.wsOpen(c)
	h.wsCloseWith(c, 1001, true)
	h.advance(1000)
	h.post(c, Failure, 0)
	if want := []State{Connecting, Connecting, Connecting}; !slices.Equal(states, want) {
		t.Errorf("states %v, want %v", states, want)
	}
}

func TestRetriesEnd(t *testing.T) {
	for _, test := range []struct {
		name  string
		r     Reconnect
		end   func(*host, *conn)
		dials int
		want  []Kind
	}{
		{"by code 1000", defaults, func(h *host, c *conn) { h.wsOpen(c); h.wsCloseWith(c, 1000, true) }, 0, []Kind{Open, Close}},
		{"by code 1008", defaults, func(h *host, c *conn) { h.wsOpen(c); h.wsCloseWith(c, 1008, true) }, 0, []Kind{Open, Close}},
		{"by code 4000", defaults, func(h *host, c *conn) { h.wsOpen(c); h.wsCloseWith(c, 4000, true) }, 0, []Kind{Open, Close}},
		{"by code 4999, unclean", defaults, func(h *host, c *conn) { h.wsOpen(c); h.wsCloseWith(c, 4999, false) }, 0, []Kind{Open, Error, Close}},
		{"by close", defaults, func(h *host, c *conn) { h.wsOpen(c); h.close(c, 1000); h.wsClose(c, false) }, 0, []Kind{Open, Error, Close}},
		{"by close while down", defaults, func(h *host, c *conn) { h.wsClose(c, false); h.close(c, 1000); h.advance(0) }, 0, []Kind{Error, Close}},
		{"by close while dialling", defaults, func(h *host, c *conn) {
			h.wsClose(c, false)
			h.advance(1000)
			h.close(c, 1000)
			h.wsClose(c, false)
		}, 1, []Kind{Error, Close}},
		{"with none", Reconnect{Retries: 0, Factor: 1}, func(h *host, c *conn) { h.wsClose(c, false) }, 0, []Kind{Error, Close}},
		{"after two", Reconnect{Retries: 2, Factor: 1}, func(h *host, c *conn) {
			for range 3 {
				h.wsClose(c, false)
				h.advance(1)
			}
		}, 2, []Kind{Error, Error, Error, Close}},
		{"after two that do not last", Reconnect{Retries: 2, Factor: 1}, func(h *host, c *conn) {
			for range 3 {
				h.wsOpen(c)
				h.advance(Uptime - 1)
				h.wsCloseWith(c, 1011, true)
				h.advance(1)
			}
		}, 2, []Kind{Open, Error, Open, Error, Open, Close}},
		{"after two in a row", Reconnect{Retries: 2, Factor: 1}, func(h *host, c *conn) {
			for range 3 {
				h.wsClose(c, false)
				h.advance(1)
				h.wsOpen(c)
				h.advance(Uptime)
			}
			for range 3 {
				h.wsClose(c, false)
				h.advance(1)
			}
		}, 5, []Kind{Error, Open, Error, Open, Error, Open, Error, Error, Error, Close}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, c := reconnecting(t, test.r)
			test.end(h, c)
			h.advance(math.MaxInt32)
			if c.dials != test.dials {
				t.Errorf("dialled %d times, want %d", c.dials, test.dials)
			}
			if got := c.kinds(); !slices.Equal(got, test.want) {
				t.Errorf("seen %v, want %v", got, test.want)
			}
			check(t, h)
		})
	}
}

// The limit's victim may be one that waits.
func TestReplaceOneThatIsDown(t *testing.T) {
	h := newHost(t, Limits{MaxSockets: 1, Replace: true})
	with := call()
	with.Reconnect = &Reconnect{1, 1, 1, 1, 1}
	first, err := h.connect(with)
	if err != nil {
		t.Fatal(err)
	}
	h.listenAll(first)
	h.wsClose(first, false)
	second, err := h.connect(call())
	if err != nil {
		t.Fatal(err)
	}
	h.advance(10)
	if got := first.kinds(); !slices.Equal(got, []Kind{Error, Close}) || first.dials > 0 {
		t.Errorf("seen %v, dialled %d times", got, first.dials)
	}
	h.close(second, 1000)
	h.wsClose(second, true)
}

// Without handlers a task that is lost again and again holds one event of a
// kind, and every message.
func TestHeldWhileReconnecting(t *testing.T) {
	h, c := reconnecting(t, Reconnect{math.NaN(), 1, 1, 1, 1})
	c.listens = [numHandled]bool{}
	h.set.tasks[0].listens = 0
	for range 100 {
		h.wsOpen(c)
		h.wsMessage(c, 1)
		h.wsClose(c, false)
		h.advance(10)
	}
	if n := h.inUse(); n != 102 {
		t.Errorf("%d slots in use, want 100 messages, an open and an error", n)
	}
	held := 0
	for k := range h.set.tasks[0].held {
		held += h.set.tasks[0].held[k].len()
	}
	if held != 102 {
		t.Errorf("%d are held", held)
	}
	h.close(c, 1000)
	h.wsClose(c, false)
	h.listenAll(c)
	check(t, h)
}

// A server that sends more than may be held is not given another chance.
func TestNoReconnectAfterShedding(t *testing.T) {
	h := newHost(t, Limits{MaxHeldMessages: 1})
	with := call()
	with.Reconnect = &Reconnect{1, 1, 1, 1, 1}
	c, err := h.connect(with)
	if err != nil {
		t.Fatal(err)
	}
	h.wsOpen(c)
	h.wsMessage(c, 1)
	h.wsMessage(c, 1)
	h.wsClose(c, false) // the close frame is lost
	h.advance(10)
	if !c.shed || c.dials > 0 || h.set.State(c.id) != Closed {
		t.Errorf("shed %v, dialled %d times, state %d", c.shed, c.dials, h.set.State(c.id))
	}
	h.listenAll(c)
	check(t, h)
}

// Only a connection that is open has lasted.
func TestStableWhileItConnects(t *testing.T) {
	h, c := reconnecting(t, defaults)
	h.chance = func() int32 { return 0 }
	for range 3 {
		h.wsClose(c, false)
		h.post(c, Stable, 0)
		h.advance(math.MaxInt32)
		h.post(c, Stable, 0)
	}
	if want := []int32{1000, 2000, 4000}; !slices.Equal(c.delays, want) {
		t.Errorf("delays %v, want %v", c.delays, want)
	}
}

// Each connection to the relay begins with the request.
func TestReconnectAsksTheRelayAgain(t *testing.T) {
	h := newHost(t, Limits{})
	with := call()
	with.Relayed = true
	with.Reconnect = &Reconnect{3, 1, 1, 1, 1}
	c, err := h.connect(with)
	if err != nil {
		t.Fatal(err)
	}
	h.listenAll(c)
	for n := range 3 {
		c.asked = false
		h.wsOpen(c)
		if !c.asked || h.set.State(c.id) != Connecting {
			t.Fatalf("attempt %d: asked %v, state %d", n, c.asked, h.set.State(c.id))
		}
		h.wsMessage(c, 1)
		if h.set.State(c.id) != Opened {
			t.Fatalf("attempt %d: state %d after the answer", n, h.set.State(c.id))
		}
		h.wsClose(c, false)
		h.advance(10)
	}
	if len(c.answers) != 3 {
		t.Errorf("%d answers", len(c.answers))
	}
}

func TestReconnectIsRefused(t *testing.T) {
	nan := math.NaN()
	for _, test := range []struct {
		r    Reconnect
		want string
	}{
		{Reconnect{-1, nan, nan, nan, nan}, "retries should be at least 0"},
		{Reconnect{nan, -1, nan, nan, nan}, "minDelay should be at least 0"},
		{Reconnect{nan, nan, 999, nan, nan}, "maxDelay should be at least minDelay"},
		{Reconnect{nan, nan, nan, 0.9, nan}, "factor should be at least 1"},
		{Reconnect{nan, nan, nan, nan, -0.1}, "jitter should be from 0 to 1"},
		{Reconnect{nan, nan, nan, nan, 1.1}, "jitter should be from 0 to 1"},
	} {
		c := call()
		c.Reconnect = &test.r
		_, err := NewSet(Limits{}, 0).Connect(c)
		if want := "connectSocket:fail parameter error: parameter.reconnect." + test.want; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

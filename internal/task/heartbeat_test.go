package task

import (
	"math"
	"slices"
	"testing"
)

// beating returns an open task with a heartbeat of 800 ms and 400 ms.
func beating(t *testing.T, r *Reconnect) (*host, *conn) {
	t.Helper()
	h := newHost(t, Limits{})
	c := call()
	c.Heartbeat = &Heartbeat{Interval: 800, Timeout: 400}
	c.Reconnect = r
	conn, err := h.connect(c)
	if err != nil {
		t.Fatal(err)
	}
	h.listenAll(conn)
	h.wsOpen(conn)
	return h, conn
}

// pass lets ms milliseconds go by, one by one as timers have it.
func (h *host) pass(ms int) {
	for range ms {
		h.advance(1)
	}
}

func TestHeartbeat(t *testing.T) {
	for _, test := range []struct {
		name  string
		steps func(*host, *conn)
		beats int
		want  []Kind
	}{
		{"before the interval", func(h *host, c *conn) { h.pass(799) }, 0, []Kind{Open}},
		{"after the interval", func(h *host, c *conn) { h.pass(800) }, 1, []Kind{Open}},
		{"unanswered, within the timeout", func(h *host, c *conn) { h.pass(1199) }, 1, []Kind{Open}},
		{"unanswered", func(h *host, c *conn) { h.pass(1200) }, 1, []Kind{Open, Error, Close}},
		{"answered", func(h *host, c *conn) { h.pass(900); h.wsMessage(c, 1); h.pass(500) }, 1, []Kind{Open, Message}},
		{"answered, then silent", func(h *host, c *conn) { h.pass(900); h.wsMessage(c, 1); h.pass(1200) }, 2, []Kind{Open, Message, Error, Close}},
		{"never quiet", func(h *host, c *conn) {
			for range 100 {
				h.pass(300)
				h.wsMessage(c, 1)
			}
		}, 0, append([]Kind{Open}, slices.Repeat([]Kind{Message}, 100)...)},
		{"closing", func(h *host, c *conn) { h.close(c, 1000); h.pass(5000) }, 0, []Kind{Open}},
		{"slept while quiet", func(h *host, c *conn) { h.pass(100); h.advance(600_000) }, 1, []Kind{Open}},
		{"slept, then silent", func(h *host, c *conn) { h.pass(100); h.advance(600_000); h.pass(400) }, 1, []Kind{Open, Error, Close}},
		{"slept while it waited for the answer", func(h *host, c *conn) { h.pass(800); h.advance(600_000) }, 2, []Kind{Open}},
		{"slept, and had its answer", func(h *host, c *conn) {
			h.pass(800)
			h.advance(600_000)
			h.wsMessage(c, 1)
			h.pass(400)
		}, 2, []Kind{Open, Message}},
		{"slept, and had no answer", func(h *host, c *conn) { h.pass(800); h.advance(600_000); h.pass(400) }, 2, []Kind{Open, Error, Close}},
		{"timers once a minute, and no answer", func(h *host, c *conn) {
			for range 9 {
				h.advance(60_000)
			}
		}, 2, []Kind{Open, Error, Close}},
		{"the clock goes back", func(h *host, c *conn) { h.post(c, Tick, -5000); h.pass(100) }, 0, []Kind{Open}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, c := beating(t, nil)
			test.steps(h, c)
			if c.beats != test.beats {
				t.Errorf("%d heartbeats, want %d", c.beats, test.beats)
			}
			if got := c.kinds(); !slices.Equal(got, test.want) {
				t.Errorf("seen %v, want %v", got, test.want)
			}
			if h.inUse() != 0 {
				t.Errorf("%d slots in use", h.inUse())
			}
		})
	}
}

// What is received between two ticks counts as received at the first: a loss is
// noticed within interval and timeout, whenever the last message came.
func TestSilenceIsNoticedInTime(t *testing.T) {
	for last := range 1000 {
		h, c := beating(t, nil)
		h.pass(last)
		h.wsMessage(c, 1)
		silent := 0
		for ; !c.over && silent < 5000; silent++ {
			h.pass(1)
		}
		if silent > 1200 || silent < 1000 {
			t.Fatalf("the last message after %d ms: noticed after %d ms", last, silent)
		}
	}
}

func TestReconnectsAfterSilence(t *testing.T) {
	h, c := beating(t, &Reconnect{Retries: 1, MinDelay: 10, MaxDelay: 10, Factor: 1})
	h.pass(1210)
	if c.dials != 1 || h.set.State(c.id) != Connecting {
		t.Fatalf("dialled %d times, state %d", c.dials, h.set.State(c.id))
	}
	h.wsOpen(c)
	h.pass(700)
	if c.beats != 1 {
		t.Errorf("%d heartbeats: the new connection has not begun with a whole interval", c.beats)
	}
	h.close(c, 1000)
	h.wsClose(c, true)
	if want := []Kind{Open, Error, Open, Close}; !slices.Equal(c.kinds(), want) {
		t.Errorf("seen %v, want %v", c.kinds(), want)
	}
	check(t, h)
}

func TestHeartbeatIsRefused(t *testing.T) {
	nan := math.NaN()
	const name = "connectSocket:fail parameter error: parameter.heartbeat."
	for _, test := range []struct {
		h    Heartbeat
		want string
	}{
		{Heartbeat{nan, nan}, ""},
		{Heartbeat{1, 1}, ""},
		{Heartbeat{0, nan}, name + "interval should be from 1 to 2147483647"},
		{Heartbeat{-1, nan}, name + "interval should be from 1 to 2147483647"},
		{Heartbeat{math.Inf(1), nan}, name + "interval should be from 1 to 2147483647"},
		{Heartbeat{nan, 0}, name + "timeout should be from 1 to 2147483647"},
		{Heartbeat{nan, 1 << 31}, name + "timeout should be from 1 to 2147483647"},
	} {
		c := call()
		c.Heartbeat = &test.h
		_, err := NewSet(Limits{}, 0).Connect(c)
		if got := ""; err != nil {
			if got = err.Error(); got != test.want {
				t.Errorf("%+v: got %q, want %q", test.h, got, test.want)
			}
		} else if test.want != "" {
			t.Errorf("%+v is not refused", test.h)
		}
	}
}

// A task that is offline pauses as long as it may, and no longer.
func TestDelayWhileOffline(t *testing.T) {
	h, c := reconnecting(t, Reconnect{math.NaN(), 10, 5000, 2, 1})
	h.offline = true
	h.wsClose(c, false)
	if want := []int32{5000}; !slices.Equal(c.delays, want) {
		t.Errorf("delays %v, want %v", c.delays, want)
	}
}

func TestRenew(t *testing.T) {
	h := newHost(t, Limits{Domains: []string{"wss://a.example"}})
	c, err := h.connect(call())
	if err != nil {
		t.Fatal(err)
	}
	other := call()
	other.Host = "b.example"
	if err := h.set.Renew(c.id, other); err == nil || err.Error() != "connectSocket:fail url not in domain list" {
		t.Errorf("got %v", err)
	}
	relayed := call()
	relayed.Relayed = true
	if err := h.set.Renew(c.id, relayed); err != nil {
		t.Error(err)
	}
	h.wsOpen(c)
	if !c.asked {
		t.Error("the next attempt does not ask the relay")
	}
	if err := h.set.Renew(99, other); err != nil {
		t.Errorf("a task that is gone: %v", err)
	}
}

// A task that was shed tells the global handlers of its end, not of its open;
// also if the host shed it before the call was judged.
func TestShedTaskTellsItsEndAlone(t *testing.T) {
	for _, early := range []bool{false, true} {
		h := newHost(t, Limits{MaxHeldMessages: 2})
		old, _ := h.connect(call())
		newer, _ := h.connect(call())
		h.wsOpen(newer)
		h.wsOpen(old)
		h.listenGlobally(Error)
		h.listenGlobally(Close)
		if early {
			h.post(old, Error, CodeTooMuchHeld)
		} else {
			for range 3 {
				h.wsMessage(old, 1)
			}
		}
		h.listenGlobally(Open)
		h.wsCloseWith(old, CodeTooMuchHeld, true)
		var got []Kind
		for _, p := range h.byWhole {
			got = append(got, p.kind)
		}
		if want := []Kind{Error, Open, Close}; !slices.Equal(got, want) {
			t.Errorf("early %v: the global handlers saw %v, want %v", early, got, want)
		}
	}
}

// An older task that waits for a global handler, in vain since a newer one is
// there, is shed: the global handlers learn that.
func TestShedTaskTellsTheGlobalHandlers(t *testing.T) {
	h := newHost(t, Limits{MaxHeldMessages: 2})
	old, _ := h.connect(call())
	for k := Open; k < numHandled; k++ {
		h.listenGlobally(k)
	}
	h.wsOpen(old)
	newer, _ := h.connect(call())
	h.wsOpen(newer)
	for range 3 {
		h.wsMessage(old, 1)
	}
	h.wsCloseWith(old, 4008, true)
	var got []Kind
	for _, p := range h.byWhole {
		got = append(got, p.kind)
	}
	if want := []Kind{Open, Open, Error, Close}; !slices.Equal(got, want) {
		t.Errorf("the global handlers saw %v, want %v", got, want)
	}
}

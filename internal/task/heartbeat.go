package task

// Heartbeat says how a task notices that its connection is lost without a word:
// the peer has frozen, or the network is gone. A NaN field takes its default.
type Heartbeat struct {
	// Interval is how many milliseconds without a message received are quiet: the
	// host then sends the heartbeat's message.
	Interval float64
	// Timeout is how many milliseconds after that something must be received.
	Timeout float64
}

func (h *Heartbeat) check() error {
	if h == nil {
		return nil
	}
	defaultTo(&h.Interval, DefaultInterval)
	defaultTo(&h.Timeout, DefaultAnswer)
	switch {
	case !(h.Interval >= 1 && h.Interval <= MaxTimer):
		return Refusal(parameterError + "parameter.heartbeat.interval should be from 1 to 2147483647")
	case !(h.Timeout >= 1 && h.Timeout <= MaxTimer):
		return Refusal(parameterError + "parameter.heartbeat.timeout should be from 1 to 2147483647")
	}
	return nil
}

// late is how many milliseconds a tick may be late, as timers of a hidden page
// are. Beyond that the page may have slept, with the answer still on its way.
const late = 2_000

// ticks is how many ticks an interval has. No clock is read for a message: what
// is received between two ticks counts as received at the first.
const ticks = 8

// heartbeat is the state of a task's heartbeat. No timer is set or cleared for a
// message: a message sets heard, and the next tick looks at that.
type heartbeat struct {
	interval, timeout int32
	heard             bool  // a message, since the last tick
	quiet             int32 // milliseconds without a message, at most
	asked             bool  // the message was sent, and nothing received since
	waited            int32 // milliseconds since then
	doubted           bool  // it was sent again since the page may have slept
	pause             int32 // until the next tick
}

func newHeartbeat(h Heartbeat) *heartbeat {
	return &heartbeat{interval: int32(h.Interval), timeout: int32(h.Timeout)}
}

// reset begins a quiet time; a nil heartbeat has none.
func (h *heartbeat) reset() {
	if h != nil {
		h.listen(0)
	}
}

// listen waits for the interval, of which quiet milliseconds are over.
func (h *heartbeat) listen(quiet int32) {
	h.heard, h.asked, h.doubted = false, false, false
	h.quiet = min(quiet, h.interval)
	h.pauseAtMost(h.interval - h.quiet)
}

// ask has the message sent, and waits for the timeout.
func (h *heartbeat) ask(e Event) Decision {
	h.asked, h.waited = true, 0
	h.pauseAtMost(h.timeout)
	return Decision{Verb: Beat, Slot: e.Slot}
}

func (h *heartbeat) pauseAtMost(ms int32) { h.pause = max(1, min(h.interval/ticks, ms)) }

// tick decides what a tick calls for.
func (h *heartbeat) tick(e Event) Decision {
	elapsed := max(0, e.Size)
	wasLate := elapsed-h.pause > late
	switch {
	case h.heard:
		h.listen(min(elapsed, h.pause))
	case h.asked && wasLate && !h.doubted:
		h.doubted = true
		return h.ask(e)
	case h.asked && elapsed >= h.timeout-h.waited:
		return Decision{Verb: Abort, Slot: e.Slot}
	case h.asked:
		h.waited += elapsed
		h.pauseAtMost(h.timeout - h.waited)
	case elapsed >= h.interval-h.quiet:
		return h.ask(e)
	default:
		h.quiet += elapsed
		h.pauseAtMost(h.interval - h.quiet)
	}
	return Decision{Verb: Drop, Slot: e.Slot}
}

// Pause returns how many milliseconds the host waits until it posts a Tick, 0 if
// the task has no heartbeat now.
func (s *Set) Pause(id int32) int32 {
	if t := s.find(id); t != nil && t.state == Opened && t.heartbeat != nil {
		return t.heartbeat.pause
	}
	return 0
}

package task

// State is a task's readyState, with the values of the WHATWG WebSocket.
type State int32

// The states, in the only order in which a task goes through them.
const (
	Connecting State = iota
	Opened
	Closing
	Closed
)

// backlog is how many events a task's channel takes before they overflow into
// a slice. More than one waits only while a handler runs that causes events.
const backlog = 16

type task struct {
	id    int32
	set   *Set
	state State

	events   chan Event   // posted, not yet judged
	overflow queue[Event] // posted when the channel was full
	posted   int          // how many are in both

	listens uint8                        // kinds that have a handler of the task's own, a bit each
	held    [numHandled]queue[heldEvent] // waiting for a handler
	holds   uint8                        // kinds of which any wait, a bit each
	order   uint32                       // of the next held event
	bytes   int                          // held in messages

	backoff   *backoff   // of a task that reconnects
	heartbeat *heartbeat // of a task that has one

	relayed   bool // the WebSocket leads to the relay
	asked     bool // the request has been sent to the relay
	abandoned bool // closed by the user while connecting
	failed    bool // an Error of this connection has been accepted
	shed      bool // too much was held: later messages are dropped
}

// heldEvent is an event that waits for a handler.
type heldEvent struct {
	Event
	order uint32 // of arrival among the held
}

// post puts e on the channel; it never blocks.
func (t *task) post(e Event) {
	t.posted++
	if t.overflow.len() == 0 {
		select {
		case t.events <- e:
			return
		default:
		}
	}
	t.overflow.push(e)
}

// take returns the event that was posted first; there must be one.
func (t *task) take() Event {
	t.posted--
	select {
	case e := <-t.events:
		return e
	default:
		return t.overflow.pop()
	}
}

// next returns the next decision: first about what was held and has a handler
// now, then about what was posted. A closed task lets go of all that it held.
func (t *task) next() Decision {
	var d Decision
	for d.Verb == None {
		if q := t.oldest(); q != nil {
			d = t.redeliver(q)
		} else if t.posted > 0 {
			d = t.judge(t.take())
		} else {
			break
		}
	}
	if t.posted > 0 || t.oldest() != nil {
		d.Flags |= MoreBit
	} else if t.state == Closed {
		t.set.forget(t)
	}
	return d
}

// redeliver decides about the first event of a queue of held ones.
func (t *task) redeliver(q *queue[heldEvent]) Decision {
	d := t.deliver(t.release(q))
	if d.Flags == 0 {
		d.Verb = Keep
	}
	return d
}

// oldest returns the queue whose first event has waited longest, among the kinds
// that have a handler; if the task is closed, among all.
func (t *task) oldest() *queue[heldEvent] {
	if t.holds&(t.listens|t.set.listens) == 0 && t.state != Closed {
		return nil
	}
	return t.oldestHeld()
}

func (t *task) oldestHeld() *queue[heldEvent] {
	var found *queue[heldEvent]
	for k := range t.held {
		q := &t.held[k]
		if q.len() == 0 || found != nil && found.first().order < q.first().order {
			continue
		}
		if t.state == Closed || t.receivers(Kind(k)) != 0 {
			found = q
		}
	}
	return found
}

// judge decides about one event. None means that the event is held.
func (t *task) judge(e Event) Decision {
	if t.state == Closed {
		return Decision{Verb: Drop, Slot: e.Slot}
	}
	switch e.Kind {
	case Open:
		if t.state != Connecting {
			break
		}
		if t.relayed && !t.asked {
			t.asked = true
			return Decision{Verb: Ask, Slot: e.Slot}
		}
		t.state = Opened
		t.heartbeat.reset()
		return t.accept(e)
	case Message:
		if t.state == Connecting && t.asked {
			return Decision{Verb: Answer, Slot: e.Slot}
		}
		if t.state == Connecting || t.abandoned || t.shed {
			break
		}
		if t.heartbeat != nil {
			t.heartbeat.heard = true
		}
		if d := t.deliver(e); d.Flags != 0 {
			return d
		}
		if t.full(e) {
			t.shed = true
			return Decision{Verb: Shed, Slot: e.Slot}
		}
		t.hold(e)
		return Decision{}
	case Error:
		if t.abandoned || t.failed {
			break
		}
		if e.Size != 0 {
			t.retries(e.Size) // before the handlers run: they see a task that connects
		}
		if e.Size == CodeTooMuchHeld {
			t.shed = true // by the host, before the task was judged
		}
		t.failed = true
		return t.accept(e)
	case Failure:
		if t.state != Connecting || t.failed {
			break
		}
		return Decision{Verb: Abort, Slot: e.Slot}
	case Due:
		if t.state != Connecting || !t.down() {
			break
		}
		t.backoff.down = false
		t.failed = false
		return Decision{Verb: Dial, Slot: e.Slot}
	case Stable:
		if t.state == Opened && t.backoff != nil {
			t.backoff.reset()
		}
	case Tick:
		if t.state == Opened && t.heartbeat != nil {
			return t.heartbeat.tick(e)
		}
	case Close:
		if t.retries(e.Size) {
			return Decision{Verb: Retry, Slot: e.Slot}
		}
		t.state = Closed
		t.set.releaseSlot(t)
		t.hold(e) // last of all that is held: next lets go of the others first
		return Decision{}
	}
	return Decision{Verb: Drop, Slot: e.Slot}
}

// accept delivers e, an Open or an Error, or holds it if its kind has no handler.
// next judges only when no held event has a handler, so delivering now keeps the order.
func (t *task) accept(e Event) Decision {
	if d := t.deliver(e); d.Flags != 0 {
		return d
	}
	q := &t.held[e.Kind]
	if q.len() == 0 {
		t.hold(e)
		return Decision{}
	}
	// A task that keeps reconnecting holds only its newest Open and Error.
	old := t.release(q)
	t.hold(e)
	return Decision{Verb: Drop, Slot: old.Slot}
}

func (t *task) deliver(e Event) Decision {
	return Decision{Verb: Deliver, Kind: e.Kind, Slot: e.Slot, Flags: t.receivers(e.Kind)}
}

// receivers says whose handlers an event of kind k is for: none if it is 0.
func (t *task) receivers(k Kind) int32 {
	flags := int32(0)
	if t.listens&(1<<k) != 0 {
		flags = OwnBit
	}
	if t.set.listens&(1<<k) != 0 && t.isGlobal(k) {
		flags |= GlobalBit
	}
	return flags
}

// isGlobal reports whether an event of the task is one of the global functions:
// the task is the newest that holds a slot; or it was shed since it waited for
// them, and they would not learn of its end otherwise.
func (t *task) isGlobal(k Kind) bool {
	end := k == Error || k == Close
	return t.set.bound(t) || end && t.shed && t.listens&(1<<Message) == 0
}

func (t *task) full(e Event) bool {
	l := &t.set.limits
	return t.held[Message].len() >= l.MaxHeldMessages || t.bytes+int(e.Size) > l.MaxHeldBytes || e.Slot >= HeldSlots
}

// release takes the first event from a queue of held ones.
func (t *task) release(q *queue[heldEvent]) Event {
	e := q.pop().Event
	if q.len() == 0 {
		t.holds &^= 1 << e.Kind
	}
	if e.Kind == Message {
		t.bytes -= int(e.Size)
	}
	return e
}

func (t *task) hold(e Event) {
	t.holds |= 1 << e.Kind
	t.held[e.Kind].push(heldEvent{e, t.order})
	t.order++
	if e.Kind == Message {
		t.bytes += int(e.Size)
	}
}

package task

import (
	"slices"
	"strconv"
)

// Limits is what a [Set] allows. A zero field takes its default.
type Limits struct {
	// MaxSockets is how many connections may be live at once.
	MaxSockets int
	// Replace closes the oldest connection to make room for a new one, the API
	// document's rule before 1.7.0, instead of refusing the new one.
	Replace bool
	// Domains, if not empty, are the only origins ("wss://a.example") that may be
	// connected to.
	Domains []string
	// MaxHeldBytes and MaxHeldMessages are how much one task may hold until it has
	// a message handler. MaxHeldMessages is at most [HeldSlots].
	MaxHeldBytes, MaxHeldMessages int
}

// Set is all tasks of one module, and the slots of the limit that they hold.
type Set struct {
	limits  Limits
	last    int32   // id of the newest task; ids are never used twice
	tasks   []*task // oldest first
	live    []*task // those that hold a slot, oldest first
	listens uint8   // kinds that have a handler by the global functions, a bit each
}

// NewSet returns an empty set with the given limits. Its ids follow last, the id
// of the newest task of the set before it, or 0.
func NewSet(l Limits, last int32) *Set {
	if l.MaxSockets <= 0 {
		l.MaxSockets = DefaultMaxSockets
	}
	if l.MaxHeldBytes <= 0 {
		l.MaxHeldBytes = DefaultMaxHeldBytes
	}
	if l.MaxHeldMessages <= 0 {
		l.MaxHeldMessages = DefaultMaxHeldMessages
	}
	return &Set{limits: l, last: last}
}

// Connect judges a call. If it accepts the call it creates its task, which holds
// a slot from now on, and returns the task's id. The host then opens the
// WebSocket; if that throws it calls [Set.Discard], else [Set.Evict] until that
// returns 0. An error is a [Refusal], for the caller's fail.
func (s *Set) Connect(c Call) (int32, error) {
	if err := c.check(s.limits.Domains); err != nil {
		return 0, err
	}
	if len(s.live) >= s.limits.MaxSockets && !s.limits.Replace {
		return 0, Refusal("connectSocket:fail exceed max concurrent count " + strconv.Itoa(s.limits.MaxSockets))
	}
	s.last++
	t := &task{id: s.last, set: s, events: make(chan Event, backlog), relayed: c.Relayed}
	if c.Reconnect != nil {
		t.backoff = newBackoff(*c.Reconnect)
	}
	if c.Heartbeat != nil {
		t.heartbeat = newHeartbeat(*c.Heartbeat)
	}
	s.tasks = append(s.tasks, t)
	s.live = append(s.live, t)
	return t.id, nil
}

// Discard forgets a task whose WebSocket could not be created, and releases its
// slot.
func (s *Set) Discard(id int32) {
	if t := s.find(id); t != nil {
		s.releaseSlot(t)
		s.forget(t)
	}
}

// Evict releases the slot of the oldest task while there are more than the limit
// allows, and returns its id, for the host to close with 1000, or 0.
func (s *Set) Evict() int32 {
	if len(s.live) <= s.limits.MaxSockets {
		return 0
	}
	t := s.live[0]
	s.leave(t)
	return t.id
}

// Event posts e on the task's channel and, unless busy, returns the first
// decision. A host is busy while it carries out a decision of this task: it asks
// with [Set.Next] when it is done, which keeps the order.
func (s *Set) Event(id int32, e Event, busy bool) Decision {
	t := s.find(id)
	if t == nil {
		return Decision{Verb: Drop, Slot: e.Slot}
	}
	t.post(e)
	if busy {
		return Decision{}
	}
	return t.next()
}

// Next returns the task's next decision, None if nothing waits.
func (s *Set) Next(id int32) Decision {
	t := s.find(id)
	if t == nil {
		return Decision{}
	}
	return t.next()
}

// Listen records whether there is a handler of kind: a task's own, or with id 0
// one of the global functions. [Set.Next] then gives what was held for it.
func (s *Set) Listen(id int32, k Kind, on bool) {
	if k < 0 || k >= numHandled {
		return
	}
	listens := &s.listens
	if id != 0 {
		t := s.find(id)
		if t == nil {
			return
		}
		listens = &t.listens
	}
	*listens &^= 1 << k
	*listens |= uint8(bit(on)) << k
}

// Send reports whether a task may send on a WebSocket whose own readyState is
// given. The peer may have begun to close before the close event is posted, and
// such a WebSocket silently drops what it is given.
func (s *Set) Send(id int32, readyState State) bool {
	t := s.find(id)
	return t != nil && t.state == Opened && readyState == Opened
}

// Close judges a close. It reports whether the host has to close the WebSocket;
// for a closing or closed task there is nothing to do. It releases the slot at
// once.
func (s *Set) Close(id int32, c CloseCall) (bool, error) {
	t := s.find(id)
	if t == nil || t.state >= Closing {
		return false, nil
	}
	if err := c.check(); err != nil {
		return false, err
	}
	s.leave(t)
	return true, nil
}

// State returns a task's state; Closed if the set does not know it.
func (s *Set) State(id int32) State {
	if t := s.find(id); t != nil {
		return t.state
	}
	return Closed
}

// Newest returns the newest task that holds a slot, which the global functions
// are for, or 0.
func (s *Set) Newest() int32 {
	if len(s.live) == 0 {
		return 0
	}
	return s.live[len(s.live)-1].id
}

// Len returns how many tasks there are, with those that are closing.
func (s *Set) Len() int { return len(s.tasks) }

// Live returns how many tasks hold a slot.
func (s *Set) Live() int { return len(s.live) }

// leave begins to close t from this side.
func (s *Set) leave(t *task) {
	t.abandoned = t.state == Connecting
	t.state = Closing
	s.releaseSlot(t)
}

func (s *Set) releaseSlot(t *task) { s.live = without(s.live, t) }

func (s *Set) forget(t *task) { s.tasks = without(s.tasks, t) }

func without(tasks []*task, t *task) []*task {
	if i := slices.Index(tasks, t); i >= 0 {
		return slices.Delete(tasks, i, i+1)
	}
	return tasks
}

// find searches from the newest: there are about as many tasks as slots.
func (s *Set) find(id int32) *task {
	for i := len(s.tasks) - 1; i >= 0; i-- {
		if s.tasks[i].id == id {
			return s.tasks[i]
		}
	}
	return nil
}

// bound reports whether events of t go to the handlers of the global functions:
// no newer task holds a slot.
func (s *Set) bound(t *task) bool { return s.Newest() <= t.id }

package task

import (
	"slices"
	"strconv"
)

// Limits is what a [Set] allows. A zero field takes its default.
type Limits struct {
	// MaxSockets is how many connections may be live at once; default 5, the
	// API document's "up to 5 WebSocket connections".
	MaxSockets int
	// Replace closes the oldest connection to make room for a new one, the API
	// document's rule before 1.7.0, instead of refusing the new one.
	Replace bool
	// Domains, where not empty, are the only origins ("wss://a.example") that
	// may be connected to.
	Domains []string
	// MaxHeldBytes and MaxHeldMessages are how much one task may hold for a
	// message handler yet to be registered; default 16 MiB and 10,000.
	MaxHeldBytes, MaxHeldMessages int
}

// Set is all tasks of one module, and the slots they hold.
type Set struct {
	limits  Limits
	last    int32   // id of the newest task; ids are never used twice
	tasks   []*task // oldest first
	live    []*task // those that hold a slot, oldest first
	listens uint8   // kinds that have a handler by the global functions, a bit each
}

// NewSet returns an empty set with the given limits. Its tasks' ids follow last,
// that of the newest task of a set before it, or 0.
func NewSet(l Limits, last int32) *Set {
	if l.MaxSockets <= 0 {
		l.MaxSockets = 5
	}
	if l.MaxHeldBytes <= 0 {
		l.MaxHeldBytes = 16 << 20
	}
	if l.MaxHeldMessages <= 0 {
		l.MaxHeldMessages = 10_000
	}
	return &Set{limits: l, last: last}
}

// Connect judges a call and, where it is accepted, creates its task, which
// holds a slot from now on. The host then opens the WebSocket; where that
// throws it calls [Set.Discard], else [Set.Evict] until that returns 0.
// An error is a [Refusal], to be told by fail.
func (s *Set) Connect(c Call) (Admission, error) {
	if err := c.check(s.limits.Domains); err != nil {
		return Admission{}, err
	}
	if len(s.live) >= s.limits.MaxSockets && !s.limits.Replace {
		return Admission{}, Refusal("connectSocket:fail exceed max concurrent count " + strconv.Itoa(s.limits.MaxSockets))
	}
	s.last++
	t := &task{id: s.last, set: s, events: make(chan Event, backlog), relayed: c.Relayed}
	a := Admission{ID: t.id, Timeout: timeout(c.Timeout)}
	if c.Reconnect != nil {
		t.backoff = newBackoff(*c.Reconnect)
		a.Uptime = uptime
	}
	s.tasks = append(s.tasks, t)
	s.live = append(s.live, t)
	return a, nil
}

// Discard forgets a task whose WebSocket could not be created; its slot is free.
func (s *Set) Discard(id int32) {
	if t := s.find(id); t != nil {
		s.releaseSlot(t)
		s.forget(t)
	}
}

// Evict takes the slot of the oldest task while there are more than the limit
// allows, and returns its id for the host to close with 1000, or 0.
func (s *Set) Evict() int32 {
	if len(s.live) <= s.limits.MaxSockets {
		return 0
	}
	t := s.live[0]
	s.leave(t)
	return t.id
}

// Event posts e on the task's channel and, unless busy, returns the first
// decision. A host that is carrying out a decision of this task is busy: it
// asks for the event's with [Set.Next] when it is done, which keeps the order.
func (s *Set) Event(id int32, e Event, busy bool) Decision {
	t := s.find(id)
	if t == nil {
		return Decision{Verb: Drop, Slot: e.Slot}
	}
	t.post(e)
	if busy {
		return Decision{}
	}
	return s.decide(t)
}

// Next returns the task's next decision, None when nothing waits.
func (s *Set) Next(id int32) Decision {
	t := s.find(id)
	if t == nil {
		return Decision{}
	}
	return s.decide(t)
}

func (s *Set) decide(t *task) Decision {
	d := t.next()
	d.More = t.more()
	if t.state == Closed && !d.More {
		s.forget(t)
	}
	return d
}

// Listen records that a handler of kind is registered: a task's own, or with
// id 0 one of the global functions. What was held for it is given by [Set.Next].
func (s *Set) Listen(id int32, k Kind) {
	if k < 0 || k >= handled {
		return
	}
	bit := uint8(1) << k
	if id == 0 {
		s.listens |= bit
	} else if t := s.find(id); t != nil {
		t.listens |= bit
	}
}

// Send judges a send on a WebSocket whose own readyState is given: the peer
// may have begun to close before its close event is posted, and a WebSocket
// drops silently what it is given then.
func (s *Set) Send(id int32, readyState State) bool {
	t := s.find(id)
	return t != nil && t.state == Opened && readyState == Opened
}

// Close judges a close. It reports whether the host is to close the WebSocket;
// a closing or closed task has nothing to do. The slot is free at once.
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

// State returns a task's state; of one that is unknown or forgotten, Closed.
func (s *Set) State(id int32) State {
	if t := s.find(id); t != nil {
		return t.state
	}
	return Closed
}

// Newest returns the newest task that holds a slot, the one that the global
// functions are for, or 0.
func (s *Set) Newest() int32 {
	if len(s.live) == 0 {
		return 0
	}
	return s.live[len(s.live)-1].id
}

// Len returns how many tasks there are, with those whose closing is under way.
func (s *Set) Len() int { return len(s.tasks) }

// Live returns how many tasks hold a slot.
func (s *Set) Live() int { return len(s.live) }

// leave begins the closing of t on this side.
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

// bound tells whether events of t go to the handlers of the global functions:
// no newer task holds a slot.
func (s *Set) bound(t *task) bool { return s.Newest() <= t.id }

package task

// Event is what the state machine sees of something that happened: not the
// payload, only the slot in which the host keeps it.
type Event struct {
	Kind Kind
	Slot int32
	Size int32

	order uint32 // of arrival among the held
}

// Decision is what the host has to do about one event.
type Decision struct {
	Verb Verb
	Kind Kind
	Slot int32
	// Own and Global say whose handlers a Deliver calls: the task's, those of the
	// global functions, or both.
	Own, Global bool
	// More says that [Set.Next] has another decision for this task.
	More bool
}

// queue is a first-in, first-out list that reuses its memory, at most twice what
// its events need.
type queue struct {
	events []Event
	head   int
}

func (q *queue) len() int { return len(q.events) - q.head }

func (q *queue) first() *Event { return &q.events[q.head] }

func (q *queue) push(e Event) {
	if len(q.events) == cap(q.events) && q.head > len(q.events)/2 {
		q.events, q.head = q.events[:copy(q.events, q.events[q.head:])], 0
	}
	q.events = append(q.events, e)
}

func (q *queue) pop() Event {
	e := q.events[q.head]
	q.head++
	if q.head == len(q.events) {
		q.events, q.head = q.events[:0], 0
	}
	return e
}
